"""Findings of the policy packs, from the assembly's validation report."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPORT = "validation-report.json"


@dataclass(frozen=True, kw_only=True)
class Acknowledged:
    """A finding that the app acknowledges.

    Args:
        rule: The rule's id in its pack.
        constructs: Where it was found.
        reason: The reason in the acknowledgement.
    """

    rule: str
    constructs: tuple[str, ...]
    reason: str


@dataclass(frozen=True, kw_only=True)
class PackVerdict:
    """Findings of one pack.

    Args:
        pack: The pack's name.
        findings: The number of findings that are not acknowledged, by severity.
        acknowledged: The acknowledged findings.
    """

    pack: str
    findings: Mapping[str, int]
    acknowledged: tuple[Acknowledged, ...]


def read_verdict(assembly: Path) -> tuple[PackVerdict, ...]:
    """Read the findings of every pack that has some.

    Args:
        assembly: What `cdk synth` wrote.

    Returns:
        One verdict for each pack in the report. A pack that found nothing is not in it: the CDK
        writes only findings down.

    Raises:
        FileNotFoundError: If the assembly holds no report, so that no pack can have run.
    """
    report = json.loads((assembly / REPORT).read_text(encoding="utf-8"))
    return tuple(_pack(each) for each in report["pluginReports"])


def _pack(report: Mapping[str, Any]) -> PackVerdict:
    found: Counter[str] = Counter()
    for violation in report["violations"]:
        found[violation["severity"]] += len(violation["violatingConstructs"])
    return PackVerdict(
        pack=report["pluginName"],
        findings=dict(found),
        acknowledged=tuple(
            Acknowledged(
                rule=violation["ruleName"],
                constructs=tuple(
                    sorted(where["constructPath"] for where in violation["violatingConstructs"])
                ),
                reason=violation.get("reason", ""),
            )
            for violation in report.get("suppressedViolations", [])
        ),
    )
