"""OpenSCAP with the profiles of ANSSI: how it is run, and what it reports."""

import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

from lab.image import unpacked
from lab.lynis import Finding

PROFILES = ("minimal", "intermediary", "enhanced")
"""Of ANSSI-BP-028, from the least to the most."""

SCRIPT = "".join(
    "oscap xccdf eval --profile "
    f"xccdf_org.ssgproject.content_profile_anssi_bp28_{profile} "
    f'--results "$OUT/{profile}.xml" "$IN/content.xml" >/dev/null 2>"$OUT/{profile}.log"\n'
    for profile in PROFILES
)

_XCCDF = "{http://checklists.nist.gov/xccdf/1.2}"
_RULE = "xccdf_org.ssgproject.content_rule_"
_FAILED = ("fail", "error", "unknown")


def content() -> Path:
    """Return the rules for Debian 12, which Debian 12's own package does not have."""
    folder = unpacked("trixie", "ssg-debian") / "usr/share/xml/scap/ssg/content"
    return folder / "ssg-debian12-ds.xml"


@dataclass(frozen=True, kw_only=True)
class OpenScapReport:
    """What OpenSCAP says of a server.

    Args:
        score: By the scoring model of XCCDF, out of 100.
        passed: How many rules passed.
        findings: The rules that did not.
    """

    score: float
    passed: int
    findings: tuple[Finding, ...]


def openscap_report(text: bytes) -> OpenScapReport:
    """Read the results of one profile.

    Args:
        text: XCCDF, with the rules and one test result.

    Raises:
        ValueError: If there is no score in it.
    """
    root = ET.fromstring(text)  # noqa: S314 - written by oscap, of Debian's own rules
    score = root.findtext(f".//{_XCCDF}TestResult/{_XCCDF}score")
    if score is None:
        raise ValueError("the results of OpenSCAP have no score: the evaluation did not end")
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
