"""OpenSCAP with ANSSI's profiles: how it runs on a server, and its results."""

import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

from lab.machines.image import unpacked
from lab.scanners.finding import Finding

PROFILES = ("minimal", "intermediary", "enhanced")
"""Profiles of ANSSI-BP-028, from the fewest rules to the most."""

EXPLAINED = PROFILES[:2]
"""Profiles whose findings on a strict server all need a waiver."""

SCRIPT = "".join(
    "oscap xccdf eval --profile "
    f"xccdf_org.ssgproject.content_profile_anssi_bp28_{profile} "
    f'--results "$OUT/{profile}.xml" "$IN/content.xml" >/dev/null 2>"$OUT/{profile}.log"\n'
    for profile in PROFILES
)
"""Shell commands that evaluate "$IN/content.xml" and leave the results in "$OUT"."""

_XCCDF = "{http://checklists.nist.gov/xccdf/1.2}"
_RULE = "xccdf_org.ssgproject.content_rule_"
_FAILED = ("fail", "error", "unknown")


def content() -> Path:
    """Return the file of rules for Debian 12, which only Debian 13 packages."""
    folder = unpacked("trixie", "ssg-debian") / "usr/share/xml/scap/ssg/content"
    return folder / "ssg-debian12-ds.xml"


@dataclass(frozen=True, kw_only=True)
class OpenScapReport:
    """OpenSCAP's results of one profile.

    Args:
        score: The score of XCCDF's default model, out of 100.
        passed: The count of rules that passed.
        findings: The rules that failed or could not be evaluated.
    """

    score: float
    passed: int
    findings: tuple[Finding, ...]


def openscap_report(text: bytes) -> OpenScapReport:
    """Read the results of one profile.

    Args:
        text: XCCDF with the rules and one test result.

    Raises:
        ValueError: If it has no score, because the evaluation did not finish.
    """
    root = ET.fromstring(text)  # noqa: S314 - written by oscap from Debian's own rules
    score = root.findtext(f".//{_XCCDF}TestResult/{_XCCDF}score")
    if score is None:
        raise ValueError("OpenSCAP's results have no score: the evaluation did not finish")
    titles = {
        rule.get("id"): rule.findtext(f"{_XCCDF}title") for rule in root.iter(f"{_XCCDF}Rule")
    }
    results = [
        (rule.get("idref", ""), rule.findtext(f"{_XCCDF}result"))
        for rule in root.iter(f"{_XCCDF}rule-result")
    ]
    return OpenScapReport(
        score=round(float(score), 1),
        passed=sum(result == "pass" for _, result in results),
        findings=tuple(
            Finding(id=rule.removeprefix(_RULE), title=titles.get(rule) or "")
            for rule, result in results
            if result in _FAILED
        ),
    )
