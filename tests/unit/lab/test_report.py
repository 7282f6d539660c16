"""The HTML report of a proof, from made-up figures."""

import re
from datetime import UTC, datetime
from html.parser import HTMLParser

from lab.proof.proof import Timing
from lab.report.evidence import Figures, Place, Table
from lab.report.html import render, sections

BARE, HARDENED = "Debian 12 bare", "Debian 12 baseline"
MADE = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)


def figures(title: str, cpu: float, **scans: str) -> Figures:
    return Figures(
        title=title,
        distribution=title.rpartition(" ")[0],
        bare=title == BARE,
        timing=Timing(
            login_seconds=30, login_cpu_seconds=20, booted_seconds=60, booted_cpu_seconds=cpu
        ),
        versions={"kernel": "6.1"},
        scans=scans,
    )


SERVERS = [
    figures(HARDENED, 55.5, **{"ssh-audit: fails": "0", "Lynis hardening index": "72"}),
    figures(BARE, 50, **{"ssh-audit: fails": "6"}),
]


def place(server: str, title: str, phase: str = "first boot", group: str = "effects") -> Place:
    return Place(server=server, phase=phase, group=group, title=title)


def filled() -> Table:
    table = Table()
    table.add(place(HARDENED, "open <ports>"), expected=(22,), seen=(22,))
    table.add(place(HARDENED, "open <ports>", "after a reboot"), expected=(22,), seen=(22, 80))
    table.add(place(HARDENED, "root's login"), expected="refused", seen="refused")
    table.leave_out(place(HARDENED, "command -v dnf", group="control updates"), "Debian has no dnf")
    table.compare(place(BARE, "open <ports>"), (22, 111))
    return table


class Reader(HTMLParser):
    """Collects what assistive programs need: captions, header cells and closed tags."""

    VOID = frozenset({"meta", "link", "br", "hr", "img"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.count: dict[str, int] = {}
        self.header_cells: list[dict[str, str | None]] = []
        self.ids: set[str | None] = set()
        self.targets: set[str] = set()
        self.outside: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.count[tag] = self.count.get(tag, 0) + 1
        if tag == "th":
            self.header_cells.append(attributes)
        if "id" in attributes:
            assert attributes["id"] not in self.ids
            self.ids.add(attributes["id"])
        for name in ("href", "src"):
            if link := attributes.get(name):
                (self.targets.add if link.startswith("#") else self.outside.append)(link)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def report(table: Table) -> str:
    return render(table.rows, SERVERS, made=MADE, machine="Linux 6.1")


def words(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", text))


def test_the_bare_server_stands_beside_the_hardened_one() -> None:
    (section,) = sections(filled().rows, SERVERS)
    ports, login = section.groups["effects"]
    assert section.bare == BARE
    assert section.phases == ("first boot", "after a reboot")
    assert (ports.bare, ports.seen) == (
        "22, 111",
        {"first boot": "22", "after a reboot": "22, 80"},
    )
    assert (login.bare, login.verdict) == ("", "pass")


def test_the_worst_phase_counts() -> None:
    (section,) = sections(filled().rows, SERVERS)
    assert section.groups["effects"][0].verdict == "FAIL"
    assert [section.count(verdict) for verdict in ("pass", "FAIL", "not applicable")] == [1, 1, 1]


def test_a_failure_is_said_first_and_in_words() -> None:
    text = report(filled())
    head, _, rest = text.partition("<main>")
    assert "✗ 1 failed, 2 passed, 1 not applicable" in words(head)
    assert "✗ FAIL" in rest
    assert 'href="#failed"' in head


def test_success_is_said_in_words_too() -> None:
    table = Table()
    table.add(place(HARDENED, "root's login"), expected="refused", seen="refused")
    text = report(table)
    assert "✓ all 1 passed, 0 not applicable" in words(text)
    assert "What failed" not in text


def test_the_report_needs_no_other_file_and_its_tables_have_headers() -> None:
    read = Reader(report(filled()))
    assert read.open == []
    assert read.outside == []
    assert read.targets <= {f"#{name}" for name in read.ids}
    assert read.count["table"] == read.count["caption"] == read.count["thead"]
    assert all(cell.get("scope") in ("col", "row", "rowgroup") for cell in read.header_cells)


def test_what_was_seen_cannot_write_html() -> None:
    table = Table()
    table.add(place(HARDENED, "banner"), expected="x", seen="<script>alert(1)</script>")
    text = report(table)
    assert "<script" not in text
    assert "&lt;script&gt;" in text


def test_scans_stand_before_and_after_and_what_is_missing_is_said() -> None:
    scans = words(report(filled()).partition('id="scans"')[2].partition("</table>")[0])
    assert "figure Debian 12 bare Debian 12 baseline" in scans
    assert "ssh-audit: fails 6 0" in scans
    assert "Lynis hardening index not measured 72" in scans


def test_the_time_of_the_hardening_is_told() -> None:
    times = words(report(filled()).partition('id="times"')[2].partition("</table>")[0])
    assert "Debian 12 bare 30.0 20.0 60.0 50.0 is bare" in times
    assert "Debian 12 baseline 30.0 20.0 60.0 55.5 +5.5" in times
