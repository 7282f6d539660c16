"""Lynis: how it is run, and what it reports."""

from collections.abc import Iterator
from dataclasses import dataclass

from lab.image import File

SKIPPED = (
    "PKGS-7392",  # asks the package mirror for minutes
    "CRYP-7902",  # reads every certificate of ca-certificates, for minutes
    "KRNL-5830",  # is the newest kernel running? here it is none of the image's
)
"""Tests that are left out, of every server alike."""

SETTINGS = {"/etc/lynis/custom.prf": File(text="".join(f"skip-test={test}\n" for test in SKIPPED))}
"""What an image needs to be scanned."""

SCRIPT = """\
lynis audit system --quick --no-colors --quiet
cp /var/log/lynis-report.dat "$OUT/lynis.dat"
"""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something that a scanner is not content with.

    Args:
        id: The test or the rule.
        title: What it says.
        detail: What it is about, if it says so.
    """

    id: str
    title: str
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class LynisReport:
    """What Lynis says of a server.

    Args:
        index: The hardening index, out of 100.
        findings: Its warnings, then its suggestions.
    """

    index: int
    findings: tuple[Finding, ...]


def lynis_report(text: str) -> LynisReport:
    """Read a report.

    Args:
        text: lynis-report.dat.

    Raises:
        ValueError: If it has no hardening index: the audit did not come to its end.
    """
    index = next((value for key, value in _pairs(text) if key == "hardening_index"), None)
    if index is None:
        raise ValueError("the report of Lynis has no hardening index: the audit did not end")
    found = [
        _finding(value)
        for kind in ("warning[]", "suggestion[]")
        for key, value in _pairs(text)
        if key == kind
    ]
    return LynisReport(index=int(index), findings=tuple(dict.fromkeys(found)))


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        key, separator, value = line.partition("=")
        if separator:
            yield key, value


def _finding(value: str) -> Finding:
    test, title, detail, *_ = [*value.split("|"), "", ""]
    return Finding(id=test, title=title, detail="" if detail == "-" else detail)
