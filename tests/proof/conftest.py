"""Servers that are booted once and looked at by many tests, and the table of what was seen.

Collected only where it is asked for (``make proof``): it takes a quarter of an hour.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.assembly import Server
from lab.commands import LabError
from lab.image import BOOKWORM, TRIXIE, Distribution
from lab.proof import (
    FIRST_BOOT,
    REBOOT,
    Proof,
    hardened_server,
    prove,
    unhardened,
)
from lab.requirements import missing

HERE = Path(__file__).parent
DISTRIBUTIONS = (BOOKWORM, TRIXIE)


@dataclass(kw_only=True)
class Line:
    """One line of the table."""

    server: str
    title: str
    expected: object
    seen: object


TABLE = pytest.StashKey[list[Line]]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "proof: boots a server and attacks it (root, QEMU)")
    config.stash[TABLE] = []


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave this folder out of a run of everything."""
    asked = [Path(config.invocation_params.dir, arg.split("::")[0]) for arg in config.args]
    inside = any(path.resolve().is_relative_to(HERE) for path in asked)
    return None if inside or not collection_path.is_relative_to(HERE) else True


@pytest.fixture(scope="session", autouse=True)
def _requirements() -> None:
    if needed := missing():
        # A proof that was not made is not a proof: where CI is set nothing is left out.
        leave = pytest.fail if os.environ.get("CI") else pytest.skip
        leave(f"the proof needs {', '.join(needed)}: python -m lab.requirements installs it")


class Proofs:
    """The proofs of this run: each made when it is first asked for, and never twice.

    One that failed is not tried again either: every test that needs it fails with its error.
    """

    def __init__(self) -> None:
        self._made: dict[str, Proof | LabError] = {}

    def get(self, name: str, make: Callable[[], Proof]) -> Proof:
        if name not in self._made:
            try:
                self._made[name] = make()
            except LabError as error:
                self._made[name] = error
        found = self._made[name]
        if isinstance(found, LabError):
            raise found
        return found


@pytest.fixture(scope="session")
def proofs() -> Proofs:
    return Proofs()


@pytest.fixture(scope="session")
def server(_requirements: None) -> Server:
    return hardened_server()


@pytest.fixture(scope="session", params=DISTRIBUTIONS, ids=lambda each: str(each.suite))
def hardened(request: pytest.FixtureRequest, proofs: Proofs, server: Server) -> Proof:
    """A hardened server, at its first boot and after another one."""
    distribution: Distribution = request.param
    return proofs.get(
        distribution.suite, lambda: prove(distribution, server, phases=(FIRST_BOOT, REBOOT))
    )


@pytest.fixture(scope="session")
def bare(proofs: Proofs, server: Server) -> Proof:
    """The negative control: the same image without the hardening."""
    return proofs.get("bare", lambda: prove(BOOKWORM, unhardened(server), phases=(FIRST_BOOT,)))


@pytest.fixture
def table(request: pytest.FixtureRequest) -> list[Line]:
    """The table that the run ends with."""
    return request.config.stash[TABLE]


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if not config.stash[TABLE]:
        return
    terminalreporter.section("what was expected, and what was seen")
    for line in config.stash[TABLE]:
        same = line.expected == line.seen
        terminalreporter.write_line(f"{line.server:28} {line.title:60} {_short(line.seen)}")
        if not same:
            terminalreporter.write_line(f"{'':28} {'expected':60} {_short(line.expected)}")


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) < 100 else f"{text[:100]} ..."
