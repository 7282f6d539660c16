"""Scenarios: combinations of conditions and parameter values under which a template is deployed.

Two values under opposite conditions are never deployed together, so what they permit must not be
united; two under independent conditions can be, so it must.
"""

from collections.abc import Iterable
from itertools import product
from typing import Final, TypeAlias

Requirement: TypeAlias = tuple[tuple[str, str, str], str]
"""A condition or parameter and its value: ((kind, template, name), value).

The kind is "condition", with the value "true" or "false", or "parameter".
"""

When: TypeAlias = frozenset[Requirement]
"""Everything that must hold for a value to be deployed."""

ALWAYS: Final[When] = frozenset()
"""Nothing has to hold: the value is always deployed."""

Scenario: TypeAlias = When | None
"""One value for each condition and parameter that matters; none for all values at once."""

MAX_SCENARIOS: Final = 64
"""Scenarios that are judged one by one; beyond that all values are judged as deployed at once."""


def together(left: When, right: When, *more: When) -> When | None:
    """Join what several values require.

    Args:
        left: What one value requires.
        right: What another one requires.
        more: What further ones require.

    Returns:
        What all of them require together; none when they exclude each other.

    Example:
        >>> yes = frozenset({(("condition", "app.json", "IsProduction"), "true")})
        >>> no = frozenset({(("condition", "app.json", "IsProduction"), "false")})
        >>> together(yes, ALWAYS) == yes, together(yes, no)
        (True, None)
    """
    if more:
        joined = together(left, right)
        return None if joined is None else together(joined, *more)
    if not left or left == right:
        return right
    if not right:
        return left
    both = left | right
    return both if len(both) == len({subject for subject, _ in both}) else None


def scenarios(whens: Iterable[When]) -> list[Scenario]:
    """List the scenarios that values judged together can differ in.

    Args:
        whens: What each of the values requires.

    Returns:
        Each combination of the conditions and parameters that the values name; the single entry
        none when there would be more than `MAX_SCENARIOS`.

    Example:
        >>> sizes = server.at("InstanceType")
        >>> [spelled_when(scenario) for scenario in scenarios(size.when for size in sizes)]
        ['condition IsProduction is false', 'condition IsProduction is true']
    """
    options: dict[tuple[str, str, str], set[str]] = {}
    for when in whens:
        for subject, value in when:
            values = options.setdefault(subject, set())
            values.add(value)
            if subject[0] == "condition":
                values.update(("true", "false"))
    count = 1
    for values in options.values():
        count *= len(values)
        if count > MAX_SCENARIOS:
            return [None]
    subjects = sorted(options)
    return [
        frozenset(zip(subjects, picked, strict=True))
        for picked in product(*(sorted(options[subject]) for subject in subjects))
    ]


def holds(when: When, scenario: Scenario) -> bool:
    """Whether a value can be deployed in a scenario."""
    return scenario is None or together(when, scenario) is not None


def spelled_when(when: When) -> str:
    """Spell what a value requires for a message; empty when it is always deployed."""
    return " and ".join(
        f"condition {name} is {value}" if kind == "condition" else f"{name} is {value!r}"
        for (kind, _, name), value in sorted(when)
    )
