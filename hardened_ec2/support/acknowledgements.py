"""What our own constructs acknowledge towards policy packs: few findings, each with its reason."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aws_cdk import Acknowledgment, Stack, Validations
from constructs import IConstruct


@dataclass(frozen=True, kw_only=True)
class OwnAcknowledgement:
    """A finding of a stock pack that one of our constructs accepts for itself.

    Args:
        rule: The qualified id, ``<pack>::<rule>``, which is the form that leaves a trace in the
            validation report.
        where: The construct it is acknowledged on, and on nothing else.
        reason: Why the finding is right to be there.
    """

    rule: str
    where: str
    reason: str


SESSION_MANAGER_ON_EVERY_RESOURCE = (
    OwnAcknowledgement(
        rule="AwsSolutions::AwsSolutions-IAM5[Resource::*]",
        where="InstanceRole/Permissions",
        reason=(
            "The ssmmessages actions of Session Manager have no resource type, so AWS accepts "
            "no resource but *, nor does the agent ask for one when it lists log groups; the "
            "actions are named one by one."
        ),
    ),
)

SESSIONS_IN_BUCKET = OwnAcknowledgement(
    rule="AwsSolutions::AwsSolutions-IAM5[Resource::<ARN of the sessions in the bucket>]",
    where="InstanceRole/Permissions",
    reason=(
        "Each session is an object of its own, whose name nobody knows before; the role may write "
        "such objects below the prefix, and read or delete none."
    ),
)

ACCOUNT_SETTINGS_FUNCTION = (
    OwnAcknowledgement(
        rule="NIST.800.53.R5::NIST.800.53.R5-LambdaConcurrency",
        where="AccountGuardrails/Settings/Function",
        reason=(
            "CloudFormation calls it a few times a deployment; reserved concurrency would fail "
            "in accounts with the smallest quota."
        ),
    ),
    OwnAcknowledgement(
        rule="NIST.800.53.R5::NIST.800.53.R5-LambdaDLQ",
        where="AccountGuardrails/Settings/Function",
        reason=(
            "CloudFormation waits for its answer, and fails the deployment when there is none: "
            "no event is lost unseen."
        ),
    ),
    OwnAcknowledgement(
        rule="NIST.800.53.R5::NIST.800.53.R5-LambdaInsideVPC",
        where="AccountGuardrails/Settings/Function",
        reason=(
            "It calls EC2's API and CloudFormation, and reaches nothing in a VPC; the VPC that it "
            "may delete is the default one."
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
            "The policy that AWS wrote for this one purpose and keeps in step with the agent; "
            "default_host_management_role takes another."
        ),
    ),
)


def account_settings_permissions(kinds: Iterable[str]) -> tuple[OwnAcknowledgement, ...]:
    """Return what the function of the account settings acknowledges for its permissions.

    Args:
        kinds: The kinds of resources that it changes, such as ``security-group``.

    Returns:
        One acknowledgement for what takes no resource, and one for each kind.
    """
    where = "AccountGuardrails/Settings/Permissions"
    return (
        OwnAcknowledgement(
            rule="AwsSolutions::AwsSolutions-IAM5[Resource::*]",
            where=where,
            reason=(
                "Settings of the account have no resource type, so AWS accepts no resource but *; "
                "the actions are named one by one, and only those of the settings in use."
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
                    "What belongs to the default VPC is only known to the account: the function "
                    "looks it up, and touches nothing else."
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
            "The rule reads the launch template of a group, not those of its mixed instances "
            f"policy; each of these is a HardenedLaunchTemplate, {guarantee}."
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
        "The ARN of an Auto Scaling group has an id in it that EC2 makes up; the group's name, "
        "which is unique in its account and region, follows it in full."
    ),
)


IMAGE_BUILD_ON_EVERY_RESOURCE = (
    OwnAcknowledgement(
        rule="AwsSolutions::AwsSolutions-IAM5[Resource::*]",
        where="HardenedImage/Permissions",
        reason=(
            "The ssmmessages actions, by which Image Builder reaches its servers, have no resource "
            "type, so AWS accepts no resource but *; the actions are named one by one."
        ),
    ),
    OwnAcknowledgement(
        rule=(
            "AwsSolutions::AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:s3:::ec2imagebuilder-"
            "managed-resources-<AWS::Region>-prod/*]"
        ),
        where="HardenedImage/Permissions",
        reason=(
            "AWS's own bucket, from which Image Builder has servers fetch what runs components; "
            "the keys have a version in them that AWS chooses."
        ),
    ),
)

_EVERY_INSTANCE = (
    "AwsSolutions::AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:ec2:<AWS::Region>:"
    "<AWS::AccountId>:instance/*]"
)

STATE_MANAGER_ON_EVERY_NODE = (
    OwnAcknowledgement(
        rule="AwsSolutions::AwsSolutions-IAM5[Resource::*]",
        where="HardeningAssociation/Permissions",
        reason="ssm:ListAssociations has no resource type, so AWS accepts no resource but *.",
    ),
    OwnAcknowledgement(
        rule=(
            "AwsSolutions::AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:ssm:<AWS::Region>:"
            "<AWS::AccountId>:association/*]"
        ),
        where="HardeningAssociation/Permissions",
        reason=(
            "A server asks for all of its associations in one, those that others made for it too; "
            "it may read them, and report how they went."
        ),
    ),
    OwnAcknowledgement(
        rule=_EVERY_INSTANCE,
        where="HardeningAssociation/Permissions",
        reason=(
            "The role is made before its servers have ids; what it may do to one is to report how "
            "an association went."
        ),
    ),
)

PATCHING = (
    OwnAcknowledgement(
        rule="AwsSolutions::AwsSolutions-IAM5[Resource::*]",
        where="PatchSchedule/Permissions",
        reason=(
            "What Patch Manager asks of a server, and looking for a log group, has no resource "
            "type, so AWS accepts no resource but *; the actions are named one by one."
        ),
    ),
)

PATCHING_TASK = (
    OwnAcknowledgement(
        rule="AwsSolutions::AwsSolutions-IAM5[Resource::*]",
        where="PatchSchedule/TaskPermissions",
        reason=(
            "What the task reads of its own commands, and of tags, has no resource type, so AWS "
            "accepts no resource but *; the actions are named one by one."
        ),
    ),
    OwnAcknowledgement(
        rule=_EVERY_INSTANCE,
        where="PatchSchedule/TaskPermissions",
        reason=(
            "The servers are those that have the tag of the patch group, which the statement's "
            "condition says; their ids are not known."
        ),
    ),
)


def acknowledge(construct: IConstruct, *acknowledgements: OwnAcknowledgement) -> None:
    """Acknowledge findings on one construct."""
    Validations.of(construct).acknowledge(
        *(Acknowledgment(id=each.rule, reason=each.reason) for each in acknowledgements)
    )


def as_nag_writes(stack: Stack, arn: str) -> str:
    """Return a text with tokens as cdk-nag writes it into the id of a finding.

    Args:
        stack: The stack that the text stands in.
        arn: The text.

    Returns:
        The text with the name of each token in angle brackets.

    Example:
        >>> as_nag_writes(stack, f"{bucket.bucket_arn}/*")
        '<Bucket83908E77.Arn>/*'
    """
    resolved = stack.resolve(arn)
    if isinstance(resolved, str):
        return resolved
    parts = resolved["Fn::Join"][1]
    return "".join(part if isinstance(part, str) else f"<{_named(part)}>" for part in parts)


def _named(token: Mapping[str, Any]) -> str:
    if "Fn::GetAtt" in token:
        return ".".join(token["Fn::GetAtt"])
    return str(token["Ref"])
