"""Lynis: how it runs on a server, and its report."""

from collections.abc import Iterator
from dataclasses import dataclass

from lab.machines.image import File
from lab.scanners.finding import Finding

SKIPPED = (
    "PKGS-7392",  # waits minutes for the package mirror
    "CRYP-7902",  # reads every certificate of ca-certificates, for minutes
    "KRNL-5830",  # compares the running kernel with the image's, which the lab boots from outside
)
"""Tests that no server runs."""

SETTINGS = {"/etc/lynis/custom.prf": File(text="".join(f"skip-test={test}\n" for test in SKIPPED))}
"""Lynis' own profile, a file of the image."""

SCRIPT = """\
lynis audit system --quick --no-colors --quiet
cp /var/log/lynis-report.dat "$OUT/lynis.dat"
"""
"""Shell commands that scan the server and leave the report in "$OUT"."""


@dataclass(frozen=True, kw_only=True)
class LynisReport:
    """Lynis' report of a server.

    Args:
        index: The hardening index, out of 100.
        findings: Its warnings, then its suggestions.
    """

    index: int
    findings: tuple[Finding, ...]


def lynis_report(text: str) -> LynisReport:
    """Read a report.

    Args:
        text: The content of lynis-report.dat.

    Raises:
        ValueError: If it has no hardening index, because the audit did not finish.
    """
    index = next((value for key, value in _pairs(text) if key == "hardening_index"), None)
    if index is None:
        raise ValueError("Lynis' report has no hardening index: the audit did not finish")
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
