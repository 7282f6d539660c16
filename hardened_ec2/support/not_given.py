"""NOT_GIVEN: the default of an argument for which None already means something."""

from enum import Enum
from typing import Final


class NotGiven(Enum):
    """The type of `NOT_GIVEN`.

    An argument that is left out follows what it belongs to: ``host_hardening`` follows the image of
    the server. A value that is written out means what it says, also where it equals the default:
    it is applied, or it is refused.

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
