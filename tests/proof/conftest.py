"""Servers that boot once for many tests, and the table of their observations.

Collected only if pytest is given this folder, as in ``make proof``: a run takes half an hour.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import cache, partial
from pathlib import Path
from typing import get_args

import pytest

from hardened_ec2.host.controls.types import Profile
from lab.commands import abort, listen
from lab.machines.distribution import BOOKWORM, TRIXIE
from lab.proof.faults import FAULTS, Aftermath, Fault, suffer
from lab.proof.proof import FIRST_BOOT, REBOOT, Proof, Subject, hardened_server, prove, unhardened
from lab.report.evidence import Row, Table, figures, write_results
from lab.report.html import write_report
from lab.requirements import missing

HERE = Path(__file__).parent
ALL = bool(os.environ.get("PROOF_ALL"))
DISTRIBUTIONS = (BOOKWORM, TRIXIE)
_WIDTH = 100

SUBJECTS = (
    tuple(Subject(distribution=d, profile=p) for d in DISTRIBUTIONS for p in get_args(Profile))
    if ALL
    else (
        Subject(distribution=BOOKWORM, profile="baseline"),
        Subject(distribution=TRIXIE, profile="strict"),
    )
)
BARE = tuple(Subject(distribution=d, profile=None) for d in DISTRIBUTIONS[: 2 if ALL else 1])
BROKEN = FAULTS if ALL else tuple(fault for fault in FAULTS if fault.quick)

TABLE = pytest.StashKey[Table]()
PROOFS = pytest.StashKey[list[Proof]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[TABLE] = Table()
    config.stash[PROOFS] = []


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave this folder out unless it is on the command line."""
    asked = [Path(config.invocation_params.dir, arg.split("::")[0]) for arg in config.args]
    inside = any(path.resolve().is_relative_to(HERE) for path in asked)
    return None if inside or not collection_path.is_relative_to(HERE) else True


@pytest.fixture(scope="session", autouse=True)
def _requirements() -> None:
    if needed := missing():
        # In CI a missing package fails the run: a skipped proof would look like a proof.
        leave = pytest.fail if os.environ.get("CI") else pytest.skip
        leave(f"the proof needs {', '.join(needed)}: run python -m lab.requirements as root")


class Boots:
    """The servers of this run: each boots once, two side by side, because each needs one core.

    A boot that fails is not repeated: every test of that server fails with its error.

    Args:
        wanted: Name to the function that boots and observes a server, in order of their start.
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
    """Boot every server that a collected test needs."""
    listen(request.config.get_terminal_writer().line)
    server = cache(hardened_server)
    # The longest first, so that the last two end at about the same time.
    longest: dict[str, Callable[[], object]] = {}
    wanted: dict[str, Callable[[], object]] = {}
    for item in request.session.items:
        assert isinstance(item, pytest.Function)
        asked = item.callspec.params if hasattr(item, "callspec") else {}
        if isinstance(subject := asked.get("hardened"), Subject):
            assert subject.profile
            user_data = server(subject.profile)
            longest[subject.name] = partial(prove, subject, user_data, phases=(FIRST_BOOT, REBOOT))
        elif isinstance(subject := asked.get("bare"), Subject):
            user_data = unhardened(server("baseline"))
            wanted[subject.name] = partial(prove, subject, user_data, phases=(FIRST_BOOT,))
        elif isinstance(fault := asked.get("aftermath"), Fault):
            wanted[fault.title] = partial(suffer, BOOKWORM, server("baseline"), fault)
    made = Boots(longest | wanted)
    try:
        yield made
    finally:
        made.end()


@pytest.fixture
def hardened(request: pytest.FixtureRequest, boots: Boots) -> Proof:
    """A hardened server, at its first boot and after a reboot."""
    return _proof(request, boots)


@pytest.fixture
def bare(request: pytest.FixtureRequest, boots: Boots) -> Proof:
    """The negative control: the same image without the hardening."""
    return _proof(request, boots)


def _proof(request: pytest.FixtureRequest, boots: Boots) -> Proof:
    proof = boots.wait(request.param.name)
    assert isinstance(proof, Proof)
    known = request.config.stash[PROOFS]
    if all(each.subject != proof.subject for each in known):
        known.append(proof)
    return proof


@pytest.fixture(params=BROKEN, ids=lambda each: str(each.title))
def aftermath(request: pytest.FixtureRequest, boots: Boots) -> Aftermath:
    """A server after a fault."""
    found = boots.wait(request.param.title)
    assert isinstance(found, Aftermath)
    return found


@pytest.fixture
def table(request: pytest.FixtureRequest) -> Table:
    """The table at the end of the run."""
    return request.config.stash[TABLE]


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    rows = config.stash[TABLE].rows
    if not rows:
        return
    terminalreporter.section("expected and observed")
    for row in rows:
        terminalreporter.write_line(_line(row))
    servers = [figures(proof) for proof in config.stash[PROOFS]]
    terminalreporter.section("figures")
    for server in servers:
        for name, figure in {**asdict(server.timing), **server.scans}.items():
            terminalreporter.write_line(f"{server.title:20} {name:52} {figure}")
    write_results(rows, servers)
    terminalreporter.write_line(f"the report: {write_report(rows, servers)}")


def _line(row: Row) -> str:
    place = row.place
    line = f"{row.verdict:14} {place.server:20} {place.phase:14} {place.group}: {place.title}"
    seen = f"{'':15}seen {_short(row.seen)}"
    expected = f", expected {_short(row.expected)}" if row.verdict in ("pass", "FAIL") else ""
    return f"{line}\n{seen}{expected}"


def _short(value: str) -> str:
    return value if len(value) < _WIDTH else f"{value[:_WIDTH]} ..."
