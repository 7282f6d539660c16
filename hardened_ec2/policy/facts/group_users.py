"""The users of security groups: whether there are any, and whether all are load balancers."""

from collections.abc import Iterator
from typing import Any, Final

from hardened_ec2.policy.facts.groups import GROUPS_AND_RULES, SECURITY_GROUP, GroupKey
from hardened_ec2.policy.facts.load_balancers import LOAD_BALANCERS
from hardened_ec2.policy.read.template import Template
from hardened_ec2.policy.resolve.deployment import Deployment

_OUTPUT: Final = "Outputs"
_LOAD_BALANCERS: Final = frozenset(LOAD_BALANCERS)


def is_used(group: GroupKey, deployment: Deployment) -> bool:
    """Whether anything but a rule of a security group names a group.

    Args:
        group: The group.
        deployment: The templates. Where there are several, an output of the group's template may
            hand it to another one, and counts as a use.

    Returns:
        Whether it is named; no for a group outside the templates.

    Source: AWS CloudFormation Template Reference, ``Ref``, ``Fn::GetAtt``, ``Fn::Sub``.

    Example:
        >>> is_used(("cdk.out/Web.template.json", "BalancerGroup"), deployment)
        True
    """
    template, logical_id = group
    several = len(deployment.templates) > 1
    return any(
        name == logical_id
        for each in deployment.templates
        if each.name == template
        for kind, user in _users(each)
        if several or kind != _OUTPUT
        for name in _named(user)
    )


def groups_of_load_balancers(deployment: Deployment) -> frozenset[GroupKey]:
    """Return the groups that only load balancers use.

    What such a group admits reaches listeners, never a service of a server.

    Args:
        deployment: The templates. A group that an output exports is left out.

    Returns:
        The groups that are used, and by load balancers alone.

    Example:
        >>> groups_of_load_balancers(deployment)
        frozenset({('cdk.out/Web.template.json', 'BalancerGroup')})
    """
    if not any(True for _ in deployment.resources(*LOAD_BALANCERS)):
        return frozenset()
    found: set[GroupKey] = set()
    for each in deployment.templates:
        users: dict[str, set[str]] = {}
        for kind, user in _users(each):
            for name in _named(user):
                users.setdefault(name, set()).add(kind)
        found.update(
            (each.name, name)
            for name, kinds in users.items()
            if kinds <= _LOAD_BALANCERS
            and each.resources.get(name, {}).get("Type") == SECURITY_GROUP
        )
    return frozenset(found)


def _users(template: Template) -> Iterator[tuple[str, Any]]:
    """Yield what may name a group, rules of groups left out, with its type."""
    for raw in template.resources.values():
        if raw["Type"] not in GROUPS_AND_RULES:
            yield raw["Type"], raw
    yield _OUTPUT, template.section("Outputs")


def _named(raw: Any) -> Iterator[str]:  # noqa: ANN401 - whatever a template holds
    """Yield the logical IDs that a part of a template names."""
    pending = [raw]
    while pending:
        part = pending.pop()
        if isinstance(part, list):
            pending.extend(part)
        elif isinstance(part, dict):
            for key, value in part.items():
                if key == "Ref" and isinstance(value, str):
                    yield value
                elif key == "Fn::GetAtt" and isinstance(value, str):
                    yield value.partition(".")[0]
                elif key == "Fn::GetAtt" and isinstance(value, list) and value:
                    yield str(value[0])
                elif key == "Fn::Sub":
                    text = value[0] if isinstance(value, list) and value else value
                    for piece in str(text).split("${")[1:]:
                        yield piece.partition("}")[0].partition(".")[0]
                    pending.append(value)
                else:
                    pending.append(value)
