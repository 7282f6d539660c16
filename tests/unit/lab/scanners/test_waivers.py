"""The waivers: their file, its parser, and docs/SCANNERS.md, which repeats every reason."""

import re
from pathlib import Path

import pytest

from lab.scanners.finding import Finding
from lab.scanners.waivers import Waiver, read_waivers

DOCUMENT = Path(__file__).parents[4] / "docs" / "SCANNERS.md"
ROW = re.compile(r"^\| `([^`]+)` \| (.+) \| (.+) \|$", re.MULTILINE)

OWN = read_waivers()
WAIVERS = [*OWN.lynis, *OWN.openscap]
LEFT = [
    (Finding(id=test, title=wants.replace(r"\|", "|")), reason)
    for test, wants, reason in ROW.findall(DOCUMENT.read_text(encoding="utf-8"))
]

PORT = Finding(id="SSH-7408", title="Consider hardening", detail="Port (set 22 to )")


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "waivers.toml"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.parametrize("waiver", WAIVERS, ids=lambda each: f"{each.id} {each.about}".strip())
def test_every_waiver_is_about_a_finding_that_the_document_lists_with_the_reason(
    waiver: Waiver,
) -> None:
    reasons = {reason for finding, reason in LEFT if waiver.covers(finding)}
    assert reasons == {waiver.reason}


def test_every_finding_in_the_document_has_a_waiver() -> None:
    assert [found.id for found, _ in LEFT if not any(each.covers(found) for each in WAIVERS)] == []
    assert len(LEFT) >= len(WAIVERS)


@pytest.mark.parametrize(
    "waiver",
    [Waiver(id="SSH-7408", reason="x."), Waiver(id="SSH-7408", about="Port", reason="x.")],
    ids=["every finding of the test", "one finding"],
)
def test_a_waiver_covers_its_finding(waiver: Waiver) -> None:
    assert waiver.covers(PORT)


@pytest.mark.parametrize(
    "waiver",
    [
        Waiver(id="SSH-740", reason="x."),
        Waiver(id="SSH-7408", about="MaxSessions", reason="x."),
    ],
    ids=["the beginning of the id", "another finding of the test"],
)
def test_a_waiver_covers_no_other_finding(waiver: Waiver) -> None:
    assert not waiver.covers(PORT)


def test_each_id_of_a_table_is_a_waiver(tmp_path: Path) -> None:
    read = read_waivers(
        written(tmp_path, '[[lynis]]\nids = ["A-1", "A-2"]\nabout = "word"\nreason = "Because."\n')
    )
    assert read.lynis == (
        Waiver(id="A-1", about="word", reason="Because."),
        Waiver(id="A-2", about="word", reason="Because."),
    )
    assert read.openscap == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[lynis", "is not TOML: "),
        ("\xff", "is not TOML: "),
        ("[[nessus]]\n", r"has 'nessus': write \[\[lynis\]\] or \[\[openscap\]\]"),
        ("lynis = 1\n", r"lynis is 1: write tables \[\[lynis\]\]"),
        ("lynis = [1]\n", r"lynis is \[1\]: write tables \[\[lynis\]\]"),
        (
            '[[lynis]]\nids = ["A-1"]\nreson = "x."\n',
            r"\[\[lynis\]\] sets 'reson': write about, ids, reason",
        ),
        ('[[lynis]]\nids = ["A-1"]\n', "has no reason: write ids and reason"),
        ('[[lynis]]\nreason = "x."\n', "has no ids: write ids and reason"),
        ('[[lynis]]\nids = []\nreason = "x."\n', r"the ids \[\]: write a list of tests or rules"),
        (
            '[[lynis]]\nids = "A-1"\nreason = "x."\n',
            "the ids 'A-1': write a list of tests or rules",
        ),
        ('[[lynis]]\nids = [1]\nreason = "x."\n', "the id is 1: write up to 100 letters"),
        ('[[lynis]]\nids = ["A-*"]\nreason = "x."\n', r"the id is 'A-\*': write up to 100"),
        ('[[lynis]]\nids = ["A-1"]\nreason = ""\n', "the reason '': write one line"),
        ('[[lynis]]\nids = ["A-1"]\nreason = 1\n', "the reason 1: write one line"),
        ('[[lynis]]\nids = ["A-1"]\nreason = "a|b."\n', r"the reason 'a\|b.': .* without '\|'"),
        ('[[lynis]]\nids = ["A-1"]\nreason = "a\\nb."\n', r"write one line of 1 to 400"),
        (f'[[lynis]]\nids = ["A-1"]\nreason = "{"x" * 400}."\n', "one line of 1 to 400"),
        ('[[lynis]]\nids = ["A-1"]\nreason = "x"\n', r"write sentences that end with '\.'"),
        (
            '[[lynis]]\nids = ["A-1"]\nabout = 1\nreason = "x."\n',
            "A-1 is about 1: write a word of the finding",
        ),
        (
            '[[lynis]]\nids = ["A-1", "A-1"]\nreason = "x."\n',
            "lynis has 2 waivers of A-1, about '': write one",
        ),
        ("#" * 65_537, "has 65537 bytes: at most 65536 are allowed"),
    ],
)
def test_anything_else_in_the_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "waivers.toml"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=f"^{re.escape(str(file))}:? .*{message}"):
        read_waivers(file)
