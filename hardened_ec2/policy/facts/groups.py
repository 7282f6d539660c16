"""Security groups, identified by a reference, an ID, a name or a parameter."""

from functools import cached_property
from typing import Final, TypeAlias

from hardened_ec2.policy.resolve.deployment import Deployment
from hardened_ec2.policy.resolve.values import ABSENT, Content, Reference, Value, describe

SECURITY_GROUP: Final = "AWS::EC2::SecurityGroup"

INGRESS_LIST: Final = "SecurityGroupIngress"
EGRESS_LIST: Final = "SecurityGroupEgress"
RULE_LISTS: Final = (INGRESS_LIST, EGRESS_LIST)
"""Properties of a security group that list its inline rules."""

INGRESS_RULE: Final = "AWS::EC2::SecurityGroupIngress"
EGRESS_RULE: Final = "AWS::EC2::SecurityGroupEgress"
STANDALONE_RULES: Final = (INGRESS_RULE, EGRESS_RULE)
"""Types of resources that add one rule to a security group."""

GROUPS_AND_RULES: Final = frozenset({SECURITY_GROUP, *STANDALONE_RULES})
"""Types of resources that name security groups without being a member of one."""

GroupKey: TypeAlias = tuple[str, str]
"""A security group: template and logical ID; outside the templates, empty text and its ID."""


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
        """Return the security group that a value names.

        Args:
            content: A value of a property that names a group.

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

    def standalone_rules(self, kind: str) -> dict[GroupKey, list[Value]]:
        """Return the standalone rules of one type, by the group that each is added to.

        Args:
            kind: `INGRESS_RULE` or `EGRESS_RULE`.

        Returns:
            The properties of each rule, deployed when its group is the one named.
        """
        rules: dict[GroupKey, list[Value]] = {}
        for resource in self._deployment.resources(kind):
            written = resource.properties
            for key in ("GroupId", "GroupName"):
                for group in written.at(key):
                    if group.content is not ABSENT:
                        rules.setdefault(self.key(group.content), []).append(
                            Value(written.content, group.when, written.place)
                        )
        return rules

    @staticmethod
    def is_default(group: GroupKey) -> bool:
        """Whether a group is the default group of a VPC."""
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
