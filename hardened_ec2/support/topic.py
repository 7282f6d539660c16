"""Encrypted SNS topics for messages of AWS services."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from constructs import Construct


def encrypted_topic(
    scope: Construct, *, key_description: str, publisher: iam.IPrincipal
) -> cdk.aws_sns.Topic:
    """Create an SNS topic that requires TLS, and the KMS key that encrypts it.

    Args:
        scope: The parent construct of both.
        key_description: The key's description.
        publisher: The principal that can use the key to publish, within its conditions.

    Returns:
        The topic. Its key costs $1 a month.

    Source: AWS, "Enable compatibility between event sources from AWS services and encrypted
        topics".

    Example::

        encrypted_topic(
            Construct(self, "Alarms"),
            key_description="Alarms",
            publisher=iam.ServicePrincipal("cloudwatch.amazonaws.com"),
        )
    """
    key = cdk.aws_kms.Key(scope, "Key", description=key_description, enable_key_rotation=True)
    key.add_to_resource_policy(
        iam.PolicyStatement(
            principals=[publisher],
            actions=["kms:Decrypt", "kms:GenerateDataKey*"],
            resources=["*"],
        )
    )
    return cdk.aws_sns.Topic(scope, "Topic", master_key=key, enforce_ssl=True)
