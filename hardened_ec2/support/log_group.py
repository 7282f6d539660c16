"""Encrypted log groups, and their KMS keys."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct


def encrypted_log_group(
    scope: Construct,
    id: str,  # noqa: A002 - CDK's own name for it
    *,
    key_id: str,
    key_description: str,
    encryption_key: cdk.aws_kms.IKey | None,
    retention: cdk.aws_logs.RetentionDays | None,
    log_group_name: str | None = None,
) -> cdk.aws_logs.LogGroup:
    """Create a log group that is encrypted with a KMS key and kept when its stack is deleted.

    Args:
        scope: The parent construct.
        id: The log group's id in it.
        key_id: The id of a new key in it.
        key_description: The description of a new key.
        encryption_key: The KMS key. Its policy must allow CloudWatch Logs to use it. None creates a
            `log_key`.
        retention: How long log events are kept. None means one year.
        log_group_name: The name, for a service that writes only to certain names. Default:
            CloudFormation generates one.

    Returns:
        The log group.

    Source: AWS, "Encrypt log data in CloudWatch Logs using AWS Key Management Service".

    Example::

        encrypted_log_group(
            self, "Log", key_id="Key", key_description="Logs", encryption_key=None, retention=None
        )
    """
    if encryption_key is None:
        encryption_key = log_key(scope, key_id, description=key_description)
    return cdk.aws_logs.LogGroup(
        scope,
        id,
        log_group_name=log_group_name,
        encryption_key=encryption_key,
        retention=retention or cdk.aws_logs.RetentionDays.ONE_YEAR,
        removal_policy=RemovalPolicy.RETAIN,
    )


def log_key(
    scope: Construct,
    id: str,  # noqa: A002 - CDK's own name for it
    *,
    description: str,
) -> cdk.aws_kms.Key:
    """Create a KMS key with rotation for CloudWatch Logs in the same account and Region.

    It is kept when its stack is deleted, like the logs that it encrypts.

    Args:
        scope: The parent construct.
        id: The key's id in it.
        description: The key's description.

    Returns:
        The key.

    Source: AWS, "Encrypt log data in CloudWatch Logs using AWS Key Management Service".

    Example::

        log_key(self, "Key", description="Sessions")
    """
    stack = Stack.of(scope)
    key = cdk.aws_kms.Key(
        scope,
        id,
        description=description,
        enable_key_rotation=True,
        removal_policy=RemovalPolicy.RETAIN,
    )
    name = f"arn:{stack.partition}:logs:{stack.region}:{stack.account}:log-group:*"
    key.add_to_resource_policy(
        iam.PolicyStatement(
            principals=[iam.ServicePrincipal(f"logs.{stack.region}.amazonaws.com")],
            actions=[
                "kms:Decrypt*",
                "kms:Describe*",
                "kms:Encrypt*",
                "kms:GenerateDataKey*",
                "kms:ReEncrypt*",
            ],
            resources=["*"],
            conditions={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": name}},
        )
    )
    return key
