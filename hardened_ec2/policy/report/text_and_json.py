"""A verdict as text and as JSON."""

import json
from collections.abc import Iterator
from typing import Any

from hardened_ec2.policy.findings import Finding
from hardened_ec2.policy.judging.verdict import Verdict
from hardened_ec2.policy.report.summary import finding_counts, rule_counts
from hardened_ec2.policy.rules.verification import cannot_verify


def as_json(verdict: Verdict) -> str:
    """Return a verdict as JSON.

    Args:
        verdict: The verdict.

    Returns:
        One object: ``findings``, ``accepted`` (findings with their reasons), ``unreadable`` (inputs
        with the reason), ``rules`` (the verdict on each rule, by id) and ``summary`` (the counts of
        findings and of rules).

    Source: RFC 8259.

    Example:
        >>> json.loads(as_json(verdict))["rules"]["HardenedEc2-ImdsV2"]
        'violated'
    """
    document: dict[str, Any] = {
        "findings": [_object(finding) for finding in verdict.findings],
        "accepted": [
            _object(finding) | {"reason": entry.reason} for finding, entry in verdict.accepted
        ],
        "unreadable": [
            {"template": each.template, "reason": each.reason} for each in verdict.unreadable
        ],
        "rules": verdict.standings,
        "summary": finding_counts(verdict) | {"rules": rule_counts(verdict)},
    }
    return json.dumps(document, indent=2) + "\n"


def as_text(verdict: Verdict) -> str:
    """Return a verdict as lines for a terminal or a log.

    Args:
        verdict: The verdict.

    Returns:
        Each finding with its place and fix, the accepted ones with their reasons, the inputs that
        could not be read, and the counts of rules and findings.

    Example:
        >>> as_text(verdict).splitlines()[0]
        'ERROR cdk.out/Web.template.json:143 Server Properties.MetadataOptions.HttpTokens'
    """
    return "".join(f"{line}\n" for line in _lines(verdict))


def _lines(verdict: Verdict) -> Iterator[str]:
    for finding in verdict.findings:
        line = f":{finding.line}" if finding.line else ""
        place = " ".join(part for part in (finding.logical_id, finding.path) if part)
        unverified = finding.rule == cannot_verify.id
        label = "NOT VERIFIED " if unverified else f"{finding.severity.value.upper():8}"
        yield _plain(f"{label}{finding.template}{line} {place}")
        yield f"        {_plain(finding.message)} ({finding.rule})"
        yield f"        fix: {_plain(finding.fix)}"
    for finding, entry in verdict.accepted:
        yield _plain(f"ACCEPTED {finding.place} ({finding.rule}): {entry.reason}")
    for each in verdict.unreadable:
        yield _plain(f"UNREADABLE {each}")
    yield f"rules: {', '.join(f'{word} {n}' for word, n in rule_counts(verdict).items())}"
    yield ", ".join(_count(n, word) for word, n in finding_counts(verdict).items())


def _count(number: int, words: str) -> str:
    return f"{number} {words.removesuffix('s') if number == 1 else words}"


def _plain(text: str) -> str:
    """Replace unprintable characters, so that no template controls the terminal."""
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
