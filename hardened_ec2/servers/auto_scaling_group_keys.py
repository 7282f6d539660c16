"""What EC2 Auto Scaling needs of KMS keys, to launch a fleet's servers and to tell of them."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import Annotations, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from hardened_ec2.support.topic import encrypted_topic


def notifications_topic(scope: Construct) -> cdk.aws_sns.Topic:
    """Make an encrypted topic that EC2 Auto Scaling may publish to.

    Args:
        scope: The construct to make it in.

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
    """Let EC2 Auto Scaling launch servers whose volumes customer managed keys encrypt.

    Args:
        scope: The group.
        keys: The keys. For one that is not made in the app a warning says what its policy needs.

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
            f"the KMS key {key.node.path} is not made here: its key policy has to let the "
            "service-linked role AWSServiceRoleForAutoScaling use it, or no server can be launched "
            "(AWS, 'Required AWS KMS key policy for use with encrypted volumes')",
        )


def _service_linked_role(scope: Construct) -> iam.IPrincipal:
    """Name the role of EC2 Auto Scaling by a condition.

    As a principal it would have to exist when the key is made, and in an account that never had an
    Auto Scaling group it does not. The condition leaves no one else.
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
