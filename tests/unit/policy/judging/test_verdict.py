"""The verdict in every form: findings, acceptances, passes, and what could not be judged."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from hardened_ec2.policy import RULES, Finding, Template
from hardened_ec2.policy.judging.baseline import Accepted, Baseline, written
from hardened_ec2.policy.judging.collection import Collection, collect
from hardened_ec2.policy.judging.configuration import read_settings
from hardened_ec2.policy.judging.judgement import judge_case
from hardened_ec2.policy.judging.verdict import Standing, Verdict, verdict
from hardened_ec2.policy.report.sarif import as_sarif
from hardened_ec2.policy.report.text_and_json import as_json, as_text
from hardened_ec2.policy.rules.case import Case
from hardened_ec2.policy.rules.rule import Outcome

OPEN = """\
Resources:
  Group:
    Type: AWS::EC2::SecurityGroup
    Properties:
      GroupDescription: open
      SecurityGroupEgress: []
      SecurityGroupIngress:
        - {IpProtocol: tcp, FromPort: 22, ToPort: 22, CidrIp: 0.0.0.0/0}
"""
RULE = "HardenedEc2-AdminPortOpenToWorld"


@pytest.fixture
def template(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("open.yaml").write_text(OPEN)
    return Path("open.yaml")


@pytest.fixture
def found(template: Path) -> Verdict:
    return verdict(collect([template, Path("missing.json")]))


def test_json_has_the_shape_that_programs_rely_on(found: Verdict) -> None:
    document = json.loads(as_json(found))
    (finding,) = (each for each in document["findings"] if each["rule"] == RULE)
    assert finding["severity"] == "error"
    assert (finding["template"], finding["logical_id"], finding["line"]) == (
        "open.yaml",
        "Group",
        8,
    )
    assert "0.0.0.0/0" in finding["message"]
    assert finding["fix"]
    assert "checkov CKV_AWS_24" in finding["references"]
    assert document["unreadable"] == [
        {"template": "missing.json", "reason": "it cannot be read: No such file or directory"}
    ]
    assert document["summary"]["templates"] == 1
    assert document["summary"]["errors"] == 1
    assert list(document["rules"]) == [rule.id for rule in RULES]
    assert document["rules"][RULE] == "violated"
    assert document["rules"]["HardenedEc2-ImdsV2"] == "nothing to examine"
    assert set(document) == {"findings", "accepted", "unreadable", "rules", "summary"}


def test_a_rule_in_doubt_does_not_hold(template: Path) -> None:
    template.write_text(
        "Parameters: {Tokens: {Type: String}}\n"
        "Resources:\n  Server:\n    Type: AWS::EC2::Instance\n"
        "    Properties: {MetadataOptions: {HttpTokens: !Ref Tokens}}\n"
    )
    found = verdict(collect([template]))
    assert "HardenedEc2-ImdsV2" not in {finding.rule for finding in found.findings}
    assert found.standings["HardenedEc2-ImdsV2"] is Standing.UNVERIFIED
    assert found.standings["HardenedEc2-CannotVerify"] is Standing.UNVERIFIED
    assert "NOT VERIFIED open.yaml:5 Server" in as_text(found)


def test_files_that_are_named_are_deployed_together(tmp_path: Path) -> None:
    network = "Outputs: {Id: {Value: !Ref Group, Export: {Name: web-group}}}\n"
    (tmp_path / "network.yaml").write_text(OPEN + network)
    (tmp_path / "server.yaml").write_text(
        "Resources:\n  Server:\n    Type: AWS::EC2::Instance\n"
        "    Properties: {SecurityGroupIds: [!ImportValue web-group]}\n"
    )

    def doubts(*names: str) -> list[str]:
        found = verdict(collect([tmp_path / name for name in names])).findings
        return [each.message for each in found if "SecurityGroupIds" in each.path]

    assert doubts("server.yaml")
    assert doubts("server.yaml", "network.yaml") == []


def test_no_rule_holds_where_nothing_was_judged() -> None:
    found = verdict(collect([Path("missing.json")]))
    assert set(found.standings.values()) == {Standing.NOTHING}


def test_text_says_place_fault_and_fix(found: Verdict) -> None:
    text = as_text(found)
    assert "ERROR open.yaml:8 Group Properties.SecurityGroupIngress.0\n" in text
    assert f"({RULE})\n        fix: Allow only the addresses" in text
    assert "UNREADABLE missing.json: it cannot be read" in text
    assert text.splitlines()[-1].startswith("1 template, 1 error, ")


def test_a_template_cannot_write_to_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "open.yaml"
    path.write_text(OPEN.replace("Group:", '"Gr\\e[2Joup":'))
    assert "\x1b" not in as_text(verdict(collect([path])))


@pytest.mark.parametrize(
    ("paths", "code"), [(["open.yaml"], 1), (["sound.yaml"], 0), (["open.yaml", "none.yaml"], 2)]
)
def test_the_exit_code_says_the_worst(template: Path, paths: list[str], code: int) -> None:
    template.with_name("sound.yaml").write_text("Resources: {Topic: {Type: AWS::SNS::Topic}}")
    assert verdict(collect([Path(each) for each in paths])).exit_code == code


# A small part of the schema: what code scanning reads.
SARIF = {
    "type": "object",
    "required": ["$schema", "version", "runs"],
    "properties": {
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["tool", "results"],
                "properties": {
                    "results": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["ruleId", "level", "message", "locations"],
                            "properties": {
                                "level": {"enum": ["none", "note", "warning", "error"]},
                                "message": {"type": "object", "required": ["text"]},
                                "locations": {
                                    "type": "array",
                                    "minItems": 1,
                                    "items": {
                                        "type": "object",
                                        "required": ["physicalLocation"],
                                    },
                                },
                            },
                        },
                    }
                },
            },
        },
    },
}


def run_of(found: Verdict) -> dict[str, Any]:
    document = json.loads(as_sarif(found))
    jsonschema.validate(document, SARIF)
    (run,) = document["runs"]
    assert isinstance(run, dict)
    return run


def test_sarif_has_rules_places_and_fingerprints(found: Verdict) -> None:
    run = run_of(found)
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == [rule.id for rule in RULES]
    (result,) = (each for each in run["results"] if each["ruleId"] == RULE)
    assert rules[result["ruleIndex"]]["id"] == RULE
    place = result["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "open.yaml"}, "region": {"startLine": 8}}
    name = result["locations"][0]["logicalLocations"][0]["fullyQualifiedName"]
    assert name == "Group.Properties.SecurityGroupIngress.0"
    assert run["invocations"][0]["executionSuccessful"] is False
    (notification,) = run["invocations"][0]["toolExecutionNotifications"]
    assert notification["message"]["text"].startswith("missing.json: it cannot be read")


def test_a_fingerprint_stays_when_lines_move(template: Path) -> None:
    before = run_of(verdict(collect([template])))["results"]
    template.write_text(f"# moved\n\n{OPEN}")
    after = run_of(verdict(collect([template])))["results"]
    assert [each["partialFingerprints"] for each in before] == [
        each["partialFingerprints"] for each in after
    ]
    assert before != after


def test_an_accepted_finding_fails_no_more_and_keeps_its_reason(template: Path) -> None:
    baseline = Baseline(
        accepted=(
            Accepted(rule=RULE, template="./open.yaml", logical_id="Group", reason="A honeypot."),
        )
    )
    found = verdict(collect([template]), baseline=baseline)
    assert found.exit_code == 0
    assert found.standings[RULE] is Standing.ACCEPTED
    (accepted,) = json.loads(as_json(found))["accepted"]
    assert (accepted["rule"], accepted["reason"]) == (RULE, "A honeypot.")
    (result,) = (each for each in run_of(found)["results"] if each["ruleId"] == RULE)
    assert result["suppressions"] == [{"kind": "external", "justification": "A honeypot."}]
    assert "A honeypot." in as_text(found)


def test_a_baseline_that_is_written_wants_reasons(template: Path) -> None:
    findings = verdict(collect([template])).findings
    file = template.with_name("baseline.json")
    file.write_text(written(findings))
    with pytest.raises(ValueError, match=r"entry 1: .* accepted without a reason"):
        Baseline.load(file)
    file.write_text(written(findings).replace('"reason": ""', '"reason": "A honeypot."'))
    accepted = Baseline.load(file)
    assert verdict(collect([template]), baseline=accepted).findings == ()
    assert accepted.stale([]) == accepted.accepted
    assert accepted.stale(findings) == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "is not a baseline: write"),
        ('{"accepted": [7]}', "entry 1 is 7: write an object with rule"),
        ('{"accepted": [{"id": "x"}]}', "entry 1 has 'id': rule, template"),
        ('{"accepted": [{"rule": "x"}]}', "entry 1 has no string for 'template'"),
    ],
)
def test_a_baseline_that_is_none_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "baseline.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        Baseline.load(tmp_path / "baseline.json")


def test_settings_are_read_from_toml(tmp_path: Path) -> None:
    file = tmp_path / "hardened-ec2.toml"
    file.write_text(
        'whitelist_width = 16\npublic_ports = [443]\n[administrative_ports]\n22 = "SSH"\n'
    )
    settings = read_settings(file)
    assert settings.whitelist_width == 16
    assert settings.public_ports == {443}
    assert settings.administrative_ports == {22: "SSH"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("=", "is not TOML"),
        ("width = 1", "sets 'width': write one of whitelist_width, administrative_ports"),
        ("whitelist_width = 0", "whitelist_width is 0: write a whole number"),
        ("public_ports = 80", "public_ports is 80: write a list of ports"),
        ("public_ports = ['a']", "public_ports holds 'a': write port numbers"),
        ("administrative_ports = [22]", "administrative_ports is .22.: write a table"),
        ("[administrative_ports]\nssh = 'SSH'", "administrative_ports holds 'ssh': write port"),
        ("public_ports = [22]", "port 22 is in both administrative_ports and public_ports"),
    ],
)
def test_settings_that_are_wrong_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "hardened-ec2.toml").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_settings(tmp_path / "hardened-ec2.toml")


def test_a_rule_that_fails_is_no_pass(template: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = template.with_name("sound.yaml")
    sound.write_text("Resources: {Topic: {Type: AWS::SNS::Topic}}")

    def fails_on_open(case: Case) -> Iterator[Outcome]:
        if any("open" in each.name for each in case.deployment.templates):
            raise KeyError("Group")
        yield from ()

    rule = type(RULES[0])(**{**vars(RULES[0]), "check": fails_on_open})

    def judged(case: Case) -> list[Finding]:
        return judge_case(case, rules=[rule])

    monkeypatch.setattr("hardened_ec2.policy.judging.verdict.judge_case", judged)
    loaded = tuple(Template.load(each) for each in (template, sound))
    found = verdict(Collection(templates=loaded, unreadable=()))
    assert found.templates == ("sound.yaml",)
    assert found.exit_code == 2
    (unreadable,) = found.unreadable
    assert f"rule {RULES[0].id} failed with KeyError" in unreadable.reason
