"""InstanceRole: the least-privilege IAM role of a server."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import aws_cdk as cdk
from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from hardened_ec2.support.acknowledgements import (
    SESSION_MANAGER_ON_EVERY_RESOURCE,
    SESSIONS_IN_BUCKET,
)
from hardened_ec2.support.acknowledging import acknowledge, as_nag_writes
from hardened_ec2.support.signature import own_signature

SESSION_MANAGER_ACTIONS = (
    "ssm:UpdateInstanceInformation",
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
)
"""The actions that Session Manager needs on an instance.

The managed policy AmazonSSMManagedInstanceCore also permits reading every parameter of the account.
Source: AWS, "Add Session Manager permissions to an existing IAM role".
"""


@dataclass(frozen=True, kw_only=True)
class SessionLogs:
    """The destinations to which Session Manager logs the input and output of sessions.

    The role gets permission to write there. Session logging is enabled for an account and Region:
    `SessionRecording` enables it and creates this value. Create one yourself if session logging
    was enabled in another way.

    Args:
        bucket: An S3 bucket for whole sessions. Default: none.
        key_prefix: The prefix of their keys in the bucket. Default: none.
        log_group: A CloudWatch log group for streamed sessions. Default: none.
        encryption_key: The KMS key that encrypts sessions or their logs. Default: none.

    Raises:
        ValueError: If neither a bucket nor a log group is given, or a prefix without a bucket.

    Source: AWS, "Logging session activity".

    Example::

        InstanceRole(self, "Role", session_logs=SessionLogs(log_group=log_group))
    """

    bucket: cdk.aws_s3.IBucket | None = None
    key_prefix: str = ""
    log_group: cdk.aws_logs.ILogGroup | None = None
    encryption_key: cdk.aws_kms.IKey | None = None

    def __post_init__(self) -> None:
        if self.bucket is None and self.log_group is None:
            raise ValueError(
                "SessionLogs has no destination: write bucket=... or log_group=..., or leave "
                "session_logs out"
            )
        if self.key_prefix and self.bucket is None:
            raise ValueError(
                f"SessionLogs has key_prefix={self.key_prefix!r} without a bucket: write "
                "bucket=... as well, or leave key_prefix out"
            )

    @property
    def objects_arn(self) -> str:
        """The ARN of the sessions in the bucket. Empty without a bucket."""
        prefix = self.key_prefix.strip("/")
        return self.bucket.arn_for_objects(f"{prefix}/*" if prefix else "*") if self.bucket else ""

    def statements(self) -> list[iam.PolicyStatement]:
        """Return the permissions to write to the destinations."""
        statements = []
        if self.bucket is not None:
            statements += [
                iam.PolicyStatement(actions=["s3:PutObject"], resources=[self.objects_arn]),
                iam.PolicyStatement(
                    actions=["s3:GetEncryptionConfiguration"], resources=[self.bucket.bucket_arn]
                ),
            ]
        if self.log_group is not None:
            statements += [
                iam.PolicyStatement(
                    actions=[
                        "logs:CreateLogStream",
                        "logs:DescribeLogStreams",
                        "logs:PutLogEvents",
                    ],
                    resources=[self.log_group.log_group_arn],
                ),
                # SSM Agent lists log groups to check whether this one is encrypted.
                iam.PolicyStatement(actions=["logs:DescribeLogGroups"], resources=["*"]),
            ]
        if self.encryption_key is not None:
            statements.append(
                iam.PolicyStatement(
                    actions=["kms:Decrypt", "kms:GenerateDataKey"],
                    resources=[self.encryption_key.key_arn],
                )
            )
        return statements


@own_signature
class InstanceRole(iam.Role):
    """An IAM role of a server, limited to Session Manager and the permissions that you grant.

    Grants work as on any role (``bucket.grant_read(role)``). Only EC2 can assume it.

    Source: AWS, "Add Session Manager permissions to an existing IAM role"; AWS, "Create a data
        perimeter with aws:EC2InstanceSourceVPC and aws:EC2InstanceSourcePrivateIPv4".

    Example::

        role = InstanceRole(self, "Role", credential_perimeter=True)
        artifacts.grant_read(role)
        HardenedInstance(self, "Server", vpc=vpc, role=role)
    """

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 - CDK's own name for it
        *,
        session_manager: bool = True,
        session_logs: SessionLogs | None = None,
        credential_perimeter: bool = False,
        description: str = "Hardened EC2 instance",
    ) -> None:
        """Create the role and its managed policy.

        Args:
            scope: The parent construct.
            id: The role's id in it.
            session_manager: Whether Session Manager can connect to the server. Default: True, since
                SSH is closed.
            session_logs: The destinations of session logs. Default: none.
            credential_perimeter: Whether the role's credentials work only on the instance that they
                were issued to, which makes stolen credentials useless. The server must then reach
                every AWS service through a VPC endpoint: a call over the internet or a NAT gateway
                carries no ``aws:SourceVpc``, and a call from another VPC carries a different one;
                both are denied. Calls that a service makes on the role's behalf stay allowed.
                Default: False.
            description: The role's description. Default: "Hardened EC2 instance".

        Raises:
            ValueError: If ``session_logs`` is given without Session Manager.
        """
        if session_logs is not None and not session_manager:
            raise ValueError(
                "session_logs is given with session_manager=False, which leaves no sessions to "
                "log: leave one of the two out"
            )
        super().__init__(
            scope,
            id,
            assumed_by=_ec2(),
            description=description,
        )
        statements = []
        if session_manager:
            statements.append(session_manager_statement())
        if session_logs is not None:
            statements += session_logs.statements()
        if credential_perimeter:
            statements += _perimeter_statements()
        if not statements:
            return
        # A managed policy, since NIST 800-53 packs refuse inline policies.
        policy = iam.ManagedPolicy(
            self,
            "Permissions",
            description=description,
            statements=statements,
            roles=[self],
        )
        if session_manager:
            acknowledge(policy, *SESSION_MANAGER_ON_EVERY_RESOURCE)
        if session_logs is not None and session_logs.bucket is not None:
            found = f"[Resource::{as_nag_writes(Stack.of(self), session_logs.objects_arn)}]"
            rule = f"AwsSolutions::AwsSolutions-IAM5{found}"
            acknowledge(policy, replace(SESSIONS_IN_BUCKET, rule=rule))


@cache
def session_manager_statement() -> iam.PolicyStatement:
    """Return the permissions of `SESSION_MANAGER_ACTIONS`, created once for all roles."""
    return iam.PolicyStatement(actions=[*SESSION_MANAGER_ACTIONS], resources=["*"])


@cache
def _ec2() -> iam.ServicePrincipal:
    # Cached: the same for every role, created with one message to node.
    return iam.ServicePrincipal("ec2.amazonaws.com")


def _perimeter_statements() -> list[iam.PolicyStatement]:
    """Return statements that deny the role's credentials outside of their instance."""
    # Two statements: all keys of one condition operator must mismatch before it denies.
    return [
        iam.PolicyStatement(
            effect=iam.Effect.DENY,
            actions=["*"],
            resources=["*"],
            conditions={
                "StringNotEquals": {issued_to: used_from},
                "Null": {"ec2:SourceInstanceARN": "false"},
                "BoolIfExists": {"aws:ViaAWSService": "false"},
            },
        )
        for issued_to, used_from in (
            ("aws:EC2InstanceSourceVPC", "${aws:SourceVpc}"),
            ("aws:EC2InstanceSourcePrivateIPv4", "${aws:VpcSourceIp}"),
        )
    ]
