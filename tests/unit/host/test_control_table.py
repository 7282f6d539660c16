"""docs/CONTROLS.md: it is what the controls say, and a table that Markdown can read."""

import re
from pathlib import Path

import pytest

from hardened_ec2.host import CONTROLS, Check
from hardened_ec2.host.controls.table import _code, control_table

WRITTEN = (Path(__file__).parents[3] / "docs" / "CONTROLS.md").read_text("utf-8")
# A cell ends at a "|" that no backslash stands before.
CELLS = re.compile(r"(?<!\\)\|")


def test_the_file_is_current() -> None:
    assert control_table() == WRITTEN, "write: make docs"


def test_every_row_has_the_cells_of_its_table() -> None:
    wanted = 0
    rows = 0
    for line, following in zip(WRITTEN.splitlines(), [*WRITTEN.splitlines()[1:], ""], strict=True):
        if not line.startswith("|"):
            continue
        if following.startswith("| ---"):
            wanted = len(CELLS.findall(line))
        assert len(CELLS.findall(line)) == wanted, line
        rows += 1
    assert rows > len(CONTROLS) + sum(len(control.verify) for control in CONTROLS)


@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.name)
def test_a_control_is_told_in_full(control: object) -> None:
    assert isinstance(control, type(CONTROLS[0]))
    (row,) = [line for line in WRITTEN.splitlines() if line.startswith(f"| [`{control.name}`](")]
    assert control.title in row
    assert ("core: never" in row) == control.core
    assert (f'`without=["{control.name}"]`' in row) != control.core
    for profile in control.profiles:
        assert profile in row
    for reference in control.references:
        assert reference in row
    assert f"### {control.name}\n" in WRITTEN


def test_a_command_with_a_backtick_or_a_bar_stays_one_cell() -> None:
    assert _code("a | b") == r"`a \| b`"
    assert _code("a `b`") == "``a `b```"
    assert _code(Check(command="x", expected="").expected) == "nothing"
