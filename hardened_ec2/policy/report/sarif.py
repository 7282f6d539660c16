"""A verdict as SARIF, for GitHub code scanning and editors."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import quote

from hardened_ec2.policy.findings import Finding, Severity
from hardened_ec2.policy.judging.verdict import Standing, Verdict
from hardened_ec2.policy.read.template import UnreadableTemplate
from hardened_ec2.policy.report.release import release
from hardened_ec2.policy.report.summary import finding_counts, rule_counts
from hardened_ec2.policy.rules import RULES
from hardened_ec2.policy.rules.rule import Rule
from hardened_ec2.policy.rules.verification import cannot_verify

_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
# GitHub reads security-severity as a number from 0 to 10.
_WEIGHT = {Severity.ERROR: "8.0", Severity.WARNING: "4.0"}

_INDEX = {rule.id: at for at, rule in enumerate(RULES)}


def as_sarif(verdict: Verdict) -> str:
    """Return a verdict as SARIF 2.1.0.

    Args:
        verdict: The verdict.

    Returns:
        One run: every rule with its reason, fix and verdict, every finding with its place; an
        accepted finding is suppressed, with the reason. An input that could not be read is an error
        of the tool; the counts are a property of the run.

    Source: OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0 Plus Errata
        01"; GitHub, "SARIF support for code scanning".

    Example:
        >>> json.loads(as_sarif(verdict))["version"]
        '2.1.0'
    """
    document = {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "hardened-ec2",
                        "version": release(),
                        "rules": [_rule(rule, verdict.standings[rule.id]) for rule in RULES],
                    }
                },
                "invocations": [
                    {
                        "executionSuccessful": not verdict.unreadable,
                        "toolExecutionNotifications": _notifications(verdict.unreadable),
                    }
                ],
                "artifacts": [
                    {"location": {"uri": _uri(template)}} for template in verdict.templates
                ],
                "results": list(_results(verdict)),
                "columnKind": "unicodeCodePoints",
                "properties": finding_counts(verdict) | {"rules": rule_counts(verdict)},
            }
        ],
    }
    return json.dumps(document, indent=2) + "\n"


def _results(verdict: Verdict) -> Iterator[dict[str, Any]]:
    for finding in verdict.findings:
        unverified = finding.rule == cannot_verify.id
        yield _result(finding, Standing.UNVERIFIED if unverified else Standing.VIOLATED)
    for finding, entry in verdict.accepted:
        suppression = {"kind": "external", "justification": entry.reason}
        yield _result(finding, Standing.ACCEPTED) | {"suppressions": [suppression]}


def _rule(rule: Rule, standing: Standing) -> dict[str, Any]:
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.fact},
        "fullDescription": {"text": rule.why},
        "help": {"text": rule.fix},
        "defaultConfiguration": {"level": rule.severity.value},
        "properties": {
            "tags": ["security", *(str(control) for control in rule.references)],
            "security-severity": _WEIGHT[rule.severity],
            "verdict": standing.value,
        },
    }


def _result(finding: Finding, standing: Standing) -> dict[str, Any]:
    return {
        "ruleId": finding.rule,
        "ruleIndex": _INDEX[finding.rule],
        "level": finding.severity.value,
        "message": {"text": f"{finding.message}. {finding.fix}"},
        "locations": [_location(finding)],
        "properties": {"verdict": standing.value},
        # Without the line number, the fingerprint survives changes above it.
        "partialFingerprints": {"hardenedEc2/v1": _fingerprint(finding)},
    }


def _location(finding: Finding) -> dict[str, Any]:
    location: dict[str, Any] = {
        "physicalLocation": {
            "artifactLocation": {"uri": _uri(finding.template)},
            "region": {"startLine": finding.line or 1},
        }
    }
    if finding.logical_id:
        name = ".".join(part for part in (finding.logical_id, finding.path) if part)
        location["logicalLocations"] = [{"fullyQualifiedName": name, "kind": "resource"}]
    return location


def _notifications(unreadable: Sequence[UnreadableTemplate]) -> list[dict[str, Any]]:
    return [
        {
            "level": "error",
            "message": {"text": str(each)},
            "locations": [{"physicalLocation": {"artifactLocation": {"uri": _uri(each.template)}}}],
        }
        for each in unreadable
    ]


def _fingerprint(finding: Finding) -> str:
    parts = (finding.rule, PurePath(finding.template).name, finding.logical_id, finding.path)
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def _uri(name: str) -> str:
    path = Path(name)
    return path.as_uri() if path.is_absolute() else quote(path.as_posix())
