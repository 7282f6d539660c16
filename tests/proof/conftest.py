"""Servers that are booted once and looked at by many tests, and the table of what was seen.

Collected only where it is asked for (``make proof``): it takes a quarter of an hour.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from lab.commands import abort, listen
from lab.faults import FAULTS, Aftermath, Fault, suffer
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


class Boots:
    """The servers of this run: each booted once, two side by side, since each keeps one core busy.

    What fails is not tried again: every test that needs it fails with its error.

    Args:
        wanted: Name to what boots a server and looks at it, in the order to begin them.
    """

    def __init__(self, wanted: Mapping[str, Callable[[], object]]) -> None:
        self._pool = ThreadPoolExecutor(max_workers=2)
        self._begun = {name: self._pool.submit(boot) for name, boot in wanted.items()}

    def wait(self, name: str) -> object:
        return self._begun[name].result()

    def end(self) -> None:
        if not all(each.done() for each in self._begun.values()):
            abort()
        self._pool.shutdown(cancel_futures=True)


@pytest.fixture(scope="session")
def boots(request: pytest.FixtureRequest, _requirements: None) -> Iterator[Boots]:
    """Begin with every server that a collected test asks for."""
    listen(request.config.get_terminal_writer().line)
    server = hardened_server()
    wanted: dict[str, Callable[[], object]] = {}
    for item in request.session.items:
        assert isinstance(item, pytest.Function)
        asked = item.callspec.params if hasattr(item, "callspec") else {}
        if isinstance(distribution := asked.get("hardened"), Distribution):
            wanted[distribution.suite] = partial(
                prove, distribution.suite, distribution, server, phases=(FIRST_BOOT, REBOOT)
            )
        elif "bare" in item.fixturenames:
            wanted["bare"] = partial(
                prove, "bare", BOOKWORM, unhardened(server), phases=(FIRST_BOOT,)
            )
        elif isinstance(fault := asked.get("aftermath"), Fault):
            wanted[fault.title] = partial(suffer, BOOKWORM, server, fault)
    made = Boots(wanted)
    try:
        yield made
    finally:
        made.end()


@pytest.fixture(scope="session", params=DISTRIBUTIONS, ids=lambda each: str(each.suite))
def hardened(request: pytest.FixtureRequest, boots: Boots) -> Proof:
    """A hardened server, at its first boot and after another one."""
    proof = boots.wait(request.param.suite)
    assert isinstance(proof, Proof)
    return proof


@pytest.fixture(scope="session")
def bare(boots: Boots) -> Proof:
    """The negative control: the same image without the hardening."""
    proof = boots.wait("bare")
    assert isinstance(proof, Proof)
    return proof


# Each fault is a boot or two: `make proof` has time for one, `make proof-all` for every one.
@pytest.fixture(
    scope="session",
    params=FAULTS if os.environ.get("PROOF_ALL") else FAULTS[:1],
    ids=lambda each: str(each.title),
)
def aftermath(request: pytest.FixtureRequest, boots: Boots) -> Aftermath:
    """What is left of a server on which something went wrong."""
    found = boots.wait(request.param.title)
    assert isinstance(found, Aftermath)
    return found


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
