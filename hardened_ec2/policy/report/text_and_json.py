"""A verdict as text for people and as JSON for programs."""

import json
from collections.abc import Iterator
from typing import Any

from hardened_ec2.policy.findings import Finding, Severity
from hardened_ec2.policy.judging.verdict import Verdict


def as_json(verdict: Verdict) -> str:
    """Return a verdict as JSON.

    Args:
        verdict: The verdict.

    Returns:
        One object: ``findings``, ``passed`` (ids of rules), ``unreadable`` and ``summary``; with a
        baseline also ``accepted``.

    Source: RFC 8259.

    Example:
        >>> json.loads(as_json(verdict))["summary"]
        {'templates': 1, 'errors': 1, 'warnings': 0}
    """
    document: dict[str, Any] = {
        "findings": [_object(finding) for finding in verdict.findings],
        "passed": list(verdict.passed),
        "unreadable": [
            {"template": each.template, "reason": each.reason} for each in verdict.unreadable
        ],
        "summary": {
            "templates": len(verdict.templates),
            "errors": verdict.count(Severity.ERROR),
            "warnings": verdict.count(Severity.WARNING),
        },
    }
    if verdict.accepted:
        document["accepted"] = [
            _object(finding) | {"reason": entry.reason} for finding, entry in verdict.accepted
        ]
    return json.dumps(document, indent=2) + "\n"


def as_text(verdict: Verdict) -> str:
    """Return a verdict as lines for a terminal or a log.

    Args:
        verdict: The verdict.

    Returns:
        Each finding with its place and its fix, what could not be read, and a summary.

    Example:
        >>> as_text(verdict).splitlines()[0]
        'ERROR cdk.out/Web.template.json:143 Server Properties.MetadataOptions.HttpTokens'
    """
    return "".join(f"{line}\n" for line in _lines(verdict))


def _lines(verdict: Verdict) -> Iterator[str]:
    for finding in verdict.findings:
        line = f":{finding.line}" if finding.line else ""
        place = " ".join(part for part in (finding.logical_id, finding.path) if part)
        yield _plain(f"{finding.severity.value.upper():8}{finding.template}{line} {place}")
        yield f"        {_plain(finding.message)} ({finding.rule})"
        yield f"        fix: {_plain(finding.fix)}"
    for finding, entry in verdict.accepted:
        yield _plain(f"ACCEPTED {finding.place} ({finding.rule}): {entry.reason}")
    for each in verdict.unreadable:
        yield _plain(f"UNREADABLE {each}")
    summary = (
        f"{_count(len(verdict.templates), 'template')}, "
        f"{_count(verdict.count(Severity.ERROR), 'error')}, "
        f"{_count(verdict.count(Severity.WARNING), 'warning')}"
    )
    if verdict.accepted:
        summary += f", {len(verdict.accepted)} accepted"
    if verdict.unreadable:
        summary += f", {len(verdict.unreadable)} unreadable"
    yield f"{summary}; {_count(len(verdict.passed), 'rule')} hold"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _plain(text: str) -> str:
    """Keep what a template says from writing to the terminal."""
    return "".join(each if each.isprintable() else "?" for each in " ".join(text.split()))


def _object(finding: Finding) -> dict[str, Any]:
    return {
        "rule": finding.rule,
        "severity": finding.severity.value,
        "logical_id": finding.logical_id,
        "path": finding.path,
        "template": finding.template,
        "line": finding.line,
        "message": finding.message,
        "fix": finding.fix,
        "references": list(finding.references),
    }
