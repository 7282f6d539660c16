"""docs/FIGURES.md, from results that are written and read again."""

from pathlib import Path

import pytest

from lab.commands import LabError
from lab.report.evidence import Place, Table, read_results, write_results
from lab.report.figures_document import figures_document
from tests.unit.lab.test_report import BARE, HARDENED, SERVERS, filled, place


def table() -> Table:
    made = filled()
    fault = Place(server="fault: full disk", phase="afterwards", group="what is left", title="who")
    made.add(fault, expected=["root"], seen=["root"])
    made.add(place(HARDENED, "open <ports>", "after a reboot"), expected="a|b", seen="a|b")
    return made


def document() -> str:
    return figures_document(table().rows, SERVERS)


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    rows = table().rows
    write_results(rows, SERVERS, tmp_path)
    assert read_results(tmp_path) == (rows, SERVERS)


def test_without_results_it_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="run make proof"):
        read_results(tmp_path)


def test_each_phase_of_a_server_is_counted_by_itself() -> None:
    assert f"| {HARDENED} | 2 of 2 | 1 of 2 | 1 |" in document().splitlines()
    assert "Of 5 observations with an\nexpected value, 4 were as expected; 1 not." in document()


def test_a_fault_has_its_own_line() -> None:
    assert "| full disk | 1 of 1 |" in document().splitlines()


def test_before_stands_left_of_after() -> None:
    lines = document().splitlines()
    assert f"|  | {BARE} | {HARDENED} |" in lines
    assert "| ssh-audit: fails | 6 | 0 |" in lines
    assert "| Lynis hardening index | not measured | 72 |" in lines


def test_the_processor_is_compared_with_the_bare_server() -> None:
    lines = document().splitlines()
    assert f"| {HARDENED} | 30.0 | 20.0 | 60.0 | 55.5 | 1.11 |" in lines
    assert f"| {BARE} | 30.0 | 20.0 | 60.0 | 50.0 | 1.00 |" in lines


def test_a_server_without_a_bare_one_is_not_compared() -> None:
    only = [server for server in SERVERS if not server.bare]
    assert "| not measured |" in figures_document(table().rows, only)
