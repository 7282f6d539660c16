"""HardenedEc2Checks: the policy at synth, its acknowledgements, and its own failure."""

import json
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from cdk_nag import AwsSolutionsChecks, NagPack, NIST80053R5Checks

from hardened_ec2 import HardenedEc2Checks, HardenedInstance, HardenedVpc, SshAccess
from hardened_ec2.policy import RULES, Settings

IMDS_V2 = "HardenedEc2-ImdsV2"


class Synth:
    """An app with the pack, and what synthesizing it came to."""

    def __init__(self, out: Path) -> None:
        self.app = cdk.App(outdir=str(out), builtin_cloud_formation_validation=False)
        self.stack = cdk.Stack(self.app, "Stack")
        self._report = out / "validation-report.json"
        self.passed = False

    def run(self, pack: HardenedEc2Checks | None = None) -> dict[str, Any]:
        cdk.Validations.of(self.app).add_plugins(pack or HardenedEc2Checks(self.app))
        try:
            self.app.synth()
            self.passed = True
        except RuntimeError as error:
            if "ValidationFailed" not in str(error):
                raise
        if not self._report.exists():
            return {"violations": [], "suppressedViolations": []}
        reports = json.loads(self._report.read_text("utf-8"))["pluginReports"]
        ours: list[dict[str, Any]] = [r for r in reports if r["pluginName"] == "HardenedEc2"]
        return ours[0] if ours else {"violations": [], "suppressedViolations": []}


@pytest.fixture
def synth(tmp_path: Path) -> Synth:
    return Synth(tmp_path / "cdk.out")


def test_the_pack_is_a_nag_pack_and_a_class_to_ask_about(synth: Synth) -> None:
    pack = HardenedEc2Checks(synth.app, settings=Settings(whitelist_width=1))
    assert isinstance(pack, NagPack)
    assert isinstance(pack, HardenedEc2Checks)
    assert issubclass(type(pack), HardenedEc2Checks)
    assert not isinstance(AwsSolutionsChecks(synth.app), HardenedEc2Checks)


def test_the_class_has_what_its_packs_have(synth: Synth) -> None:
    pack = HardenedEc2Checks(synth.app)
    assert HardenedEc2Checks.validate_scope(pack, synth.stack).success is False
    assert {"name", "rule_ids", "validate", "version"} <= set(dir(HardenedEc2Checks))
    assert type(pack).__name__ == HardenedEc2Checks.__name__
    with pytest.raises(AttributeError, match="'HardenedEc2Checks' has no attribute 'judge'"):
        _ = HardenedEc2Checks.judge  # type: ignore[attr-defined]


def test_a_misspelled_keyword_is_refused_in_the_name_of_the_class() -> None:
    misspelled: dict[str, Any] = {"setings": Settings()}
    with pytest.raises(TypeError, match=r"^HardenedEc2Checks.__init__\(\) got .* 'setings'$"):
        HardenedEc2Checks(**misspelled)


def test_a_subclass_is_a_pack_of_its_own(synth: Synth) -> None:
    class WithOneMore(HardenedEc2Checks):
        def __init__(self, scope: cdk.App) -> None:
            super().__init__(scope)
            self.scope = scope

    pack = WithOneMore(synth.app)
    assert isinstance(pack, NagPack)
    assert isinstance(pack, HardenedEc2Checks)
    assert pack.scope is synth.app
    add_open_instance(synth.stack)
    assert (IMDS_V2, "error", "Stack/Open") in found(synth.run(pack))


def found(report: dict[str, Any]) -> set[tuple[str, str, str]]:
    return {
        (violation["ruleName"], violation["severity"], construct["constructPath"])
        for violation in report["violations"]
        for construct in violation["violatingConstructs"]
    }


def add_open_instance(scope: cdk.Stack, id: str = "Open") -> cdk.CfnResource:  # noqa: A002
    """A raw resource, which no stock pack looks into."""
    return cdk.CfnResource(
        scope,
        id,
        type="AWS::EC2::Instance",
        properties={"ImageId": "ami-0123456789abcdef0", "InstanceType": "t4g.small"},
    )


def test_it_is_a_nag_pack() -> None:
    pack = HardenedEc2Checks()
    assert isinstance(pack, NagPack)
    assert pack.name == "HardenedEc2"
    assert pack.read_pack_name == "HardenedEc2"
    assert pack.rule_ids == [rule.id for rule in RULES]


def test_a_hardened_server_has_no_finding_of_any_pack(synth: Synth) -> None:
    """A user's own app: three arguments, three packs, nothing left to acknowledge."""
    HardenedInstance(
        synth.stack,
        "Server",
        vpc=HardenedVpc(synth.stack, "Vpc"),
        instance_type=ec2.InstanceType("m7g.large"),
        machine_image=ec2.MachineImage.latest_amazon_linux2023(
            cpu_type=ec2.AmazonLinuxCpuType.ARM_64
        ),
    )
    cdk.Validations.of(synth.app).add_plugins(AwsSolutionsChecks(), NIST80053R5Checks())
    report = synth.run()
    assert synth.passed
    assert report["violations"] == []


def test_raw_resources_and_overrides_are_judged(synth: Synth) -> None:
    add_open_instance(synth.stack)
    server = HardenedInstance(synth.stack, "Server", vpc=HardenedVpc(synth.stack, "Vpc"))
    server.instance.add_property_override("MetadataOptions.HttpTokens", "optional")
    report = synth.run()
    assert not synth.passed
    assert {
        (IMDS_V2, "error", "Stack/Open"),
        (IMDS_V2, "error", "Stack/Server/Resource"),
    } <= found(report)
    messages = [v["description"] for v in report["violations"] if v["ruleName"] == IMDS_V2]
    assert len(messages) == 2
    assert all("HttpTokens" in message for message in messages)
    assert all(violation["suggestedFix"] for violation in report["violations"])


def test_nested_stacks_are_judged(synth: Synth) -> None:
    outer = cdk.NestedStack(synth.stack, "Outer")
    inner = cdk.NestedStack(outer, "Inner")
    add_open_instance(inner)
    report = synth.run()
    assert not synth.passed
    assert (IMDS_V2, "error", "Stack/Outer/Inner/Open") in found(report)


def test_stages_are_judged(synth: Synth) -> None:
    add_open_instance(cdk.Stack(cdk.Stage(synth.app, "Production"), "Inside"))
    report = synth.run()
    assert not synth.passed
    assert (IMDS_V2, "error", "Production/Inside/Open") in found(report)


def test_a_scope_narrows_what_is_judged(synth: Synth) -> None:
    add_open_instance(synth.stack)
    other = cdk.Stack(synth.app, "Stack2")
    HardenedInstance(other, "Server", vpc=HardenedVpc(other, "Vpc"))
    report = synth.run(HardenedEc2Checks(other))
    assert synth.passed
    assert report["violations"] == []


def test_a_stack_without_resources_is_no_failure(synth: Synth) -> None:
    report = synth.run()
    assert synth.passed
    assert report["violations"] == []


def test_warnings_do_not_fail_the_synth(synth: Synth) -> None:
    HardenedInstance(
        synth.stack,
        "Server",
        vpc=HardenedVpc(synth.stack, "Vpc"),
        key_pair=ec2.KeyPair.from_key_pair_name(synth.stack, "Key", "mine"),
    )
    report = synth.run()
    assert synth.passed
    assert found(report) == {("HardenedEc2-KeyPair", "warning", "Stack/Server/Resource")}


def test_an_acknowledged_finding_passes_and_keeps_its_reason(synth: Synth) -> None:
    add_open_instance(synth.stack)
    unquieted = Synth(Path(synth.app.outdir).with_name("unquieted"))
    add_open_instance(unquieted.stack)
    acknowledged = {rule for rule, _, _ in found(unquieted.run())}
    assert not unquieted.passed
    cdk.Validations.of(synth.stack).acknowledge(
        *(
            cdk.Acknowledgment(id=f"HardenedEc2::{rule}", reason="Scheduled to be replaced.")
            for rule in acknowledged
        )
    )
    report = synth.run()
    assert synth.passed
    assert report["violations"] == []
    kept = {(v["ruleName"], v["reason"]) for v in report["suppressedViolations"]}
    assert kept == {(rule, "Scheduled to be replaced.") for rule in acknowledged}


def test_an_acknowledgement_holds_only_where_it_is_given(synth: Synth) -> None:
    first, second = add_open_instance(synth.stack, "First"), add_open_instance(synth.stack, "Other")
    cdk.Validations.of(first).acknowledge(
        cdk.Acknowledgment(id=f"HardenedEc2::{IMDS_V2}", reason="Here only.")
    )
    report = synth.run()
    assert not synth.passed
    places = {path for rule, _, path in found(report) if rule == IMDS_V2}
    assert places == {second.node.path}


def test_settings_move_the_limits(synth: Synth) -> None:
    HardenedInstance(
        synth.stack,
        "Server",
        vpc=HardenedVpc(synth.stack, "Vpc"),
        ssh=SshAccess.from_cidrs("203.0.113.0/28"),
    )
    report = synth.run(HardenedEc2Checks(synth.app, settings=Settings(whitelist_width=8)))
    assert not synth.passed
    assert [severity for _, severity, _ in found(report)] == ["error"]


def test_a_pack_that_cannot_judge_fails_the_synth(
    synth: Synth, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("one over nothing")

    monkeypatch.setattr("hardened_ec2.policy.judging.stacks.judge_case", broken)
    cdk.Validations.of(synth.app).acknowledge(
        cdk.Acknowledgment(id="HardenedEc2::HardenedEc2-Failure", reason="It cannot be quieted.")
    )
    report = synth.run()
    assert not synth.passed
    (violation,) = report["violations"]
    assert violation["severity"] == "fatal"
    assert "the policy could not judge this app: one over nothing" in violation["description"]


def test_a_construct_tree_alone_is_never_passed(synth: Synth) -> None:
    report = HardenedEc2Checks().validate_scope(synth.stack)
    assert report.success is False
    (violation,) = report.violations
    assert "register the pack with Validations.of(app).add_plugins" in violation.description


def test_a_construct_alone_is_not_judged(synth: Synth) -> None:
    pack = HardenedEc2Checks(synth.app)
    with pytest.raises(NotImplementedError, match="HardenedEc2 judges templates, not Stack/Open "):
        pack._check_resource(add_open_instance(synth.stack))  # noqa: SLF001 - what cdk-nag calls
