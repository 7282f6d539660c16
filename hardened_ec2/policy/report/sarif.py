"""A verdict as SARIF, which GitHub code scanning and editors show beside the template's lines."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import quote

from hardened_ec2.policy.findings import Finding, Severity
from hardened_ec2.policy.judging.verdict import Verdict
from hardened_ec2.policy.read.template import UnreadableTemplate
from hardened_ec2.policy.report.release import release
from hardened_ec2.policy.rules import RULES
from hardened_ec2.policy.rules.rule import Rule

_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
# What GitHub calls the weight of a security finding, of ten.
_WEIGHT = {Severity.ERROR: "8.0", Severity.WARNING: "4.0"}


def as_sarif(verdict: Verdict) -> str:
    """Return a verdict as SARIF 2.1.0.

    Args:
        verdict: The verdict.

    Returns:
        One run: every rule with its reason and fix, every finding with its place; an accepted one
        is suppressed, with the reason. A template that could not be read is an error of the
        tool, so that nobody takes it for a pass.

    Source: OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0 Plus Errata
        01"; GitHub, "SARIF support for code scanning".

    Example:
        >>> json.loads(as_sarif(verdict))["version"]
        '2.1.0'
    """
    index = {rule.id: at for at, rule in enumerate(RULES)}
    results = [_result(finding, index) for finding in verdict.findings]
    for finding, entry in verdict.accepted:
        suppression = {"kind": "external", "justification": entry.reason}
        results.append(_result(finding, index) | {"suppressions": [suppression]})
    document = {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "hardened-ec2",
                        "version": release(),
                        "rules": [_rule(rule) for rule in RULES],
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
                "results": results,
                "columnKind": "unicodeCodePoints",
            }
        ],
    }
    return json.dumps(document, indent=2) + "\n"


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.fact},
        "fullDescription": {"text": rule.why},
        "help": {"text": rule.fix},
        "defaultConfiguration": {"level": rule.severity.value},
        "properties": {
            "tags": ["security", *(str(control) for control in rule.references)],
            "security-severity": _WEIGHT[rule.severity],
        },
    }


def _result(finding: Finding, index: dict[str, int]) -> dict[str, Any]:
    return {
        "ruleId": finding.rule,
        "ruleIndex": index[finding.rule],
        "level": finding.severity.value,
        "message": {"text": f"{finding.message}. {finding.fix}"},
        "locations": [_location(finding)],
        # Without the line: it stays the same finding when something above it changes.
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
