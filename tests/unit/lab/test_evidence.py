import json
from pathlib import Path

import pytest

from lab.report.evidence import Place, Table, in_words, write_results

PLACE = Place(server="Debian 12 core", phase="first boot", group="effects", title="ports")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("in", "in"),
        (True, "yes"),
        (None, "nothing"),
        ((), "nothing"),
        ({}, "nothing"),
        ((22, 80), "22, 80"),
        ({"b", "a"}, "a, b"),
        ({"root": "in", "others": ()}, "root in, others nothing"),
        (0, "0"),
    ],
)
def test_values_are_told_in_words(value: object, words: str) -> None:
    assert in_words(value) == words


def test_what_is_equal_passes_and_everything_else_fails() -> None:
    table = Table()
    table.add(PLACE, expected=(22,), seen=(22,))
    table.add(PLACE, expected=(22,), seen=[22])
    table.add(PLACE, expected="soon", seen="after 3 s", passed=True)
    assert [row.verdict for row in table.rows] == ["pass", "FAIL", "pass"]


def test_results_are_written_for_programs_too(tmp_path: Path) -> None:
    table = Table()
    table.compare(PLACE, (22, 111))
    written = json.loads(write_results(table.rows, [], tmp_path / "evidence").read_text("utf-8"))
    assert written["rows"][0]["verdict"] == "comparison"
    assert written["rows"][0]["place"]["title"] == "ports"
