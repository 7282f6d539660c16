"""What an app acknowledged, read from its assembly; a broken report acknowledges nothing."""

import json
from pathlib import Path
from typing import Any

import pytest

from hardened_ec2.policy.judging.collection import collect
from hardened_ec2.policy.judging.validation_report import read_acknowledgements
from hardened_ec2.policy.judging.verdict import Verdict, verdict
from hardened_ec2.policy.report.text_and_json import as_json

OPEN = {
    "Resources": {
        "Group": {
            "Type": "AWS::EC2::SecurityGroup",
            "Properties": {
                "GroupDescription": "open",
                "SecurityGroupEgress": [],
                "SecurityGroupIngress": [
                    {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIp": "0.0.0.0/0"}
                ],
            },
        }
    }
}
RULE = "HardenedEc2-AdminPortOpenToWorld"


def suppressed(**changes: Any) -> dict[str, Any]:  # noqa: ANN401
    resource = {
        "templatePath": "Stack.template.json",
        "logicalId": "Group",
        "propertyPaths": ["Properties.SecurityGroupIngress.0"],
    }
    construct = {"constructPath": "Stack/Group/Resource", "cloudFormationResource": resource}
    return {
        "ruleName": RULE,
        "description": "open",
        "violatingConstructs": [construct],
        "reason": "A honeypot.",
        "acknowledgedAt": "Stack/Group",
        **changes,
    }


def assembly(folder: Path, *violations: object, pack: str = "HardenedEc2") -> Path:
    properties = {"templateFile": "Stack.template.json"}
    artifact = {"type": "aws:cloudformation:stack", "properties": properties}
    manifest = {"version": "1", "artifacts": {"Stack": artifact}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "Stack.template.json").write_text(json.dumps(OPEN))
    report = {"pluginReports": [{"pluginName": pack, "suppressedViolations": list(violations)}]}
    (folder / "validation-report.json").write_text(json.dumps(report))
    return folder


def judged(folder: Path) -> Verdict:
    return verdict(collect([folder]))


def test_what_the_app_acknowledged_is_accepted_with_its_reason(tmp_path: Path) -> None:
    found = judged(assembly(tmp_path, suppressed()))
    ((finding, entry),) = found.accepted
    assert finding.rule == RULE
    assert (entry.reason, entry.where) == ("A honeypot.", "Stack/Group")
    assert found.exit_code == 0
    (accepted,) = json.loads(as_json(found))["accepted"]
    assert accepted["reason"] == "A honeypot."


def test_a_template_that_is_named_by_itself_is_judged_without(tmp_path: Path) -> None:
    assembly(tmp_path, suppressed())
    assert verdict(collect([tmp_path / "Stack.template.json"])).exit_code == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"ruleName": "HardenedEc2-ImdsV2"},
        {"reason": "  "},
        {"violatingConstructs": [{"constructPath": "Stack/Group/Resource"}]},
        {"violatingConstructs": "Group"},
    ],
)
def test_nothing_else_is_accepted(tmp_path: Path, changes: dict[str, Any]) -> None:
    assert judged(assembly(tmp_path, suppressed(**changes))).exit_code == 1


def test_another_pack_accepts_nothing_here_but_is_reported(tmp_path: Path) -> None:
    found = judged(assembly(tmp_path, suppressed(), pack="AwsSolutions"))
    assert found.accepted == ()
    (kept,) = found.acknowledged
    assert (kept.pack, kept.construct) == ("AwsSolutions", "Stack/Group/Resource")


@pytest.mark.parametrize(
    "text",
    ["", "[", "[]", "null", '{"pluginReports": 1}', '{"pluginReports": [{}, 1]}', "[" * 100_000],
)
def test_a_report_that_is_none_acknowledges_nothing(tmp_path: Path, text: str) -> None:
    assembly(tmp_path, suppressed())
    (tmp_path / "validation-report.json").write_text(text)
    assert read_acknowledgements(tmp_path) == ()
    assert judged(tmp_path).exit_code == 1
