"""What only shows when templates are read together: groups, routes and addresses across stacks."""

from typing import Any

import pytest

from hardened_ec2.policy import Finding, Severity, Template, judge
from tests.unit.policy.templates import (
    GATEWAY,
    SOUND,
    found,
    get_att,
    group,
    if_,
    instance,
    ref,
    resource,
    rule,
    server_with,
    template,
)

EXPORTS = {
    name: {
        "Value": get_att(name, "GroupId") if name == "Group" else ref(name),
        "Export": {"Name": {"Fn::Sub": f"${{AWS::StackName}}-{name}"}},
    }
    for name in ("Group", "Server", "Table")
}
BASE = template(SOUND, name="base.json", Outputs=EXPORTS)


def imported(name: str) -> dict[str, Any]:
    return {"Fn::ImportValue": {"Fn::Sub": f"${{AWS::StackName}}-{name}"}}


def ingress(cidr: str, name: str = "Group", **more: object) -> dict[str, Any]:
    made = rule(cidr, **more)  # type: ignore[arg-type]
    return resource("EC2::SecurityGroupIngress", GroupId=imported(name), **made)


def errors(*templates: Template) -> list[Finding]:
    return [each for each in judge(templates) if each.severity is Severity.ERROR]


def test_the_templates_that_are_taken_apart_are_sound() -> None:
    assert errors(BASE) == []


@pytest.mark.parametrize(
    ("added", "rule_id"),
    [
        ({"In": ingress("0.0.0.0/0")}, "AdminPortOpenToWorld"),
        ({"In": ingress("0.0.0.0/0", ports=(443, 443))}, "PrivateServerOpenToWorld"),
        ({"Tie": resource("EC2::EIPAssociation", InstanceId=imported("Server"))}, "PublicAddress"),
    ],
)
def test_what_another_stack_adds_counts(added: dict[str, Any], rule_id: str) -> None:
    other = template(added, name="other.json")
    assert f"HardenedEc2-{rule_id}" in [each.rule for each in errors(BASE, other)]
    assert errors(BASE, template({"In": ingress("203.0.113.9/32")}, name="other.json")) == []


def test_two_halves_in_two_stacks_are_united() -> None:
    halves = [
        template({"In": ingress(cidr)}, name=f"{n}.json")
        for n, cidr in enumerate(("198.51.100.0/25", "198.51.100.128/25"))
    ]
    assert "open to 198.51.100.0/24, 203.0.113.7/32" in errors(BASE, *halves)[0].message
    assert errors(BASE, halves[0]) == []


def test_a_route_of_another_stack_makes_a_subnet_public() -> None:
    web = {"In": ingress("0.0.0.0/0", ports=(443, 443))}
    route = {
        "Gateway": GATEWAY["Gateway"],
        "Route": resource(
            "EC2::Route",
            RouteTableId=imported("Table"),
            DestinationCidrBlock="0.0.0.0/1",
            GatewayId=ref("Gateway"),
        ),
    }
    private = errors(BASE, template(web, name="web.json"))
    public = errors(BASE, template({**web, **route}, name="web.json"))
    assert [each.rule for each in private] == ["HardenedEc2-PrivateServerOpenToWorld"]
    assert public == []


def test_a_group_passed_to_a_nested_stack_is_the_same_group() -> None:
    child = template(
        {"Inner": instance(SecurityGroupIds=[ref("Passed")], SubnetId=ref("Net"))},
        name="child.json",
        Parameters={name: {"Type": "String"} for name in ("Passed", "Net")},
    )
    stack = resource(
        "CloudFormation::Stack",
        TemplateURL="child.json",
        Parameters={"Passed": get_att("Group", "GroupId"), "Net": ref("Subnet")},
    )

    def with_rule(cidr: str) -> Template:
        resources = {**server_with(rule(cidr, ports=(443, 443))), "Stack": stack}
        del resources["Server"]
        return template(resources, name="parent.json")

    assert errors(with_rule("10.0.0.0/24"), child) == []
    (finding,) = errors(with_rule("0.0.0.0/0"), child)
    assert "on Inner, which is in a private subnet" in finding.message


def test_a_rule_and_a_server_under_conditions_of_their_own_meet() -> None:
    conditions: dict[str, Any] = {
        "Conditions": {
            "C": {"Fn::Equals": [ref("AWS::Region"), "x"]},
            "D": {"Fn::Not": [{"Condition": "C"}]},
        }
    }
    opened = resource("EC2::SecurityGroupIngress", GroupId=ref("Group"), **rule("0.0.0.0/1"))
    other = resource("EC2::SecurityGroupIngress", GroupId=ref("Group"), **rule("128.0.0.0/1"))
    resources = {**SOUND, "In": {**opened, "Condition": "C"}, "Also": {**other, "Condition": "C"}}
    places = {each.logical_id for each in found("AdminPortOpenToWorld", resources, **conditions)}
    assert places == {"In", "Also"}
    web = rule("0.0.0.0/0", ports=(443, 443))
    never = {
        **server_with(if_("C", web)),
        "Server": {**instance(), "Condition": "D"},
        "Elsewhere": {**instance(SecurityGroupIds=[ref("Other")]), "Condition": "C"},
        "Other": group(),
    }
    assert found("PrivateServerOpenToWorld", never, **conditions) == []
    assert found("PrivateServerOpenToWorld", server_with(if_("C", web)), **conditions)


def test_blocks_that_are_cut_by_a_function_are_measured() -> None:
    half = {"Fn::Select": [0, {"Fn::Cidr": ["0.0.0.0/0", 2, 31]}]}
    assert found("AdminPortOpenToWorld", server_with(rule(half)))
    host = {"Fn::Select": [7, {"Fn::Cidr": ["203.0.113.0/24", 16, 0]}]}
    assert found("AdminPortOpenToWorld", server_with(rule(host))) == []
    assert found("CannotVerify", server_with(rule(host))) == []


def test_a_block_that_is_read_at_deployment_cannot_be_verified() -> None:
    resources = server_with(rule("{{resolve:ssm:/office}}"))
    assert found("AdminPortOpenToWorld", resources) == []
    assert "{{resolve:ssm:/office}}" in found("CannotVerify", resources)[0].message
