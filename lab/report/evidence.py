"""The results of a run: the lines of its table, and the figures of each server."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from lab.commands import LabError
from lab.machines.metadata_service import METADATA
from lab.paths import EVIDENCE
from lab.probes.observation import Observation
from lab.proof.proof import Proof, Timing

Verdict = Literal["pass", "FAIL", "not applicable", "comparison"]
"""A comparison is a line of a bare server, of which nothing is expected."""

SCANS = "scans.json"
"""An optional file in a server's folder of the evidence, with more figures for the report: name to
figure, such as {"Lynis hardening index": 72}."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """The subject of one line of the table.

    Args:
        server: The server's title.
        phase: The phase of the observation.
        group: The line's group: "effects", a control, ...
        title: The effect or check.
    """

    server: str
    phase: str
    group: str
    title: str


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table.

    Args:
        place: The line's subject.
        expected: The value that a hardened server shows.
        seen: The value of this server.
        verdict: Whether they agree.
    """

    place: Place
    expected: str
    seen: str
    verdict: Verdict


class Table:
    """The lines of a run, in the order of its tests."""

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def add(
        self, place: Place, *, expected: object, seen: object, passed: bool | None = None
    ) -> None:
        """Add an observation of a hardened server.

        Args:
            place: The line's subject.
            expected: The expected value.
            seen: The observed value.
            passed: Whether the observation passes. Default: whether both values are equal.
        """
        good = seen == expected if passed is None else passed
        self._add(place, expected, seen, "pass" if good else "FAIL")

    def leave_out(self, place: Place, why: str) -> None:
        """Add a check that does not apply to the server.

        Args:
            place: The line's subject.
            why: The reason.
        """
        self._add(place, "", why, "not applicable")

    def compare(self, place: Place, seen: object) -> None:
        """Add an observation of a bare server.

        Args:
            place: The line's subject.
            seen: The observed value.
        """
        self._add(place, "", seen, "comparison")

    def _add(self, place: Place, expected: object, seen: object, verdict: Verdict) -> None:
        expected, seen = in_words(expected), in_words(seen)
        self.rows.append(Row(place=place, expected=expected, seen=seen, verdict=verdict))


def in_words(value: object) -> str:
    """Return a value as a cell of a table.

    Args:
        value: Any value of an observation.
    """
    match value:
        case bool():
            words = "yes" if value else "no"
        case None:
            words = ""
        case dict():
            words = ", ".join(f"{name} {in_words(each)}" for name, each in value.items())
        case set() | frozenset():
            words = ", ".join(sorted(map(in_words, value)))
        case list() | tuple():
            words = ", ".join(map(in_words, value))
        case _:
            words = str(value)
    return words or "nothing"


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Figures of one server.

    Args:
        title: The server's title.
        distribution: The title of its Debian release.
        bare: Whether the server has no hardening.
        timing: The duration of its first boot.
        versions: Program to version.
        scans: Name to figure of nmap, ssh-audit and other scanners. Default: none.
    """

    title: str
    distribution: str
    bare: bool
    timing: Timing
    versions: Mapping[str, str]
    scans: Mapping[str, str] = field(default_factory=dict)


def figures(proof: Proof, folder: Path = EVIDENCE) -> Figures:
    """Return a server's figures in its last phase.

    Args:
        proof: The server's observations.
        folder: The folder of the evidence. Default: `EVIDENCE`.
    """
    subject = proof.subject
    *_, observation = proof.observations.values()
    file = folder / subject.name / SCANS
    more = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return Figures(
        title=subject.title,
        distribution=subject.distribution.title,
        bare=subject.profile is None,
        timing=proof.timing,
        versions=observation.facts["versions"],
        scans={**_scans(observation), **{name: in_words(each) for name, each in more.items()}},
    )


def _scans(observation: Observation) -> dict[str, str]:
    audit = observation.audit
    reached = {
        attempt.user
        for attempt in observation.metadata
        if attempt.address in METADATA and attempt.answer == "open"
    }
    everybody = {attempt.user for attempt in observation.metadata}
    return {
        "nmap: open TCP ports, from outside the whitelist": in_words(observation.outside),
        "nmap: open TCP ports, from inside the whitelist": in_words(observation.inside),
        "ssh-audit: fails": str(len(audit["fail"])),
        "ssh-audit: warnings": str(len(audit["warn"])),
        "accounts that reach the metadata service": f"{len(reached)} of {len(everybody)}",
    }


def write_results(rows: list[Row], servers: list[Figures], folder: Path = EVIDENCE) -> Path:
    """Write the results as JSON; return the file.

    Args:
        rows: The lines of the table.
        servers: The figures of each server.
        folder: The folder of the evidence. Default: `EVIDENCE`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "results.json"
    results = {"rows": [asdict(row) for row in rows], "servers": [asdict(s) for s in servers]}
    file.write_text(json.dumps(results, indent=1), encoding="utf-8")
    return file


def read_results(folder: Path = EVIDENCE) -> tuple[list[Row], list[Figures]]:
    """Read the file of `write_results`.

    Args:
        folder: The folder of the evidence. Default: `EVIDENCE`.

    Raises:
        LabError: If there is none.
    """
    file = folder / "results.json"
    if not file.exists():
        raise LabError(f"no results in {folder}: run make proof or make proof-all first")
    results = json.loads(file.read_text(encoding="utf-8"))
    rows = [Row(**{**row, "place": Place(**row["place"])}) for row in results["rows"]]
    servers = [Figures(**{**s, "timing": Timing(**s["timing"])}) for s in results["servers"]]
    return rows, servers
