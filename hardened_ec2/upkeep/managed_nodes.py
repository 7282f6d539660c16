"""ManagedNodes: which servers Systems Manager looks after."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from aws_cdk import aws_autoscaling as autoscaling
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from constructs import IConstruct

from hardened_ec2.host import HostHardening
from hardened_ec2.servers.auto_scaling_group import HardenedAutoScalingGroup
from hardened_ec2.servers.instance import HardenedInstance

INSTANCE_IDS_LIMIT = 50
"""How many instances an association or a maintenance window can name by id.

Source: Systems Manager API Reference, "Target".
"""


@dataclass(frozen=True, kw_only=True)
class ManagedNodes:
    """Servers that Systems Manager looks after: the targets of an association or of patching.

    Args:
        key: How they are found: ``InstanceIds`` or ``tag:`` and the name of a tag.
        values: The ids, or the values of the tag.
        constructs: The servers and fleets among the constructs of the app, which get the
            permissions and tags that it takes. Default: none; then give them yourself.

    Raises:
        ValueError: If the key is neither, or there is no value, or more than 50 ids.

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
                f"ManagedNodes has values={self.values!r} for {self.key}, which is no server or "
                "every server: name at least one value, and no empty one"
            )
        if self.key == "InstanceIds" and len(self.values) > INSTANCE_IDS_LIMIT:
            raise ValueError(
                f"ManagedNodes names {len(self.values)} instances, where Systems Manager takes "
                f"{INSTANCE_IDS_LIMIT}: tag them, and write ManagedNodes.tagged(...)"
            )

    @classmethod
    def tagged(cls, key: str, *values: str) -> Self:
        """Name servers by a tag.

        Args:
            key: The tag's name.
            values: Its values; a server with any of them is meant.

        Example::

            ManagedNodes.tagged("Environment", "production", "staging")
        """
        return cls(key=f"tag:{key}", values=values)

    @classmethod
    def instances(cls, *instances: ec2.IInstance) -> Self:
        """Name instances one by one.

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
        """Name the servers of an Auto Scaling group, those to come too.

        Args:
            group: The group, which tags each of its servers with its name.

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
        """The roles of the servers that are constructs of the app."""
        # CDK gives another object for the same role whenever it is asked.
        roles = (role for each in self.constructs for role in _roles(each))
        return tuple({role.node.path: role for role in roles}.values())

    @property
    def hardenings(self) -> tuple[HostHardening, ...]:
        """What hardens the servers that are hardened constructs of the app."""
        return tuple(dict.fromkeys(h for each in self.constructs for h in _hardenings(each)))


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
