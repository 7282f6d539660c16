"""SessionRecording: what is typed and shown in Session Manager, encrypted and kept."""

import re

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from hardened_ec2.servers.role import SessionLogs
from hardened_ec2.support.log_group import encrypted_log_group, log_key

PREFERENCES = "SSM-SessionManagerRunShell"
"""The document that Session Manager takes its preferences from, one for each account and Region."""

SESSION_RECORDING_ENDPOINTS = ("kms", "logs")
"""The interface endpoints that a recorded session needs in a VPC without internet, besides those of
Session Manager.

Source: AWS, "Improve the security of EC2 instances by using VPC endpoints for Systems Manager".
"""

IDLE_TIMEOUT = Duration.minutes(15)
MAX_DURATION = Duration.hours(8)

_USER = re.compile(r"[a-z_][a-z0-9_.-]{0,31}")


class SessionRecording(Construct):
    """Records every shell session of Session Manager in an account and Region.

    It writes the preferences of Session Manager (the document ``SSM-SessionManagerRunShell``):

    - what is typed and shown streams to an encrypted log group while it happens, and goes to an S3
      bucket too at the end, if one is given;
    - the session itself is encrypted with the same KMS key, on top of TLS;
    - a session ends after 15 minutes without a key stroke, and after 8 hours in any case.

    A session is refused by the agent where it could not be recorded: the log group or the bucket is
    not encrypted, or the server's role may not write to it. So give each server the permission,
    with ``InstanceRole(..., session_logs=recording.session_logs)``, and in a VPC without internet
    the endpoints (`SESSION_RECORDING_ENDPOINTS`).

    Only shells are recorded. Port forwarding and SSH through Session Manager are not, whatever the
    preferences say, and other documents have preferences of their own: let people in with
    `grant_start_session`, which leaves them no document but this one.

    An account and Region has one such document. Where it was made by hand already, in the console
    or by the CLI, CloudFormation refuses to create it: bring it in with ``cdk import``.

    What it costs: $1 a month for the key, $0.50 for each GB of sessions, and in a VPC without
    internet $7.30 a month for each of the two endpoints and zone.

    Args:
        scope: The construct to make it in.
        id: Its id there.
        bucket: An encrypted S3 bucket that whole sessions go to as well. Default: none.
        key_prefix: Where in the bucket. Default: its root.
        encryption_key: The KMS key of the sessions and their log. It must let CloudWatch Logs use
            it. Default: one of its own, rotated, and kept with what it encrypted.
        log_retention: How long the log is kept. Default: one year.
        idle_timeout: After how long without a key stroke a session ends, from 1 to 60 minutes.
            Default: 15 minutes.
        max_duration: After how long it ends in any case, from 1 minute to 24 hours. Default: 8
            hours.
        run_as: The user of the server that a session runs as, whom the server must have. The tag
            ``SSMSessionRunAs`` of whoever starts it names another. Default: ``ssm-user``, whom the
            agent makes, with sudo.
        removal_policy: What becomes of the preferences when the stack is deleted. The log group and
            the key are always kept. Default: ``RETAIN_ON_UPDATE_OR_DELETE``, so that a mistake with
            a stack does not leave sessions unrecorded; with ``DESTROY`` they are deleted, and
            nothing is recorded any more.

    Raises:
        ValueError: If the stack records sessions already, a prefix is given without a bucket, a
            duration is none that Session Manager takes, or the user is root or no user name.

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
        bucket: s3.IBucket | None = None,
        key_prefix: str = "",
        encryption_key: kms.IKey | None = None,
        log_retention: logs.RetentionDays | None = None,
        idle_timeout: Duration = IDLE_TIMEOUT,
        max_duration: Duration = MAX_DURATION,
        run_as: str | None = None,
        removal_policy: RemovalPolicy = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    ) -> None:
        idle = _minutes("idle_timeout", idle_timeout, 60)
        longest = _minutes("max_duration", max_duration, 1440)
        if key_prefix and bucket is None:
            raise ValueError(
                f"key_prefix is {key_prefix!r} without a bucket: pass bucket=..., or leave it out"
            )
        _refuse_user(run_as)
        _refuse_second(Stack.of(scope))
        super().__init__(scope, id)
        self.encryption_key: kms.IKey = encryption_key or log_key(
            self, "Key", description="Sessions of Session Manager"
        )
        """The KMS key of the sessions and their log."""
        self.log_group = encrypted_log_group(
            self,
            "LogGroup",
            key_id="Key",
            key_description="Sessions of Session Manager",
            encryption_key=self.encryption_key,
            retention=log_retention,
        )
        """Where sessions are recorded."""
        self.session_logs = SessionLogs(
            bucket=bucket,
            key_prefix=key_prefix,
            log_group=self.log_group,
            encryption_key=self.encryption_key,
        )
        """What a server's role has to be given, for its sessions to be recorded."""
        self.document = ssm.CfnDocument(
            self,
            "Preferences",
            name=PREFERENCES,
            document_type="Session",
            document_format="JSON",
            # A new version, which becomes the default one: a document of this name cannot be
            # replaced while the old one is there.
            update_method="NewVersion",
            content={
                "schemaVersion": "1.0",
                "description": "Sessions are encrypted and recorded, and end",
                "sessionType": "Standard_Stream",
                "inputs": {
                    "cloudWatchLogGroupName": self.log_group.log_group_name,
                    "cloudWatchEncryptionEnabled": True,
                    "cloudWatchStreamingEnabled": True,
                    "s3BucketName": bucket.bucket_name if bucket else "",
                    "s3KeyPrefix": key_prefix.strip("/"),
                    "s3EncryptionEnabled": True,
                    "kmsKeyId": self.encryption_key.key_arn,
                    "idleSessionTimeout": str(idle),
                    "maxSessionDuration": str(longest),
                    "runAsEnabled": run_as is not None,
                    "runAsDefaultUser": run_as or "",
                    "shellProfile": {"linux": "", "windows": ""},
                },
            },
        )
        self.document.apply_removal_policy(removal_policy)

    def grant_start_session(self, grantee: iam.IGrantable, server: ec2.IInstance) -> iam.Grant:
        """Let someone start recorded shell sessions on one server, and end their own.

        Nothing else: no other document, so no port forwarding, no SSH through Session Manager and
        no single commands, none of which is recorded.

        Args:
            grantee: Who: a role, a group, a user, or an ``iam.ManagedPolicy`` to attach.
            server: The server.

        Returns:
            The grant.

        Raises:
            ValueError: If the server is none.

        Source: AWS, "Start a default shell session by specifying the default session document in
            IAM policies"; AWS, "Additional sample IAM policies for Session Manager".

        Example::

            recording.grant_start_session(operators, server)
        """
        if not hasattr(server, "instance_private_ip"):
            raise ValueError(
                f"server is {server!r}: write an ec2.IInstance, such as a HardenedInstance. For "
                "the servers of a fleet grant ssm:StartSession on their tag "
                "aws:autoscaling:groupName, with this recording's document"
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
            # Without it whoever may use the server may use it with any document.
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
            f"{name} is {seconds} seconds, where Session Manager takes 1 to {most} whole minutes: "
            "write such as Duration.minutes(15)"
        )
    return minutes


def _refuse_user(run_as: str | None) -> None:
    if run_as == "root":
        raise ValueError(
            "run_as is 'root', whose sessions could stop their own recording, and whom Session "
            "Manager refuses: write a user with the sudo rights that are needed, or leave it out"
        )
    if run_as is not None and not _USER.fullmatch(run_as):
        raise ValueError(
            f"run_as is {run_as!r}: write the name of a user that the servers have, such as "
            "'operator', or leave it out"
        )


def _refuse_second(stack: Stack) -> None:
    for other in stack.node.find_all():
        if isinstance(other, SessionRecording):
            raise ValueError(
                f"{other.node.path} already records the sessions of this account and Region: "
                "Session Manager has one document of preferences for each, so give that one all "
                "the arguments"
            )
