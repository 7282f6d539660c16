"""Circumstances: what must hold for a value to be the one that is deployed.

Two rules under opposite conditions are never deployed together, so what they admit must not be
united; two under independent conditions can be, so it must.
"""

from collections.abc import Iterable
from itertools import product
from typing import Final, TypeAlias

Choice: TypeAlias = tuple[tuple[str, str, str], str]
"""One thing that must hold: ((kind, template, name), choice), kind "condition" or "parameter"."""

When: TypeAlias = frozenset[Choice]
"""All that must hold together for a value to be the one deployed."""

ALWAYS: Final[When] = frozenset()

MAX_WORLDS: Final = 64
"""Combinations of conditions told apart before everything that can be is taken to be at once."""


def together(left: When, right: When) -> When | None:
    """Join two circumstances.

    Args:
        left: What must hold for one value.
        right: What must hold for the other.

    Returns:
        What must hold for both, or none when they exclude each other.

    Example:
        >>> yes = frozenset({(("condition", "app.json", "IsProd"), "true")})
        >>> together(yes, ALWAYS) == yes
        True
    """
    if not left or left == right:
        return right
    if not right:
        return left
    joined = left | right
    return joined if len(joined) == len({subject for subject, _ in joined}) else None


def worlds(circumstances: Iterable[When]) -> list[When | None]:
    """List the deployments that differ in the given circumstances.

    Args:
        circumstances: The circumstances of all values to be judged together.

    Returns:
        Each combination of choices once; the single entry none, "everything at once", when there
        would be more than `MAX_WORLDS`.

    Example:
        >>> worlds([ALWAYS])
        [frozenset()]
    """
    choices: dict[tuple[str, str, str], set[str]] = {}
    for when in circumstances:
        for subject, choice in when:
            taken = choices.setdefault(subject, set())
            taken.add(choice)
            if subject[0] == "condition":
                taken.update(("true", "false"))
    count = 1
    for options in choices.values():
        count *= len(options)
        if count > MAX_WORLDS:
            return [None]
    subjects = sorted(choices)
    return [
        frozenset(zip(subjects, picked, strict=True))
        for picked in product(*(sorted(choices[subject]) for subject in subjects))
    ]


def holds(when: When, world: When | None) -> bool:
    """Tell whether a value can be the one deployed in a world of `worlds`."""
    return world is None or together(when, world) is not None


def spelled_when(when: When) -> str:
    """Spell circumstances for a message; empty when there are none."""
    return " and ".join(
        f"condition {name} is {choice}" if kind == "condition" else f"{name} is {choice!r}"
        for (kind, _, name), choice in sorted(when)
    )
