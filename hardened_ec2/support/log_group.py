"""Encrypted log groups, whose key only CloudWatch Logs of the same account and region can use."""

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct


def encrypted_log_group(
    scope: Construct,
    id: str,  # noqa: A002 - CDK's own name for it
    *,
    key_id: str,
    key_description: str,
    encryption_key: kms.IKey | None,
    retention: logs.RetentionDays | None,
    log_group_name: str | None = None,
) -> logs.LogGroup:
    """Make a log group that is encrypted with a KMS key, and that outlives its stack.

    Args:
        scope: The construct to make it in.
        id: The log group's id there.
        key_id: The id of the key there, if one is made.
        key_description: What that key says it is for.
        encryption_key: The key. It must let CloudWatch Logs use it. Default: one is made,
            rotated, and kept with what it encrypted.
        retention: How long log events are kept. Default: one year.
        log_group_name: Its name, where a service writes to certain names only. Default:
            CloudFormation makes one up.

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
    return logs.LogGroup(
        scope,
        id,
        log_group_name=log_group_name,
        encryption_key=encryption_key,
        retention=retention or logs.RetentionDays.ONE_YEAR,
        removal_policy=RemovalPolicy.RETAIN,
    )


def log_key(
    scope: Construct,
    id: str,  # noqa: A002 - CDK's own name for it
    *,
    description: str,
) -> kms.Key:
    """Make a rotated KMS key that CloudWatch Logs of the same account and Region may use.

    It outlives its stack, as what it encrypted does.

    Args:
        scope: The construct to make it in.
        id: The key's id there.
        description: What it says it is for.

    Returns:
        The key.

    Source: AWS, "Encrypt log data in CloudWatch Logs using AWS Key Management Service".

    Example::

        log_key(self, "Key", description="Sessions")
    """
    stack = Stack.of(scope)
    key = kms.Key(
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
