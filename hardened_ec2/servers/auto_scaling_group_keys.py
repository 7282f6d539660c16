"""KMS key permissions of EC2 Auto Scaling, for encrypted volumes and notifications."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import Annotations, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from hardened_ec2.support.topic import encrypted_topic


def notifications_topic(scope: Construct) -> cdk.aws_sns.Topic:
    """Create an encrypted SNS topic to which EC2 Auto Scaling can publish.

    Args:
        scope: The parent construct.

    Returns:
        The topic.

    Source: AWS, "Amazon SNS notification options for Amazon EC2 Auto Scaling".

    Example::

        notifications_topic(Construct(self, "Notifications"))
    """
    return encrypted_topic(
        scope,
        key_description="Notifications of a fleet",
        publisher=_service_linked_role(scope),
    )


def let_auto_scaling_use(scope: Construct, *keys: cdk.aws_kms.IKey) -> None:
    """Let EC2 Auto Scaling launch servers whose volumes are encrypted with customer managed keys.

    Args:
        scope: The Auto Scaling group.
        keys: The KMS keys. For a key from outside the app, a warning says what its policy needs.

    Source: AWS, "Required AWS KMS key policy for use with encrypted volumes".

    Example::

        let_auto_scaling_use(self, key)
    """
    for key in dict.fromkeys(keys):
        _let_use(scope, key)


def _let_use(scope: Construct, key: cdk.aws_kms.IKey) -> None:
    role = _service_linked_role(scope)
    for actions, conditions in (
        (
            [
                "kms:Decrypt",
                "kms:DescribeKey",
                "kms:Encrypt",
                "kms:GenerateDataKey*",
                "kms:ReEncrypt*",
            ],
            None,
        ),
        (["kms:CreateGrant"], {"Bool": {"kms:GrantIsForAWSResource": "true"}}),
    ):
        added = key.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[role], actions=actions, resources=["*"], conditions=conditions
            )
        )
    if not added.statement_added:
        Annotations.of(scope).add_warning_v2(
            "hardened-ec2:key-policy",
            f"the KMS key {key.node.path} is not created in this app: its key policy must let the "
            "service-linked role AWSServiceRoleForAutoScaling use it, or no server can be launched "
            "(AWS, 'Required AWS KMS key policy for use with encrypted volumes')",
        )


def _service_linked_role(scope: Construct) -> iam.IPrincipal:
    """Return the service-linked role of EC2 Auto Scaling as a principal with a condition.

    KMS requires a principal that is named directly to exist, and an account creates this role with
    its first Auto Scaling group. The condition admits this role alone.
    """
    stack = Stack.of(scope)
    return iam.AnyPrincipal().with_conditions(
        {
            "ArnEquals": {
                "aws:PrincipalArn": f"arn:{stack.partition}:iam::{stack.account}:role/"
                "aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"
            }
        }
    )
