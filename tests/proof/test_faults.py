"""Servers after a fault: locked, open to the administrator, and honest about the failure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from lab.machines.careless_image import ALLOWED_USER
from lab.machines.metadata_service import METADATA
from lab.proof.faults import Aftermath, Fault
from lab.report.evidence import Place, Table

pytestmark = pytest.mark.proof


@dataclass(frozen=True, kw_only=True)
class Aspect:
    """One property that a fault must not break.

    Args:
        title: The property's name in the table.
        seen: Returns the value after a fault.
        expected: Returns the expected value after a fault.
    """

    title: str
    seen: Callable[[Aftermath], Any]
    expected: Callable[[Fault], Any]


def forwarded(aftermath: Aftermath) -> list[str]:
    """Return the answers to a container's requests other than the two kinds of refusal.

    Addresses without a route, such as IPv6 after a boot without a network, are left out: the server
    has nothing to refuse there.
    """
    nowhere = {a.address for a in aftermath.metadata if (a.user, a.answer) == ("root", "no route")}
    answers = {a.answer for a in aftermath.container if a.address in {*METADATA} - nowhere}
    return sorted(answers - {"refused", "prohibited"})


def said(aftermath: Aftermath) -> dict[str, str]:
    """Return the report's lines of failed steps, and of the steps that the fault names."""
    lines = [line.split(" ", 2) for line in aftermath.report.splitlines()]
    return {
        name: f"{outcome} {name} {reason}".strip()
        for outcome, name, reason in lines
        if outcome == "failed" or name in aftermath.fault.steps
    }


def told(aftermath: Aftermath) -> dict[str, str]:
    """Return the same lines, each cut to the length of the fault's expectation."""
    return {
        name: line[: len(aftermath.fault.steps.get(name, line))]
        for name, line in said(aftermath).items()
    }


ASPECTS = (
    Aspect(
        title="users that reach metadata",
        seen=lambda a: sorted(a.reached()),
        expected=lambda _: sorted(["root", ALLOWED_USER]),
    ),
    Aspect(
        title="answers to a container's network other than refusals",
        seen=forwarded,
        expected=lambda _: [],
    ),
    Aspect(
        title="login of the administrator with the key",
        seen=lambda a: a.admin,
        expected=lambda _: "in",
    ),
    Aspect(
        title="login with the right password",
        seen=lambda a: a.password,
        expected=lambda fault: "in" if "sshd" in fault.steps else "refused",
    ),
    Aspect(
        title="the hardening's own report",
        seen=told,
        expected=lambda fault: dict(fault.steps),
    ),
    Aspect(
        title="the console reports a failure",
        seen=lambda a: None if a.failures() is None else a.failures() != 0,
        expected=lambda fault: fault.fails,
    ),
    Aspect(
        title="the state of hardened-ec2.service",
        seen=lambda a: dict(a.service),
        expected=lambda fault: (
            {"Result": "exit-code", "ExecMainStatus": "1"}
            if fault.fails
            else {"Result": "success", "ExecMainStatus": "0"}
        ),
    ),
)


@pytest.mark.parametrize("aspect", ASPECTS, ids=lambda each: str(each.title))
def test_what_is_left(aftermath: Aftermath, aspect: Aspect, table: Table) -> None:
    seen, expected = aspect.seen(aftermath), aspect.expected(aftermath.fault)
    server = f"fault: {aftermath.fault.title}"
    place = Place(server=server, phase="afterwards", group="what is left", title=aspect.title)
    table.add(place, expected=expected, seen=seen)
    assert seen == expected
