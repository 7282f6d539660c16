"""What a run of the proof leaves: every line of its table, and the figures of each server."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from lab.commands import LabError
from lab.metadata import METADATA
from lab.observation import Observation
from lab.proof import EVIDENCE, Proof, Timing

Verdict = Literal["pass", "FAIL", "not applicable", "comparison"]
"""A comparison is what a bare server shows: nothing is expected of it."""

SCANS = "scans.json"
"""In a server's folder of the evidence: figures of scanners that run elsewhere, name to figure
({"Lynis hardening index": 72}). It joins the report when it is there."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """What a line of the table is about.

    Args:
        server: The server's title.
        phase: When it was looked at.
        group: What the line belongs to: "effects", a control, ...
        title: What was looked at.
    """

    server: str
    phase: str
    group: str
    title: str


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table.

    Args:
        place: What it is about.
        expected: What a hardened server shows.
        seen: What this one showed.
        verdict: What that means.
    """

    place: Place
    expected: str
    seen: str
    verdict: Verdict


class Table:
    """The lines in the order in which they were found."""

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def add(
        self, place: Place, *, expected: object, seen: object, passed: bool | None = None
    ) -> None:
        """Add what was looked at on a hardened server.

        Args:
            place: What the line is about.
            expected: What has to be seen.
            seen: What was.
            passed: Whether that is as it has to be. Default: if both are equal.
        """
        good = seen == expected if passed is None else passed
        self._add(place, expected, seen, "pass" if good else "FAIL")

    def leave_out(self, place: Place, why: str) -> None:
        """Add a check that is not for this server."""
        self._add(place, "", why, "not applicable")

    def compare(self, place: Place, seen: object) -> None:
        """Add what a bare server shows."""
        self._add(place, "", seen, "comparison")

    def _add(self, place: Place, expected: object, seen: object, verdict: Verdict) -> None:
        expected, seen = in_words(expected), in_words(seen)
        self.rows.append(Row(place=place, expected=expected, seen=seen, verdict=verdict))


def in_words(value: object) -> str:
    """Return a value as one reads it in a table."""
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
    """What is measured of one server.

    Args:
        title: The server's title.
        distribution: What it runs.
        bare: Whether it is without the hardening.
        timing: Of its first boot.
        versions: Program to version.
        scans: Name to figure, of scanners.
    """

    title: str
    distribution: str
    bare: bool
    timing: Timing
    versions: Mapping[str, str]
    scans: Mapping[str, str] = field(default_factory=dict)


def figures(proof: Proof, folder: Path = EVIDENCE) -> Figures:
    """Return the figures of a server: at the last look, when it has been through everything.

    Args:
        proof: What it showed.
        folder: Where the evidence is.
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
    """Write everything as JSON, for programs; return the file."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "results.json"
    results = {"rows": [asdict(row) for row in rows], "servers": [asdict(s) for s in servers]}
    file.write_text(json.dumps(results, indent=1), encoding="utf-8")
    return file


def read_results(folder: Path = EVIDENCE) -> tuple[list[Row], list[Figures]]:
    """Read what `write_results` wrote.

    Args:
        folder: Where the evidence is.

    Raises:
        LabError: If there is none: nothing was proven here yet.
    """
    file = folder / "results.json"
    if not file.exists():
        raise LabError(f"no results in {folder}: run make proof, or make proof-all, first")
    results = json.loads(file.read_text(encoding="utf-8"))
    rows = [Row(**{**row, "place": Place(**row["place"])}) for row in results["rows"]]
    servers = [Figures(**{**s, "timing": Timing(**s["timing"])}) for s in results["servers"]]
    return rows, servers
