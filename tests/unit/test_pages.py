"""The commands of this package in README.md and docs/ do what they are shown for."""

import shlex
import shutil
from pathlib import Path

import pytest

from hardened_ec2.cli import main
from hardened_ec2.policy.judging.verdict import ERRORS, NO_ERROR
from tests.pages import blocks

COMMANDS = [
    pytest.param(command, id=f"{block.name} {command}")
    for block in blocks("sh", "console")
    for command in block.commands("hardened-ec2")
]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_command_runs(
    command: str,
    example_project: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    # A copy of its own: some commands write into it.
    monkeypatch.chdir(shutil.copytree(example_project, tmp_path / "project"))
    ended_with = exit_code(shlex.split(command, comments=True)[1:])
    assert capfdbinary.readouterr().err == b""
    assert ended_with in (NO_ERROR, ERRORS)


def exit_code(arguments: list[str]) -> object:
    try:
        main(arguments)
    except SystemExit as end:
        return end.code
    return NO_ERROR
