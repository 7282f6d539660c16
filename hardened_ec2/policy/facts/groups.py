"""Security groups by whatever names them: a reference, an ID, a name, a parameter."""

from functools import cached_property
from typing import Final, TypeAlias

from hardened_ec2.policy.resolve.deployment import Deployment
from hardened_ec2.policy.resolve.values import Content, Reference, describe

SECURITY_GROUP: Final = "AWS::EC2::SecurityGroup"

GroupKey: TypeAlias = tuple[str, str]
"""A security group: template and logical ID; for one outside the templates nothing and its ID."""


class Groups:
    """The names under which the templates know security groups.

    Args:
        deployment: The templates.

    Example:
        >>> Groups(deployment).key("sg-0123456789abcdef0")
        ('', 'sg-0123456789abcdef0')
    """

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment

    def key(self, content: Content) -> GroupKey:
        """Say which security group a value names.

        Args:
            content: What stands where a group belongs.

        Returns:
            Its key. The same unknown has the same key, so that a group that is a parameter is
            recognised wherever it is used.
        """
        match content:
            case Reference():
                resource = self._deployment.find(content)
                if resource is not None and resource.type == SECURITY_GROUP:
                    return resource.key
                return ("", str(content))
            case str():
                return self._by_name.get(content, ("", content))
            case _:
                return ("", describe(content))

    @staticmethod
    def is_default(group: GroupKey) -> bool:
        """Tell whether a group is the default group of a VPC."""
        template, name = group
        return not template and (name == "default" or name.endswith(".DefaultSecurityGroup"))

    @cached_property
    def _by_name(self) -> dict[str, GroupKey]:
        return {
            value.content: group.key
            for group in self._deployment.resources(SECURITY_GROUP)
            for value in group.properties.at("GroupName")
            if isinstance(value.content, str)
        }
