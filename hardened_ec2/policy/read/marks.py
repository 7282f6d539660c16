"""The lines of the values in a text."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

_EMPTY: Final[Mapping[str, "Marks"]] = {}


@dataclass(frozen=True, slots=True)
class Marks:
    """The line of a value, and the lines of the values in it.

    Args:
        line: Its line, from 1.
        inside: The marks of its entries, by key or by index. Default: none.

    Example:
        >>> Marks(3, {"Type": Marks(4)}).line_of(("Type", "Ref"))
        4
    """

    line: int
    inside: Mapping[str, "Marks"] = field(default_factory=lambda: _EMPTY)

    def line_of(self, path: tuple[str, ...]) -> int:
        """Return the line of the value at a path, or of the nearest one around it.

        A path names what is deployed, so both arms of an ``Fn::If`` on the way are searched.
        """
        return _deepest(self, path)[1]


def _deepest(here: Marks, path: tuple[str, ...]) -> tuple[int, int]:
    """Return how many steps of a path can be followed, and the line they lead to."""
    found = here.inside.get(path[0]) if path else None
    if found is not None:
        steps, line = _deepest(found, path[1:])
        return steps + 1, line
    arms = here.inside.get("Fn::If") if path else None
    ways = [_deepest(arm, path) for arm in arms.inside.values()] if arms else []
    best = max(ways, key=lambda way: way[0], default=(0, here.line))
    return best if best[0] else (0, here.line)
