"""The report of a run: one self-contained HTML file with each server beside the bare one."""

import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from lab.paths import EVIDENCE
from lab.report.evidence import Figures, Row, Verdict

_TEMPLATES = Path(__file__).parent
_MARKS: dict[Verdict, str] = {
    "pass": "✓ pass",
    "FAIL": "✗ FAIL",
    "not applicable": "○ not applicable",
    "comparison": "",
}
"""A sign and a word each: the meaning never depends on colour."""

_WORST_FIRST: tuple[Verdict, ...] = ("FAIL", "pass", "not applicable", "comparison")


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One effect or check, on the bare server and in each phase of the hardened one.

    Args:
        title: The effect or check.
        expected: The expected value.
        bare: The bare server's value; "" if it was not asked.
        seen: Phase to observed value.
        verdict: The worst verdict of all phases.
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
        bare: The title of the bare server beside it; "" if there is none.
        phases: The phases of its observations.
        groups: Group to its lines.
    """

    title: str
    bare: str
    phases: tuple[str, ...]
    groups: dict[str, list[Comparison]]

    def count(self, verdict: Verdict) -> int:
        """Return the number of lines with a verdict."""
        return sum(each.verdict == verdict for lines in self.groups.values() for each in lines)


def sections(rows: Sequence[Row], servers: Sequence[Figures]) -> list[Section]:
    """Return one section a hardened server, with the bare server's lines beside its own.

    Args:
        rows: All lines of the table.
        servers: The figures of all servers.
    """
    bare = [server for server in servers if server.bare]
    runs = {server.title: server.distribution for server in servers}
    found = []
    for title in dict.fromkeys(row.place.server for row in rows if row.verdict != "comparison"):
        # The bare server of the same release if it was booted, or else any other.
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
        made: The time of the run.
        machine: The machine of the run.
    """
    # Bare servers first: readers go from before to after.
    servers = sorted(servers, key=lambda server: not server.bare)
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    bare_cpu = {s.distribution: s.timing.booted_cpu_seconds for s in servers if s.bare}
    return environment.get_template("page.html.j2").render(
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
    """Return the names of all figures, in the order of their first appearance."""
    return list(dict.fromkeys(name for each in figures for name in each))


def write_report(rows: Sequence[Row], servers: Sequence[Figures], folder: Path = EVIDENCE) -> Path:
    """Write the report into the evidence; return the file.

    Args:
        rows: All lines of the table.
        servers: The figures of all servers.
        folder: The folder of the evidence. Default: `EVIDENCE`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "report.html"
    machine = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    text = render(rows, servers, made=datetime.now(tz=UTC), machine=machine)
    file.write_text(text, encoding="utf-8")
    return file
