"""What our own constructs acknowledge towards policy packs: few findings, each with its reason."""

from dataclasses import dataclass

from aws_cdk import Acknowledgment, Validations
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
            "no resource but *; the actions are named one by one."
        ),
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


def acknowledge(construct: IConstruct, *acknowledgements: OwnAcknowledgement) -> None:
    """Acknowledge findings on one construct."""
    Validations.of(construct).acknowledge(
        *(Acknowledgment(id=each.rule, reason=each.reason) for each in acknowledgements)
    )
