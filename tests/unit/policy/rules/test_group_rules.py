from typing import Any

import pytest

from hardened_ec2.policy import Severity
from tests.unit.policy.templates import (
    NETWORK,
    NO_VALUE,
    SOUND,
    found,
    get_att,
    group,
    if_,
    instance,
    judged,
    message,
    ref,
    resource,
    rule,
    server,
)

OWN = "OwnSecurityGroup"
EGRESS = "ImplicitEgress"
UNSET: dict[str, Any] = {"Parameters": {"Unset": {"Type": "String"}}}


@pytest.mark.parametrize(
    "groups",
    [None, [], NO_VALUE, [NO_VALUE], if_("C", [ref("Group")]), [if_("C", ref("Group"))]],
)
def test_a_server_without_a_group_is_an_error(groups: object) -> None:
    (finding,) = found(OWN, server(SecurityGroupIds=groups))
    assert finding.severity is Severity.ERROR
    assert finding.logical_id == "Server"
    text = "no security group is given, so it gets the default group of its VPC"
    condition = " (when condition C is false)" if "Fn::If" in str(groups) else ""
    assert finding.message == f"{text}{condition}"


@pytest.mark.parametrize("default", [get_att("Vpc", "DefaultSecurityGroup"), "default"])
def test_a_server_with_the_default_group_is_an_error(default: object) -> None:
    (finding,) = found(OWN, server(SecurityGroupIds=[default]))
    assert finding.path == "Properties.SecurityGroupIds.0"
    assert finding.message.endswith("is the default group of its VPC")


@pytest.mark.parametrize(
    "groups",
    [[ref("Group")], if_("C", [ref("Group")], ["sg-1"]), ["sg-1"], [NO_VALUE, ref("Group")]],
)
def test_a_group_of_its_own_is_sound(groups: object) -> None:
    assert found(OWN, server(SecurityGroupIds=groups)) == []


def test_a_group_that_is_not_known_is_still_a_group() -> None:
    resources = server(SecurityGroupIds=ref("Unset"))
    assert found(OWN, resources, **UNSET) == []
    assert "the rules of security group ${Unset} are not in the templates" in message(
        "CannotVerify", resources, **UNSET
    )


def test_a_launch_template_outside_the_templates_may_bring_one() -> None:
    resources = server(SecurityGroupIds=None, LaunchTemplate={"LaunchTemplateName": "x"})
    assert found(OWN, resources) == []
    findings = found("CannotVerify", resources)
    assert any(OWN in finding.message for finding in findings)


def test_an_interface_without_a_group_is_an_error_too() -> None:
    resources = {**SOUND, "Interface": resource("EC2::NetworkInterface", SubnetId=ref("Subnet"))}
    assert [finding.logical_id for finding in found(OWN, resources)] == ["Interface"]


def test_an_instance_has_the_groups_of_the_interface_it_is_given() -> None:
    resources = {
        **SOUND,
        "Server": instance(
            SecurityGroupIds=None,
            SubnetId=None,
            NetworkInterfaces=[{"NetworkInterfaceId": ref("Interface")}],
        ),
        "Interface": resource(
            "EC2::NetworkInterface", GroupSet=[ref("Group")], SubnetId=ref("Subnet")
        ),
    }
    assert judged(resources) == []


@pytest.mark.parametrize(
    ("egress", "text"),
    [
        (None, "SecurityGroupEgress is not given, so EC2 allows all outbound traffic"),
        ([], "SecurityGroupEgress is empty, so EC2 allows all outbound traffic"),
        ([NO_VALUE], "SecurityGroupEgress is empty"),
        (if_("C", [rule("10.0.0.1/32")]), "SecurityGroupEgress is not given"),
        ([if_("C", rule("10.0.0.1/32"))], "SecurityGroupEgress is empty"),
    ],
)
def test_a_group_that_says_nothing_about_egress_is_a_warning(egress: object, text: str) -> None:
    resources: dict[str, Any] = {**NETWORK, "Group": group(SecurityGroupEgress=egress)}
    (finding,) = found(EGRESS, resources)
    assert finding.severity is Severity.WARNING
    assert finding.path == "Properties.SecurityGroupEgress"
    assert finding.message.startswith(text)


def test_a_standalone_egress_rule_does_not_take_ec2_s_own_away() -> None:
    resources = {
        **NETWORK,
        "Group": group(SecurityGroupEgress=None),
        "Out": resource("EC2::SecurityGroupEgress", GroupId=ref("Group"), **rule("10.0.0.1/32")),
    }
    assert found(EGRESS, resources)


def test_egress_that_is_not_known_cannot_be_verified() -> None:
    resources = {**NETWORK, "Group": group(SecurityGroupEgress=ref("Unset"))}
    assert found(EGRESS, resources, **UNSET) == []
    assert "SecurityGroupEgress is not known" in message("CannotVerify", resources, **UNSET)


def test_egress_of_its_own_is_sound() -> None:
    assert found(EGRESS, {**NETWORK, "Group": group()}) == []


@pytest.mark.parametrize("name", ["ops", ref("Unset"), {"Fn::Sub": "${AWS::StackName}-key"}])
def test_a_key_pair_is_a_warning_whatever_its_name(name: object) -> None:
    (finding,) = found("KeyPair", server(KeyName=name), **UNSET)
    assert finding.severity is Severity.WARNING
    assert finding.path == "Properties.KeyName"
    assert finding.message.startswith("KeyName is ")


@pytest.mark.parametrize("name", [None, NO_VALUE, ""])
def test_no_key_pair_is_sound(name: object) -> None:
    assert judged(server(KeyName=name)) == []


def test_a_key_pair_under_a_condition_is_told_with_it() -> None:
    assert message("KeyPair", server(KeyName=if_("C", "ops"))) == (
        "KeyName is 'ops' (when condition C is true)"
    )
