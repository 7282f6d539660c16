"""SessionRecording: encrypted recordings of Session Manager shell sessions."""

from __future__ import annotations

import re
from typing import Any

import aws_cdk as cdk
from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from hardened_ec2.servers.role import SessionLogs
from hardened_ec2.support.log_group import encrypted_log_group, log_key
from hardened_ec2.support.signature import own_signature

PREFERENCES = "SSM-SessionManagerRunShell"
"""The name of Session Manager's preferences document, one for each account and Region."""

IDLE_TIMEOUT = Duration.minutes(15)
MAX_DURATION = Duration.hours(8)

_USER = re.compile(r"[a-z_][a-z0-9_.-]{0,31}")


@own_signature
class SessionRecording(Construct):
    """Recording of all Session Manager shell sessions in an account and Region.

    It is Session Manager's preferences document, ``SSM-SessionManagerRunShell``:

    - input and output stream to an encrypted log group, and are copied to an S3 bucket when the
      session ends, if you pass one;
    - sessions are encrypted with the same KMS key, in addition to TLS;
    - idle sessions end after 15 minutes, and all sessions after 8 hours.

    SSM Agent refuses a session that it cannot record: if the log group or bucket is not encrypted,
    or the server's role may not write to it. So pass each server's role the permission,
    ``InstanceRole(..., session_logs=recording.session_logs)``, and create the endpoints
    `InterfaceEndpoints.SESSION_RECORDING` in a VPC without internet access.

    Only shell sessions are recorded. Port forwarding and SSH through Session Manager are not, and
    other session documents have their own preferences: give people access with
    `grant_start_session`, which allows only this document.

    There is one such document in each account and Region. If somebody already created it in the
    console or with the CLI, CloudFormation cannot create it: use ``cdk import``.

    It costs $1 a month for the key, $0.50 for each GB of sessions, and in a VPC without internet
    access $7.30 a month for each of the two endpoints in each zone.

    Source: AWS, "Logging session activity"; AWS, "Session document schema"; AWS, "Turn on KMS key
        encryption of session data"; NIST SP 800-53 Rev. 5 AC-12, AU-14.

    Example::

        recording = SessionRecording(self, "Sessions")
        role = InstanceRole(self, "Role", session_logs=recording.session_logs)
        server = HardenedInstance(self, "Server", vpc=vpc, role=role)
        recording.grant_start_session(operators, server)
    """

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 - CDK's own name for it
        *,
        bucket: cdk.aws_s3.IBucket | None = None,
        key_prefix: str = "",
        encryption_key: cdk.aws_kms.IKey | None = None,
        log_retention: cdk.aws_logs.RetentionDays | None = None,
        idle_timeout: Duration = IDLE_TIMEOUT,
        max_duration: Duration = MAX_DURATION,
        run_as: str | None = None,
        removal_policy: RemovalPolicy = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    ) -> None:
        """Create the preferences document, its log group and its key.

        Args:
            scope: The parent construct.
            id: The construct's id in it.
            bucket: An encrypted S3 bucket for copies of whole sessions. Default: none.
            key_prefix: The prefix of the objects in the bucket. Default: none.
            encryption_key: The KMS key of the sessions and the log group. Its policy must allow
                CloudWatch Logs to use it. Default: a new key with rotation, which is kept when the
                stack is deleted.
            log_retention: How long log events are kept. Default: one year.
            idle_timeout: How long a session may be idle, 1 to 60 minutes. Default: 15 minutes.
            max_duration: How long a session may last, 1 minute to 24 hours. Default: 8 hours.
            run_as: The operating system user of the sessions, who must exist on the server. The tag
                ``SSMSessionRunAs`` of the caller's user or role overrides it. Default:
                ``ssm-user``, whom SSM Agent creates with sudo rights.
            removal_policy: What happens to the document when the stack is deleted. With
                ``DESTROY`` it is deleted, and sessions are no longer recorded. The log group and
                the key are always kept. Default: ``RETAIN_ON_UPDATE_OR_DELETE``.

        Raises:
            ValueError: If the stack already has a SessionRecording, ``key_prefix`` is given without
                ``bucket``, a duration is out of its range or not in whole minutes, or ``run_as`` is
                root or not a user name.
        """
        idle = _minutes("idle_timeout", idle_timeout, 60)
        longest = _minutes("max_duration", max_duration, 1440)
        if key_prefix and bucket is None:
            raise ValueError(
                f"key_prefix is {key_prefix!r} without bucket: pass bucket=..., or leave "
                "key_prefix out"
            )
        _refuse_user(run_as)
        _refuse_second(Stack.of(scope))
        super().__init__(scope, id)
        self.encryption_key: cdk.aws_kms.IKey = encryption_key or log_key(
            self, "Key", description="Sessions of Session Manager"
        )
        """The KMS key of the sessions and the log group."""
        self.log_group = encrypted_log_group(
            self,
            "LogGroup",
            key_id="Key",
            key_description="Sessions of Session Manager",
            encryption_key=self.encryption_key,
            retention=log_retention,
        )
        """The log group of the recordings."""
        self.session_logs = SessionLogs(
            bucket=bucket,
            key_prefix=key_prefix,
            log_group=self.log_group,
            encryption_key=self.encryption_key,
        )
        """The value of ``session_logs`` for the `InstanceRole` of each server."""
        self.document = ssm.CfnDocument(
            self,
            "Preferences",
            name=PREFERENCES,
            document_type="Session",
            document_format="JSON",
            # A new default version: CloudFormation cannot replace a document under the same name.
            update_method="NewVersion",
            content={
                "schemaVersion": "1.0",
                "description": "Sessions are encrypted and recorded, and end",
                "sessionType": "Standard_Stream",
                "inputs": self._preferences(idle, longest, run_as),
            },
        )
        self.document.apply_removal_policy(removal_policy)

    def _preferences(self, idle: int, longest: int, run_as: str | None) -> dict[str, Any]:
        bucket, prefix = self.session_logs.bucket, self.session_logs.key_prefix
        return {
            "cloudWatchLogGroupName": self.log_group.log_group_name,
            "cloudWatchEncryptionEnabled": True,
            "cloudWatchStreamingEnabled": True,
            "s3BucketName": bucket.bucket_name if bucket else "",
            "s3KeyPrefix": prefix.strip("/"),
            "s3EncryptionEnabled": True,
            "kmsKeyId": self.encryption_key.key_arn,
            "idleSessionTimeout": str(idle),
            "maxSessionDuration": str(longest),
            "runAsEnabled": run_as is not None,
            "runAsDefaultUser": run_as or "",
            "shellProfile": {"linux": "", "windows": ""},
        }

    def grant_start_session(self, grantee: iam.IGrantable, server: ec2.IInstance) -> iam.Grant:
        """Grant permission to start recorded shell sessions on a server, and to end one's own.

        Only this document is allowed: port forwarding, SSH through Session Manager and single
        commands, which are not recorded, stay forbidden.

        Args:
            grantee: A role, group or user, or an ``iam.ManagedPolicy`` to attach.
            server: The instance.

        Returns:
            The grant.

        Raises:
            ValueError: If the server is not an instance.

        Source: AWS, "Start a default shell session by specifying the default session document in
            IAM policies"; AWS, "Additional sample IAM policies for Session Manager".

        Example::

            recording.grant_start_session(operators, server)
        """
        if not hasattr(server, "instance_private_ip"):
            raise ValueError(
                f"server is {server!r}: write an ec2.IInstance, such as a HardenedInstance. For an "
                "Auto Scaling group, grant ssm:StartSession on instances with its tag "
                "aws:autoscaling:groupName and on this recording's document"
            )
        stack = Stack.of(self)
        start = iam.Grant.add_to_principal(
            grantee=grantee,
            actions=["ssm:StartSession"],
            resource_arns=[
                stack.format_arn(
                    service="ec2", resource="instance", resource_name=server.instance_id
                ),
                stack.format_arn(service="ssm", resource="document", resource_name=PREFERENCES),
            ],
            # Without it, StartSession on the instance alone would allow every document.
            conditions={"BoolIfExists": {"ssm:SessionDocumentAccessCheck": "true"}},
        )
        own = iam.Grant.add_to_principal(
            grantee=grantee,
            actions=["ssm:ResumeSession", "ssm:TerminateSession", "ssmmessages:OpenDataChannel"],
            resource_arns=[
                stack.format_arn(service="ssm", resource="session", resource_name="${aws:userid}-*")
            ],
        )
        key = iam.Grant.add_to_principal(
            grantee=grantee,
            actions=["kms:GenerateDataKey"],
            resource_arns=[self.encryption_key.key_arn],
        )
        return start.combine(own).combine(key)


def _minutes(name: str, duration: Duration, most: int) -> int:
    seconds = int(duration.to_seconds())
    minutes, rest = divmod(seconds, 60)
    if rest or not 1 <= minutes <= most:
        raise ValueError(
            f"{name} is {seconds} seconds: Session Manager allows 1 to {most} whole minutes; "
            f"write such as {name}=Duration.minutes(15)"
        )
    return minutes


def _refuse_user(run_as: str | None) -> None:
    if run_as == "root":
        raise ValueError(
            "run_as is 'root', which Session Manager refuses, and whose sessions could stop their "
            "own recording: write a user with the sudo rights it needs, or leave run_as out"
        )
    if run_as is not None and not _USER.fullmatch(run_as):
        raise ValueError(
            f"run_as is {run_as!r}: write a user name that exists on the servers, such as "
            "'operator', or leave run_as out"
        )


def _refuse_second(stack: Stack) -> None:
    for other in stack.node.find_all():
        if isinstance(other, SessionRecording):
            raise ValueError(
                f"{other.node.path} already records the sessions of this account and Region, which "
                "has one preferences document: pass all arguments to that one"
            )
