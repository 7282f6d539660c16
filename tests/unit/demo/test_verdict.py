import json
from pathlib import Path

import pytest

from demo.verdict import REPORT, read_verdict


def violation(rule: str, severity: str, *paths: str, **more: str) -> dict[str, object]:
    return {
        "ruleName": rule,
        "severity": severity,
        "violatingConstructs": [{"constructPath": path} for path in paths],
        **more,
    }


def write_report(assembly: Path, *packs: dict[str, object]) -> None:
    (assembly / REPORT).write_text(json.dumps({"version": "55.0.0", "pluginReports": packs}))


def test_findings_are_counted_by_construct(tmp_path: Path) -> None:
    violations = [violation("A", "error", "S/One", "S/Two"), violation("B", "warning", "S/One")]
    write_report(tmp_path, {"pluginName": "Pack", "violations": violations})

    (verdict,) = read_verdict(tmp_path)

    assert verdict.pack == "Pack"
    assert verdict.findings == {"error": 2, "warning": 1}
    assert verdict.acknowledged == ()


def test_an_acknowledged_finding_is_told_with_its_reason_and_not_counted(tmp_path: Path) -> None:
    answered = violation("A", "error", "S/Two", "S/One", reason="because")
    write_report(
        tmp_path, {"pluginName": "P", "violations": [], "suppressedViolations": [answered]}
    )

    (verdict,) = read_verdict(tmp_path)

    assert verdict.findings == {}
    (acknowledged,) = verdict.acknowledged
    assert (acknowledged.rule, acknowledged.reason) == ("A", "because")
    assert acknowledged.constructs == ("S/One", "S/Two")


def test_an_assembly_that_no_pack_judged_is_no_clean_bill(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_verdict(tmp_path)
