"""The compliance matrix: the controls of each framework, the rules that cover them, the verdict."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from hardened_ec2.policy.judging.verdict import Standing, Verdict
from hardened_ec2.policy.rules import RULES
from hardened_ec2.policy.rules.rule import Control, Framework, Rule

_WORST_FIRST = list(Standing)


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One control and the policy rules that cover a part of it.

    Args:
        control: The control.
        rules: The rules, each with its verdict.
        standing: The worst of these verdicts.

    Example:
        >>> rows = {row.control.id: row for row in matrix(verdict)[Framework.SECURITY_HUB]}
        >>> rows["EC2.8"].standing
        <Standing.VIOLATED: 'violated'>
    """

    control: Control
    rules: tuple[tuple[Rule, Standing], ...]
    standing: Standing


def matrix(verdict: Verdict) -> dict[Framework, list[Row]]:
    """Group the references of the rules by framework and control.

    Args:
        verdict: The verdict.

    Returns:
        The controls of each framework that a rule refers to, in the order of their numbers.

    Example:
        >>> [row.control.id for row in matrix(verdict)[Framework.CIS] if row.standing == "violated"]
        ['5.7']
    """
    asking: dict[Control, list[tuple[Rule, Standing]]] = {}
    for rule in RULES:
        standing = verdict.standing(rule)
        for control in rule.references:
            asking.setdefault(control, []).append((rule, standing))
    return {
        framework: rows
        for framework in Framework
        if (rows := sorted(_rows(framework, asking), key=lambda row: _number(row.control.id)))
    }


def _rows(
    framework: Framework, asking: dict[Control, list[tuple[Rule, Standing]]]
) -> Iterator[Row]:
    for control, rules in asking.items():
        if control.framework is framework:
            worst = min((standing for _, standing in rules), key=_WORST_FIRST.index)
            yield Row(control=control, rules=tuple(rules), standing=worst)


def _number(identifier: str) -> list[tuple[int, str]]:
    """Return a key that sorts 5.10 after 5.9."""
    return [
        (int(part), "") if part.isdigit() else (-1, part)
        for part in re.findall(r"[0-9]+|[^0-9]+", identifier)
    ]
