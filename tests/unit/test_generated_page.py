"""The generated pages are written where the first argument says, or printed."""

import sys
from pathlib import Path

import pytest

from hardened_ec2._generated_page import cell, write


def test_a_page_goes_to_the_path_that_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "PAGE.md"
    monkeypatch.setattr(sys, "argv", ["table", str(page)])
    write("# Größe\n")
    assert page.read_bytes() == "# Größe\n".encode()
    assert capsys.readouterr().out == ""


def test_a_page_is_printed_without_a_path(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["table"])
    write("# Page\n")
    assert capsys.readouterr().out == "# Page\n"


def test_a_cell_stays_one_cell_on_one_line() -> None:
    assert cell("a | b\nc") == r"a \| b c"
