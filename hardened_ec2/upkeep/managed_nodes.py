"""ManagedNodes: the servers that an association or a maintenance window targets."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from aws_cdk import Stack
from aws_cdk import aws_autoscaling as autoscaling
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from constructs import IConstruct

from hardened_ec2.host import HostHardening
from hardened_ec2.servers.auto_scaling_group import HardenedAutoScalingGroup
from hardened_ec2.servers.instance import HardenedInstance

INSTANCE_IDS_LIMIT = 50
"""How many instance ids a target of an association or a maintenance window can have.

Source: Systems Manager API Reference, "Target".
"""


@dataclass(frozen=True, kw_only=True)
class ManagedNodes:
    """The servers that a State Manager association or a patch schedule targets.

    Args:
        key: ``InstanceIds``, or ``tag:`` and a tag's key.
        values: The instance ids, or the tag's values.
        constructs: The instances and groups of the app that receive the necessary permissions and
            tags. Default: none; you add them yourself.

    Raises:
        ValueError: If the key has another form, there is no value, or there are more than 50 ids.

    Source: Systems Manager User Guide, "Understanding targets and rate controls in State Manager
        associations"; EC2 Auto Scaling User Guide, "Tag Auto Scaling groups and instances".

    Example::

        ManagedNodes.instances(server)
        ManagedNodes.auto_scaling_group(fleet)
        ManagedNodes.tagged("Environment", "production")
    """

    key: str
    values: tuple[str, ...]
    constructs: tuple[IConstruct, ...] = ()

    def __post_init__(self) -> None:
        if self.key != "InstanceIds" and not self.key.startswith("tag:"):
            raise ValueError(
                f"ManagedNodes has key={self.key!r}: write ManagedNodes.tagged('Environment', "
                "'production'), ManagedNodes.instances(server) or "
                "ManagedNodes.auto_scaling_group(fleet)"
            )
        if not self.values or not all(self.values):
            raise ValueError(
                f"ManagedNodes has values={self.values!r} for {self.key}, which selects no server "
                "or every server: write at least one value, and no empty one"
            )
        if self.key == "InstanceIds" and len(self.values) > INSTANCE_IDS_LIMIT:
            raise ValueError(
                f"ManagedNodes has {len(self.values)} instance ids: Systems Manager allows "
                f"{INSTANCE_IDS_LIMIT}; tag the instances and write ManagedNodes.tagged(...)"
            )

    @classmethod
    def tagged(cls, key: str, *values: str) -> Self:
        """Select servers by a tag.

        Args:
            key: The tag's key.
            values: The tag's values, of which a server needs one.

        Example::

            ManagedNodes.tagged("Environment", "production", "staging")
        """
        return cls(key=f"tag:{key}", values=values)

    @classmethod
    def instances(cls, *instances: ec2.IInstance) -> Self:
        """Select instances by id.

        Args:
            instances: The instances, at most 50.

        Example::

            ManagedNodes.instances(server)
        """
        return cls(
            key="InstanceIds",
            values=tuple(each.instance_id for each in instances),
            constructs=instances,
        )

    @classmethod
    def auto_scaling_group(cls, group: autoscaling.IAutoScalingGroup) -> Self:
        """Select the servers of an Auto Scaling group, including future ones.

        Args:
            group: The group. EC2 Auto Scaling tags its servers with its name.

        Example::

            ManagedNodes.auto_scaling_group(fleet)
        """
        return cls(
            key="tag:aws:autoscaling:groupName",
            values=(group.auto_scaling_group_name,),
            constructs=(group,),
        )

    @property
    def roles(self) -> tuple[iam.IRole, ...]:
        """The roles of the servers in ``constructs``."""
        # CDK returns a new object for the same role on each call.
        roles = (role for each in self.constructs for role in _roles(each))
        return tuple({role.node.path: role for role in roles}.values())

    @property
    def hardenings(self) -> tuple[HostHardening, ...]:
        """The different hardenings of the hardened servers in ``constructs``."""
        return tuple(dict.fromkeys(h for each in self.constructs for h in _hardenings(each)))


def check_nodes(nodes: object) -> None:
    """Refuse a value that is not a `ManagedNodes`.

    Args:
        nodes: The argument ``nodes`` of a construct.

    Raises:
        ValueError: If it is anything else.
    """
    if not isinstance(nodes, ManagedNodes):
        raise ValueError(
            f"nodes is {nodes!r}: write ManagedNodes.instances(server), "
            "ManagedNodes.auto_scaling_group(fleet) or ManagedNodes.tagged('PatchGroup', 'web')"
        )


def every_instance_arn(stack: Stack) -> str:
    """Return the ARN pattern of all instances in a stack's account and Region.

    Args:
        stack: The stack.
    """
    return stack.format_arn(service="ec2", resource="instance", resource_name="*")


def _roles(construct: IConstruct) -> Iterable[iam.IRole]:
    if isinstance(construct, HardenedAutoScalingGroup):
        return [template.server_role for template in construct.launch_templates]
    if isinstance(construct, (ec2.Instance, autoscaling.AutoScalingGroup)):
        return [construct.role]
    return []


def _hardenings(construct: IConstruct) -> Iterable[HostHardening]:
    if isinstance(construct, HardenedAutoScalingGroup):
        found = [template.host_hardening for template in construct.launch_templates]
    elif isinstance(construct, HardenedInstance):
        found = [construct.host_hardening]
    else:
        found = []
    return [each for each in found if each is not None]
