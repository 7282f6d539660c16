"""Encrypted SNS topics, for what a service has to tell."""

from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from constructs import Construct


def encrypted_topic(
    scope: Construct, *, key_description: str, publisher: iam.IPrincipal
) -> sns.Topic:
    """Make a topic that takes nothing but TLS, encrypted with a key that its publisher may use.

    Args:
        scope: The construct to make both in.
        key_description: What the key says it is for.
        publisher: Who may use the key to publish. A principal with conditions stays within them.

    Returns:
        The topic. The key costs $1 a month.

    Source: AWS, "Enable compatibility between event sources from AWS services and encrypted
        topics".

    Example::

        encrypted_topic(
            Construct(self, "Alarms"),
            key_description="Alarms",
            publisher=iam.ServicePrincipal("cloudwatch.amazonaws.com"),
        )
    """
    key = kms.Key(scope, "Key", description=key_description, enable_key_rotation=True)
    key.add_to_resource_policy(
        iam.PolicyStatement(
            principals=[publisher],
            actions=["kms:Decrypt", "kms:GenerateDataKey*"],
            resources=["*"],
        )
    )
    return sns.Topic(scope, "Topic", master_key=key, enforce_ssl=True)
