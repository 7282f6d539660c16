from typing import Any

import pytest

from hardened_ec2.policy import Template, judge
from hardened_ec2.policy.resolve.deployment import Deployment
from hardened_ec2.policy.resolve.values import Content, Reference, Unknown
from tests.unit.policy.templates import get_att, ref, resource, template


def at(deployment: Deployment, kind: str, *keys: str) -> list[Content]:
    (found,) = deployment.resources(f"AWS::{kind}")
    return [value.content for value in found.properties.at(*keys)]


def nested(
    url: object = "x", asset: str | None = "child.nested.template.json", **parameters: object
) -> dict[str, object]:
    stack = resource("CloudFormation::Stack", TemplateURL=url, Parameters=parameters)
    if asset:
        stack["Metadata"] = {"aws:asset:path": asset, "aws:asset:property": "TemplateURL"}
    return stack


def child(**sections: Any) -> Template:  # noqa: ANN401
    return template(
        {"Group": resource("EC2::SecurityGroup", GroupDescription=ref("Text"))},
        name="cdk.out/child.nested.template.json",
        Parameters={"Text": {"Type": "String", "Default": "default"}},
        Outputs={"GroupId": {"Value": get_att("Group", "GroupId")}},
        **sections,
    )


def parent(**resources: object) -> Template:
    return template(resources, name="cdk.out/parent.template.json")


def test_two_templates_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="template same is given twice: give each template once"):
        Deployment([template({"A": resource("X")}, name="same")] * 2)


def test_a_parameter_of_a_nested_stack_is_what_its_parent_passes() -> None:
    deployment = Deployment([child(), parent(Stack=nested(Text="passed"))])
    assert at(deployment, "EC2::SecurityGroup", "GroupDescription") == ["passed"]


def test_a_parameter_that_the_parent_leaves_out_is_its_default() -> None:
    deployment = Deployment([child(), parent(Stack=nested())])
    assert at(deployment, "EC2::SecurityGroup", "GroupDescription") == ["default"]


def test_a_nested_stack_used_twice_is_judged_for_both() -> None:
    both = parent(One=nested(Text="one"), Two=nested(Text="two"))
    deployment = Deployment([child(), both])
    assert at(deployment, "EC2::SecurityGroup", "GroupDescription") == ["one", "two"]


def test_an_output_of_a_nested_stack_is_the_resource_inside_it() -> None:
    deployment = Deployment(
        [
            child(),
            parent(Stack=nested(), A=resource("Any::Thing", P=get_att("Stack", "Outputs.GroupId"))),
        ]
    )
    assert at(deployment, "Any::Thing", "P") == [
        Reference("cdk.out/child.nested.template.json", "Group", "GroupId")
    ]


def test_a_nested_template_is_found_by_its_url_too() -> None:
    deployment = Deployment(
        [child(), parent(Stack=nested("./child.nested.template.json", None, Text="passed"))]
    )
    assert at(deployment, "EC2::SecurityGroup", "GroupDescription") == ["passed"]


def test_a_nested_stack_whose_template_is_missing_is_reported() -> None:
    (finding,) = judge([parent(Stack=nested())])
    assert finding.rule == "HardenedEc2-CannotVerify"
    assert finding.logical_id == "Stack"
    assert finding.message.endswith(": the template of the nested stack is not among those given")


def test_a_stack_that_nests_itself_ends() -> None:
    looped = template(
        {"Stack": nested(asset="a.json", Text=get_att("Stack", "Outputs.O"))},
        name="a.json",
        Parameters={"Text": {"Type": "String"}},
        Outputs={"O": {"Value": ref("Text")}},
    )
    assert [finding.rule for finding in judge([looped])] == ["HardenedEc2-CannotVerify"]


def test_an_export_is_followed_to_the_template_that_exports_it() -> None:
    exporting = template(
        {"Group": resource("EC2::SecurityGroup")},
        name="network.json",
        Outputs={
            "O": {"Value": ref("Group"), "Export": {"Name": {"Fn::Sub": "${AWS::StackName}-g"}}}
        },
    )
    importing = template(
        {"A": resource("Any::Thing", P={"Fn::ImportValue": {"Fn::Sub": "${AWS::StackName}-g"}})},
        name="app.json",
    )
    deployment = Deployment([importing, exporting])
    assert at(deployment, "Any::Thing", "P") == [Reference("network.json", "Group")]


def test_an_import_that_nobody_exports_is_unknown() -> None:
    deployment = Deployment([template({"A": resource("Any::Thing", P={"Fn::ImportValue": "x"})})])
    (content,) = at(deployment, "Any::Thing", "P")
    assert content == Unknown("no given template exports 'x'")


def test_the_order_of_templates_does_not_matter() -> None:
    given = [child(), parent(Stack=nested(Text="a"))]
    assert judge(given) == judge(given[::-1])
