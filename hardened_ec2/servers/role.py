"""InstanceRole: what a server may ask of AWS, which is next to nothing."""

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
"""All that Session Manager needs of an instance.

The managed policy AmazonSSMManagedInstanceCore also reads every parameter of the account.
Source: AWS, "Add Session Manager permissions to an existing IAM role".
"""


@dataclass(frozen=True, kw_only=True)
class SessionLogs:
    """Where Session Manager records what is typed and shown in a session.

    The role gets the permission to write there. Turning recording on is a setting of the
    account and region, not of a server: `SessionRecording` does it, and makes one of these. This
    value is for where it was done by hand.

    Args:
        bucket: An S3 bucket for whole sessions. Default: none.
        key_prefix: Where in the bucket. Default: anywhere in it.
        log_group: A CloudWatch log group for streamed sessions. Default: none.
        encryption_key: The KMS key that encrypts sessions or their logs. Default: none.

    Raises:
        ValueError: If there is neither a bucket nor a log group, or a prefix without a bucket.

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
                "SessionLogs has no destination: pass bucket=... or log_group=..., or leave "
                "session_logs out"
            )
        if self.key_prefix and self.bucket is None:
            raise ValueError(
                f"SessionLogs has key_prefix={self.key_prefix!r} without a bucket: pass bucket=..."
            )

    @property
    def objects_arn(self) -> str:
        """The ARN of the sessions in the bucket; empty without one."""
        prefix = self.key_prefix.strip("/")
        return self.bucket.arn_for_objects(f"{prefix}/*" if prefix else "*") if self.bucket else ""

    def statements(self) -> list[iam.PolicyStatement]:
        """Return the permissions to write to the destinations, and no others."""
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
                # The agent lists groups to find out whether this one is encrypted.
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
    """The role of a server: Session Manager, and what you grant it. Nothing else.

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
        """Create the role and the policy of its permissions.

        Args:
            scope: The construct to make the role in.
            id: The role's id there.
            session_manager: Whether the server can be reached with Session Manager. Default: True,
                since it is the way in when SSH is closed.
            session_logs: Where sessions are recorded. Default: nowhere.
            credential_perimeter: Whether the role's credentials are refused everywhere but on the
                instance they were issued to, so that stealing them is of no use. Default: False,
                because every AWS service the server calls must then be reached through a VPC
                endpoint: a call over the internet, a NAT gateway or another VPC carries no
                ``aws:SourceVpc`` and is refused. Calls that a service makes on the role's behalf
                are left alone.
            description: What the role is for. Default: "Hardened EC2 instance".

        Raises:
            ValueError: If ``session_logs`` are given without Session Manager.
        """
        if session_logs is not None and not session_manager:
            raise ValueError(
                "session_logs are given with session_manager=False, but without Session Manager "
                "there are no sessions: leave one of the two out"
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
        # A managed policy, not an inline one: NIST 800-53 packs refuse inline policies.
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
    # The same for every role: one message to node in all, not one a role.
    return iam.ServicePrincipal("ec2.amazonaws.com")


def _perimeter_statements() -> list[iam.PolicyStatement]:
    """Deny everything to the role's credentials when they are used off their own instance."""
    # Two statements: the keys of one condition operator must all mismatch before it denies.
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
