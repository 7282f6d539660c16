"""Findings of stock policy packs that our constructs acknowledge for themselves, with reasons."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class OwnAcknowledgement:
    """A finding of a stock pack that one of our constructs acknowledges for itself.

    Args:
        rule: The qualified id, ``<pack>::<rule>``: CDK records acknowledgements only in this form
            in the validation report.
        where: The path of the construct that acknowledges it.
        reason: Why the finding is acceptable.
    """

    rule: str
    where: str
    reason: str


_EVERY_RESOURCE = "AwsSolutions::AwsSolutions-IAM5[Resource::*]"
_EVERY_INSTANCE = (
    "AwsSolutions::AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:ec2:<AWS::Region>:"
    "<AWS::AccountId>:instance/*]"
)

SESSION_MANAGER_ON_EVERY_RESOURCE = (
    OwnAcknowledgement(
        rule=_EVERY_RESOURCE,
        where="InstanceRole/Permissions",
        reason=(
            "The ssmmessages actions and logs:DescribeLogGroups have no resource type. "
            "ssm:UpdateInstanceInformation has one, but the role exists before its instances "
            "have ids. The actions are listed one by one."
        ),
    ),
)

SESSIONS_IN_BUCKET = OwnAcknowledgement(
    rule="AwsSolutions::AwsSolutions-IAM5[Resource::<ARN of the sessions in the bucket>]",
    where="InstanceRole/Permissions",
    reason=(
        "Each session is a new object, whose key is not known in advance. The role can write such "
        "objects below the prefix, and cannot read or delete any."
    ),
)

ACCOUNT_SETTINGS_FUNCTION = (
    OwnAcknowledgement(
        rule="NIST.800.53.R5::NIST.800.53.R5-LambdaConcurrency",
        where="AccountGuardrails/Settings/Function",
        reason=(
            "CloudFormation invokes it a few times in a deployment. Reserved concurrency would "
            "fail in accounts with the smallest quota."
        ),
    ),
    OwnAcknowledgement(
        rule="NIST.800.53.R5::NIST.800.53.R5-LambdaDLQ",
        where="AccountGuardrails/Settings/Function",
        reason=(
            "CloudFormation waits for its response, and fails the deployment without one: a lost "
            "event is noticed."
        ),
    ),
    OwnAcknowledgement(
        rule="NIST.800.53.R5::NIST.800.53.R5-LambdaInsideVPC",
        where="AccountGuardrails/Settings/Function",
        reason=(
            "It calls the APIs of EC2 and CloudFormation, and needs no resource in a VPC. The VPC "
            "that it can delete is the default one."
        ),
    ),
)

DEFAULT_HOST_MANAGEMENT = (
    OwnAcknowledgement(
        rule=(
            "AwsSolutions::AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/"
            "AmazonSSMManagedEC2InstanceDefaultPolicy]"
        ),
        where="AccountGuardrails/DefaultHostManagementRole",
        reason=(
            "AWS maintains this policy for exactly this purpose, in step with SSM Agent. "
            "default_host_management_role accepts another role."
        ),
    ),
)


def account_settings_permissions(kinds: Iterable[str]) -> tuple[OwnAcknowledgement, ...]:
    """Return the acknowledgements for the permissions of the account settings' function.

    Args:
        kinds: The kinds of resources that it changes, such as ``security-group``.

    Returns:
        One acknowledgement for the actions without a resource type, and one for each kind.
    """
    where = "AccountGuardrails/Settings/Permissions"
    return (
        OwnAcknowledgement(
            rule=_EVERY_RESOURCE,
            where=where,
            reason=(
                "The actions on account-level settings have no resource type. They are listed one "
                "by one, and only those of the settings in use."
            ),
        ),
        *(
            OwnAcknowledgement(
                rule=(
                    "AwsSolutions::AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:ec2:"
                    f"<AWS::Region>:<AWS::AccountId>:{kind}/*]"
                ),
                where=where,
                reason=(
                    "The ids of the default VPC's resources are known only in the account: the "
                    "function looks them up, and changes no others."
                ),
            )
            for kind in sorted(kinds)
        ),
    )


MIXED_INSTANCES = tuple(
    OwnAcknowledgement(
        rule=rule,
        where="HardenedAutoScalingGroup/ASG",
        reason=(
            "The rule reads a group's launch template, but not those of its mixed instances "
            f"policy. Each of these is a HardenedLaunchTemplate, {guarantee}."
        ),
    )
    for rule, guarantee in (
        ("AwsSolutions::AwsSolutions-EC26", "which encrypts every volume"),
        ("NIST.800.53.R5::NIST.800.53.R5-EC2IMDSv2Enabled", "which requires IMDSv2"),
    )
)

ANY_GROUP_OF_THIS_NAME = OwnAcknowledgement(
    rule="AwsSolutions::AwsSolutions-IAM5[Resource::<ARN of the group>]",
    where="HardenedAutoScalingGroup/CompleteLifecycleAction",
    reason=(
        "An Auto Scaling group's ARN contains an id that EC2 Auto Scaling assigns. The group's "
        "full name follows it, which is unique in its account and Region."
    ),
)

IMAGE_BUILD_ON_EVERY_RESOURCE = (
    OwnAcknowledgement(
        rule=_EVERY_RESOURCE,
        where="HardenedImage/Permissions",
        reason=(
            "The ssmmessages actions, with which Image Builder controls its servers, have no "
            "resource type. ssm:UpdateInstanceInformation has one, but the role exists before its "
            "instances have ids. The actions are listed one by one."
        ),
    ),
    OwnAcknowledgement(
        rule=(
            "AwsSolutions::AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:s3:::ec2imagebuilder-"
            "managed-resources-<AWS::Region>-prod/*]"
        ),
        where="HardenedImage/Permissions",
        reason=(
            "AWS's own bucket, from which servers download the program that runs components. The "
            "keys contain a version that AWS chooses."
        ),
    ),
)

STATE_MANAGER_ON_EVERY_NODE = (
    OwnAcknowledgement(
        rule=_EVERY_RESOURCE,
        where="HardeningAssociation/Permissions",
        reason="ssm:ListAssociations has no resource type.",
    ),
    OwnAcknowledgement(
        rule=(
            "AwsSolutions::AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:ssm:<AWS::Region>:"
            "<AWS::AccountId>:association/*]"
        ),
        where="HardeningAssociation/Permissions",
        reason=(
            "A server requests all of its associations at once, including those of other owners. "
            "It can read them and report their status."
        ),
    ),
    OwnAcknowledgement(
        rule=_EVERY_INSTANCE,
        where="HardeningAssociation/Permissions",
        reason=(
            "The role exists before its servers have ids. It allows them to report the status of "
            "an association."
        ),
    ),
)

PATCHING = (
    OwnAcknowledgement(
        rule=_EVERY_RESOURCE,
        where="PatchSchedule/Permissions",
        reason=(
            "ssm:GetDeployablePatchSnapshotForInstance, ssm:PutInventory and "
            "logs:DescribeLogGroups have no resource type. ssm:PutComplianceItems has one, but the "
            "role exists before its servers have ids. The actions are listed one by one."
        ),
    ),
)

PATCHING_TASK = (
    OwnAcknowledgement(
        rule=_EVERY_RESOURCE,
        where="PatchSchedule/TaskPermissions",
        reason=(
            "The actions with which the task reads tags and the status of its own commands have "
            "no resource type. They are listed one by one."
        ),
    ),
    OwnAcknowledgement(
        rule=_EVERY_INSTANCE,
        where="PatchSchedule/TaskPermissions",
        reason=(
            "The servers' ids are not known. The statement's condition limits it to servers with "
            "the patch group's tag."
        ),
    ),
)
