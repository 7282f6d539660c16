"""What a command costs, and what counts as a cost."""

import sys

import pytest

from benchmarks.claims import Claim
from benchmarks.costs import CommandFailed, cost, least

PYTHON = sys.executable


def test_processor_time_and_memory_are_the_command_s_own() -> None:
    idle = cost([PYTHON, "-c", "import time; time.sleep(0.2)"])
    busy = cost([PYTHON, "-c", "x = bytearray(200 << 20)\nfor _ in range(3_000_000): pass"])
    assert idle.seconds < busy.seconds
    assert idle.mebibytes < 100 < busy.mebibytes


def test_children_of_the_command_count() -> None:
    child = "for _ in range(3_000_000): pass"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    assert cost([PYTHON, "-c", parent]).seconds > cost([PYTHON, "-c", "pass"]).seconds


def test_a_command_that_fails_costs_nothing() -> None:
    with pytest.raises(CommandFailed, match="ended with 3:\nwhy"):
        cost([PYTHON, "-c", "import sys; print('why', flush=True); sys.exit(3)"])
    assert cost([PYTHON, "-c", "raise SystemExit(3)"], ends_with=(0, 3)).seconds > 0


def test_the_least_run_counts() -> None:
    costs = least({"a": [PYTHON, "-c", "pass"], "b": [PYTHON, "-c", "pass"]}, rounds=2, what="x")
    assert [*costs] == ["a", "b"]
    assert all(each.seconds > 0 for each in costs.values())


@pytest.mark.parametrize(("measured", "holds"), [(1.14, True), (1.16, False)])
def test_a_claim_holds_up_to_what_is_promised(measured: float, *, holds: bool) -> None:
    claim = Claim(what="", measured=measured, against=1, at_most=1.15)
    assert claim.holds is holds
