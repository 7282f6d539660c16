"""Properties that a mixin cannot read, because their values are known only at deployment."""

from collections.abc import Sequence
from typing import Any, TypeGuard

from aws_cdk import Annotations, CfnResource

NOT_READABLE = "hardened-ec2:not-readable"
"""The id of the warning about a property that could not be changed, because it is a token."""


def is_list(value: object) -> TypeGuard[Sequence[Any]]:
    """Whether a value is a list, and not a token that stands for one.

    Args:
        value: A property of an L1 construct.
    """
    return isinstance(value, Sequence) and not isinstance(value, str)


def warn_not_readable(construct: CfnResource, what: str) -> None:
    """Warn that a property stays as it is, because its value is known only at deployment.

    Args:
        construct: The L1 construct.
        what: The property.
    """
    Annotations.of(construct).add_warning_v2(
        NOT_READABLE,
        f"{what} is known only at deployment and stays as it is: write its values in the template, "
        "or harden them where they come from",
    )
