"""The server that runs a script, with a local folder in place of the guest."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.commands import LabError
from lab.machines.distribution import BOOKWORM
from lab.machines.image import Recipe
from lab.scanners import server
from lab.scanners.server import run_inside


class Machine:
    """Runs root's scripts in a local folder, in place of a guest's /root/lab."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.steps: list[str] = []

    def power_on(self) -> None:
        self.steps.append("on")

    def wait_for_login(self) -> None:
        self.steps.append("login")

    def wait_until_booted(self) -> None:
        self.steps.append("booted")

    def put(self, file: str, text: str) -> None:
        Path(self._here(file)).write_text(text, encoding="utf-8")

    def root(self, script: str, *, timeout: float = 300) -> str:
        self.steps.append(f"{timeout:.0f} s")
        done = subprocess.run(
            ["sh", "-eu"], input=self._here(script), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise LabError(done.stderr)
        return done.stdout

    def _here(self, text: str) -> str:
        return text.replace("/root/lab", str(self.folder))


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(tmp_path / "guest")

    @contextmanager
    def running(*_: object) -> Iterator[Machine]:
        yield made

    monkeypatch.setattr(server, "running", running)
    return made


def scanned(tmp_path: Path, script: str) -> dict[str, bytes]:
    source = tmp_path / "rules"
    source.write_text("rule\n", encoding="utf-8")
    return run_inside(
        *("a scan", BOOKWORM, Recipe(), "#!/bin/sh\n"),
        script=script,
        shared={"content.xml": source},
        seconds=7200,
    )


def test_every_file_that_the_script_leaves_comes_back(machine: Machine, tmp_path: Path) -> None:
    left = scanned(tmp_path, 'cp "$IN/content.xml" "$OUT/one"\necho two >"$OUT/two"')
    assert left == {"one": b"rule\n", "two": b"two\n"}
    assert machine.steps[:3] == ["on", "login", "booted"]
    assert "7200 s" in machine.steps


@pytest.mark.usefixtures("machine")
def test_a_scanner_that_fails_does_not_end_the_script(tmp_path: Path) -> None:
    assert scanned(tmp_path, 'false\necho later >"$OUT/one"\nfalse') == {"one": b"later\n"}
