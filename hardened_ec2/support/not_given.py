"""NOT_GIVEN: the default of an argument for which None already means something."""

from enum import Enum
from typing import Final


class NotGiven(Enum):
    """The type of `NOT_GIVEN`.

    The value of an argument that is left out depends on another one: ``host_hardening`` follows the
    image of the server. A value that is given, even one equal to the default, is applied or
    refused.

    Source: PEP 484, "Support for singleton types in unions".

    Example:
        >>> NOT_GIVEN
        NOT_GIVEN
    """

    NOT_GIVEN = "not given"

    def __repr__(self) -> str:
        return self.name


NOT_GIVEN: Final = NotGiven.NOT_GIVEN
"""The value of an argument that is left out."""
