"""Which security groups the templates use, and which are made for someone who is not in them."""

from collections.abc import Iterator
from typing import Any, Final

from hardened_ec2.policy.deployment import Deployment
from hardened_ec2.policy.groups import SECURITY_GROUP, GroupKey
from hardened_ec2.policy.load_balancers import LOAD_BALANCERS

_RULES: Final = frozenset(
    {SECURITY_GROUP, "AWS::EC2::SecurityGroupIngress", "AWS::EC2::SecurityGroupEgress"}
)
_OUTPUT: Final = "Outputs"
_LOAD_BALANCERS: Final = frozenset(LOAD_BALANCERS)


def is_used(group: GroupKey, deployment: Deployment) -> bool:
    """Tell whether anything but a rule of a security group names a group.

    Args:
        group: The group.
        deployment: The templates. Where there are several, an output of the group's template may
            hand it to another one, and counts as a use.

    Returns:
        Whether it is named; no for a group outside the templates.

    Source: AWS CloudFormation Template Reference, ``Ref``, ``Fn::GetAtt``, ``Fn::Sub``.

    Example:
        >>> is_used(("app.template.json", "LoadBalancerGroup"), deployment)
        True
    """
    handed_on = _OUTPUT in (users := _users(group, deployment)) and len(deployment.templates) > 1
    return handed_on or bool(users - {_OUTPUT})


def is_of_load_balancers(group: GroupKey, deployment: Deployment) -> bool:
    """Tell whether a group belongs to load balancers, and to nothing else that could have it.

    What such a group lets in meets listeners, and no service of a server.

    Args:
        group: The group.
        deployment: The templates. An output that hands the group on makes the answer no.

    Returns:
        Whether it is used, and by load balancers alone.

    Example:
        >>> is_of_load_balancers(("app.template.json", "LoadBalancerGroup"), deployment)
        True
    """
    users = _users(group, deployment)
    return bool(users) and users <= _LOAD_BALANCERS


def _users(group: GroupKey, deployment: Deployment) -> set[str]:
    """Return the types of what names a group, rules of groups left out."""
    template, logical_id = group
    found: set[str] = set()
    for each in deployment.templates:
        if each.name == template:
            users: list[tuple[str, Any]] = [(raw["Type"], raw) for raw in each.resources.values()]
            users.append((_OUTPUT, each.section("Outputs")))
            found.update(
                kind for kind, user in users if kind not in _RULES and logical_id in _named(user)
            )
    return found


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
