"""The report of a run: one HTML file that needs no other, each server beside the bare one."""

import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from lab.evidence import Figures, Row, Verdict
from lab.proof import EVIDENCE

_TEMPLATES = Path(__file__).parent
_MARKS: dict[Verdict, str] = {
    "pass": "✓ pass",
    "FAIL": "✗ FAIL",
    "not applicable": "○ not applicable",
    "comparison": "",
}
"""A sign and a word each, so that nothing hangs on a colour."""


_WORST_FIRST: tuple[Verdict, ...] = ("FAIL", "pass", "not applicable", "comparison")


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One thing that was looked at: on a bare server, and in each phase of a hardened one.

    Args:
        title: What.
        expected: What has to be seen.
        bare: What the bare server showed; "" where it was not asked.
        seen: Phase to what was seen.
        verdict: The worst of all phases.
    """

    title: str
    expected: str
    bare: str
    seen: dict[str, str]
    verdict: Verdict


@dataclass(frozen=True, kw_only=True)
class Section:
    """One server of the report.

    Args:
        title: The server's title.
        bare: The title of the bare server beside it; "" where there is none.
        phases: When it was looked at.
        groups: Group to its lines.
    """

    title: str
    bare: str
    phases: tuple[str, ...]
    groups: dict[str, list[Comparison]]

    def count(self, verdict: Verdict) -> int:
        """Return how many lines have a verdict."""
        return sum(each.verdict == verdict for lines in self.groups.values() for each in lines)


def sections(rows: Sequence[Row], servers: Sequence[Figures]) -> list[Section]:
    """Put the lines of the table side by side.

    Args:
        rows: All lines.
        servers: The figures of all servers, which say who is bare and who runs what.
    """
    bare = [server for server in servers if server.bare]
    runs = {server.title: server.distribution for server in servers}
    found = []
    for title in dict.fromkeys(row.place.server for row in rows if row.verdict != "comparison"):
        # The bare server of the same distribution, or else the one that there is.
        beside = sorted(bare, key=lambda each: each.distribution != runs.get(title))
        name = beside[0].title if beside and title in runs else ""
        found.append(_section(title, name, rows))
    return found


def _section(title: str, bare: str, rows: Sequence[Row]) -> Section:
    own: dict[str, dict[str, list[Row]]] = {}
    beside = {}
    for row in rows:
        if row.place.server == title:
            own.setdefault(row.place.group, {}).setdefault(row.place.title, []).append(row)
        elif row.place.server == bare:
            beside[row.place.group, row.place.title] = row.seen
    return Section(
        title=title,
        bare=bare,
        phases=tuple(dict.fromkeys(r.place.phase for r in rows if r.place.server == title)),
        groups={
            group: [
                _comparison(what, beside.get((group, what), ""), own[group][what])
                for what in own[group]
            ]
            for group in own
        },
    )


def _comparison(title: str, bare: str, rows: Sequence[Row]) -> Comparison:
    worst = min(rows, key=lambda row: _WORST_FIRST.index(row.verdict))
    return Comparison(
        title=title,
        expected=worst.expected,
        bare=bare,
        seen={row.place.phase: row.seen for row in rows},
        verdict=worst.verdict,
    )


def render(rows: Sequence[Row], servers: Sequence[Figures], *, made: datetime, machine: str) -> str:
    """Return the report.

    Args:
        rows: All lines of the table.
        servers: The figures of all servers.
        made: When.
        machine: What it ran on.
    """
    # The bare ones first: the eye goes from before to after.
    servers = sorted(servers, key=lambda server: not server.bare)
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    bare_cpu = {s.distribution: s.timing.booted_cpu_seconds for s in servers if s.bare}
    return environment.get_template("report.html.j2").render(
        sections=sections(rows, servers),
        servers=servers,
        bare_cpu=bare_cpu,
        failed=[row for row in rows if row.verdict == "FAIL"],
        passed=sum(row.verdict == "pass" for row in rows),
        left_out=sum(row.verdict == "not applicable" for row in rows),
        marks=_MARKS,
        scans=_names(server.scans for server in servers),
        versions=_names(server.versions for server in servers),
        made=made,
        machine=machine,
    )


def _names(figures: Iterable[Mapping[str, str]]) -> list[str]:
    """Return the name of every figure that a server has, in the order of their appearance."""
    return list(dict.fromkeys(name for each in figures for name in each))


def write_report(rows: Sequence[Row], servers: Sequence[Figures], folder: Path = EVIDENCE) -> Path:
    """Write the report beside the rest of the evidence; return the file."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "report.html"
    machine = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    text = render(rows, servers, made=datetime.now(tz=UTC), machine=machine)
    file.write_text(text, encoding="utf-8")
    return file
