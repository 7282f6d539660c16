import re
from collections.abc import Iterator

import pytest

from hardened_ec2.policy import RULES, Finding, RuleFailed, Severity, judge
from hardened_ec2.policy.resolve.values import Place
from hardened_ec2.policy.rules.case import Case
from hardened_ec2.policy.rules.rule import Fault, Outcome, Rule
from hardened_ec2.policy.rules.subjects import Subject
from tests.unit.policy.templates import (
    SOUND,
    found,
    instance,
    judged,
    message,
    resource,
    rule,
    server_with,
    template,
)

OUTSIDE = {"LaunchTemplateId": "lt-0123456789abcdef0", "Version": "1"}


def test_a_sound_server_has_no_finding_at_all() -> None:
    assert judged(SOUND) == []


def test_the_order_of_resources_does_not_matter() -> None:
    resources = {**server_with(rule("0.0.0.0/0")), "Other": instance(KeyName="x")}
    backwards = dict(reversed(resources.items()))
    assert len(judged(resources)) > 2
    assert judged(resources) == judged(backwards)


def test_findings_are_ordered_by_place() -> None:
    first = template(server_with(rule("0.0.0.0/0")), name="a.json")
    second = template({**SOUND, "Server": instance(KeyName="x")}, name="b.json")
    findings = judge([second, first])
    assert [finding.template for finding in findings] == sorted(f.template for f in findings)
    assert {finding.template for finding in findings} == {"a.json", "b.json"}


def test_no_template_is_no_finding() -> None:
    assert judge([]) == []


def failing(case: Case) -> Iterator[Outcome]:
    yield Fault(place=Place(case.deployment.templates[0].name, "A"), message="seen")
    raise KeyError("broken")


def test_a_rule_that_raises_does_not_hide() -> None:
    broken = Rule(
        id="HardenedEc2-Broken",
        severity=Severity.ERROR,
        subject=Subject.SERVERS,
        fact="",
        why="",
        fix="",
        references=(),
        check=failing,
    )
    with pytest.raises(RuleFailed) as caught:
        judge([template({"A": resource("X")}, name="app.json")], rules=[*RULES, broken])
    assert str(caught.value) == "rule HardenedEc2-Broken failed on app.json"
    assert isinstance(caught.value.__cause__, KeyError)


def test_only_the_rules_that_are_given_are_judged() -> None:
    given = template(server_with(rule("0.0.0.0/0")))
    (key_pair,) = [rule for rule in RULES if rule.id == "HardenedEc2-KeyPair"]
    assert judge([given], rules=[key_pair]) == []


def test_every_rule_says_what_a_reader_needs() -> None:
    ids = [rule.id for rule in RULES]
    assert len(set(ids)) == len(ids)
    for each in RULES:
        assert re.fullmatch(r"HardenedEc2-[A-Z][A-Za-z0-9]+", each.id)
        assert each.fact.endswith(".")
        assert "\n" not in each.fact
        assert each.why.endswith(".")
        assert each.fix.endswith(".")
        assert len({str(control) for control in each.references}) == len(each.references)


def test_a_finding_says_where_it_is() -> None:
    finding = Finding(
        rule="R",
        severity=Severity.ERROR,
        template="t.json",
        logical_id="A",
        path="Properties.B",
        message="m",
        fix="f",
    )
    assert finding.place == "t.json A Properties.B"


def test_one_unknown_is_one_finding_for_all_rules_that_need_it() -> None:
    resources = {**SOUND, "Server": instance(UserData=None, LaunchTemplate=OUTSIDE)}
    (finding,) = judged(resources)
    assert finding.path == "Properties.LaunchTemplate"
    rules, _, why = finding.message.partition(": ")
    assert rules == (
        "could not verify HardenedEc2-AdminPortOpenToWorld, HardenedEc2-OwnSecurityGroup, "
        "HardenedEc2-PublicAddress, HardenedEc2-UserDataSecret, HardenedEc2-KeyPair"
    )
    assert why.startswith("its launch template is not in the templates; ")


@pytest.mark.parametrize(
    ("transform", "macro"),
    [
        ("AWS::Serverless-2016-10-31", "AWS::Serverless-2016-10-31"),
        (["Mine"], "Mine"),
        ({"Name": "AWS::Include", "Parameters": {}}, "AWS::Include"),
    ],
)
def test_a_macro_hides_resources_from_every_rule(transform: object, macro: str) -> None:
    (finding,) = judged(SOUND, Transform=transform)
    assert (finding.logical_id, finding.path) == ("", "Transform")
    assert finding.severity is Severity.WARNING
    assert finding.message == (
        f"could not verify any rule: macro {macro} can add and change resources at deployment"
    )


def test_language_extensions_hide_nothing() -> None:
    assert judged(SOUND, Transform="AWS::LanguageExtensions") == []


def test_a_loop_hides_the_resources_it_makes() -> None:
    assert message("CannotVerify", {**SOUND, "Fn::ForEach::Servers": []}) == (
        "could not verify any rule: Fn::ForEach::Servers creates resources at deployment"
    )


def test_a_function_in_the_place_of_properties_is_said() -> None:
    hidden = {"Type": "AWS::EC2::SecurityGroup", "Properties": {"Fn::If": ["C", {}, {}]}}
    findings = found("CannotVerify", {**SOUND, "Other": hidden})
    assert [(each.logical_id, each.path) for each in findings] == [("Other", "Properties")]
    assert "its Properties are the result of Fn::If" in findings[0].message
    assert found("CannotVerify", {**SOUND, "Other": {"Type": "AWS::SNS::Topic"}}) == []


@pytest.mark.parametrize(
    "call",
    [
        "ModifySecurityGroupRules",
        "ModifyInstanceMetadataOptions",
        "AssociateAddress",
        "RunInstances",
    ],
)
def test_whatever_a_custom_resource_can_do_to_servers_is_said(call: str) -> None:
    custom = {"Type": "Custom::AWS", "Properties": {"Create": {"action": call}}}
    assert message("CannotVerify", {**SOUND, "Call": custom}).endswith(
        f": it calls {call} when it is deployed"
    )


@pytest.mark.parametrize("kind", ["Custom::AWS", "AWS::CloudFormation::CustomResource"])
def test_a_custom_resource_that_opens_a_group_is_said(kind: str) -> None:
    call = '{"service":"EC2","action":"authorizeSecurityGroupIngress"}'
    custom = {"Type": kind, "Properties": {"Create": {"Fn::Join": ["", [call]]}}}
    assert message("CannotVerify", {**SOUND, "Call": custom}) == (
        "could not verify any rule: it calls AuthorizeSecurityGroupIngress when it is deployed"
    )
    custom = {"Type": kind, "Properties": {"Create": '{"action":"describeSecurityGroups"}'}}
    assert found("CannotVerify", {**SOUND, "Call": custom}) == []
    assert found("CannotVerify", {**SOUND, "Call": {"Type": kind}}) == []
