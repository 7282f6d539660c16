"""Which security groups the templates use, and which are made for someone who is not in them."""

from collections.abc import Iterator
from typing import Any, Final

from hardened_ec2.policy.deployment import Deployment
from hardened_ec2.policy.groups import SECURITY_GROUP, GroupKey

_RULES: Final = frozenset(
    {SECURITY_GROUP, "AWS::EC2::SecurityGroupIngress", "AWS::EC2::SecurityGroupEgress"}
)


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
    template, logical_id = group
    for each in deployment.templates:
        if each.name != template:
            continue
        users: list[Any] = [raw for raw in each.resources.values() if raw["Type"] not in _RULES]
        if len(deployment.templates) > 1:
            users.append(each.section("Outputs"))
        return any(name == logical_id for user in users for name in _named(user))
    return False


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
