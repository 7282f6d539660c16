"""Servers that fleets launch: found, placed and judged wherever their settings stand."""

from typing import Any

import pytest

from hardened_ec2.policy.facts.exposure import Exposure
from hardened_ec2.policy.facts.placement import Placement
from hardened_ec2.policy.facts.servers import Kind, servers
from hardened_ec2.policy.resolve.deployment import Deployment
from tests.unit.policy.templates import (
    GATEWAY,
    NO_VALUE,
    SOUND,
    found,
    group,
    if_,
    instance,
    message,
    ref,
    resource,
    rule,
    template,
)

DATA = instance(SubnetId=None)["Properties"]
CHOSEN = {"LaunchTemplateId": ref("Template"), "Version": "1"}
OUTSIDE = {"LaunchTemplateId": "lt-0123456789abcdef0", "Version": "1"}
OVERRIDES = [{"SubnetId": ref("Subnet")}]


def mixed(template_: object, *overrides: object) -> dict[str, Any]:
    policy = {"LaunchTemplateSpecification": template_, "Overrides": list(overrides)}
    return resource(
        "AutoScaling::AutoScalingGroup",
        VPCZoneIdentifier=[ref("Subnet")],
        MixedInstancesPolicy={"LaunchTemplate": policy},
    )


def ec2_fleet(chosen: object) -> dict[str, Any]:
    configuration = {"LaunchTemplateSpecification": chosen, "Overrides": OVERRIDES}
    return resource("EC2::EC2Fleet", LaunchTemplateConfigs=[configuration])


def spot_fleet(chosen: object) -> dict[str, Any]:
    configuration = {"LaunchTemplateSpecification": chosen, "Overrides": OVERRIDES}
    return resource(
        "EC2::SpotFleet", SpotFleetRequestConfigData={"LaunchTemplateConfigs": [configuration]}
    )


FLEETS = {
    "launch template": resource(
        "AutoScaling::AutoScalingGroup", VPCZoneIdentifier=[ref("Subnet")], LaunchTemplate=CHOSEN
    ),
    "mixed instances": mixed(CHOSEN),
    "override": mixed(
        {"LaunchTemplateId": ref("Other"), "Version": "1"}, {"LaunchTemplateSpecification": CHOSEN}
    ),
    "EC2 fleet": ec2_fleet(CHOSEN),
    "Spot fleet": spot_fleet(CHOSEN),
}


def launched(fleet: dict[str, Any]) -> dict[str, Any]:
    resources = {key: value for key, value in SOUND.items() if key != "Server"}
    made = resource("EC2::LaunchTemplate", LaunchTemplateData=DATA)
    return {**resources, "Template": made, "Other": made, "Fleet": fleet}


@pytest.mark.parametrize("fleet", FLEETS.values(), ids=FLEETS)
def test_a_launch_template_stands_where_its_fleet_launches_it(fleet: dict[str, Any]) -> None:
    deployment = Deployment([template(launched(fleet))])
    (server,) = (s for s in servers(deployment) if s.resource.logical_id == "Template")
    assert [each.logical_id for each in server.fleets] == ["Fleet"]
    assert Placement(deployment).is_private(server, None) is True
    open_ = Deployment([template({**launched(fleet), **GATEWAY})])
    (server,) = (s for s in servers(open_) if s.resource.logical_id == "Template")
    assert Placement(open_).is_private(server, None) is False


@pytest.mark.parametrize(
    "fleet",
    [
        resource("AutoScaling::AutoScalingGroup", LaunchTemplate=OUTSIDE),
        mixed(OUTSIDE),
        mixed(CHOSEN, {"LaunchTemplateSpecification": OUTSIDE}),
        ec2_fleet(OUTSIDE),
        spot_fleet(OUTSIDE),
        resource("AutoScaling::AutoScalingGroup", LaunchConfigurationName="old"),
        resource("AutoScaling::AutoScalingGroup", InstanceId="i-0123456789abcdef0"),
    ],
)
def test_what_is_launched_from_outside_cannot_be_verified(fleet: dict[str, Any]) -> None:
    messages = [
        f.message for f in found("CannotVerify", launched(fleet)) if f.logical_id == "Fleet"
    ]
    assert "could not verify any rule: what it launches servers from is not in the templates" in (
        messages
    )


def test_a_fleet_without_subnets_is_in_the_default_vpc_which_assigns_addresses() -> None:
    zones = {"Fn::GetAZs": ""}
    fleet = resource(
        "AutoScaling::AutoScalingGroup", AvailabilityZones=zones, LaunchTemplate=CHOSEN
    )
    doubts = [
        each.message
        for each in found("CannotVerify", launched(fleet))
        if "default VPC" in each.message
    ]
    assert doubts
    placed = [each.message for each in found("CannotVerify", launched(FLEETS["launch template"]))]
    assert not any("default VPC" in each for each in placed)


def specified(*specifications: object) -> dict[str, Any]:
    resources = {key: value for key, value in SOUND.items() if key != "Server"}
    data = {"LaunchSpecifications": list(specifications)}
    return {**resources, "Fleet": resource("EC2::SpotFleet", SpotFleetRequestConfigData=data)}


SPECIFICATION: dict[str, Any] = {
    "SecurityGroups": [{"GroupId": ref("Group")}],
    "SubnetId": ref("Subnet"),
    "BlockDeviceMappings": DATA["BlockDeviceMappings"],
}


def test_a_launch_specification_is_a_server() -> None:
    deployment = Deployment([template(specified(SPECIFICATION))])
    (server,) = servers(deployment)
    assert server.kind is Kind.SPOT_FLEET
    (attachment,) = Exposure(deployment).attachments(server)
    assert attachment.group == ("app.template.json", "Group")
    assert Placement(deployment).is_private(server, None) is True
    assert message("ImdsV2", specified(SPECIFICATION)).startswith("HttpTokens is not given")
    assert found("OwnSecurityGroup", specified(SPECIFICATION)) == []
    assert message("LaunchConfiguration", specified(SPECIFICATION)) == (
        "Fleet is a launch specification"
    )


def test_each_launch_specification_is_judged_by_itself() -> None:
    bare = {**SPECIFICATION, "SecurityGroups": [], "UserData": {"Fn::Base64": "PASSWORD=hunter2"}}
    resources = specified(SPECIFICATION, bare)
    assert "no security group is given" in message("OwnSecurityGroup", resources)
    assert "a value for PASSWORD" in message("UserDataSecret", resources)


def test_an_ipv6_address_asked_for_in_a_public_subnet_is_public() -> None:
    resources = {**SOUND, **GATEWAY, "Server": instance(Ipv6AddressCount=1)}
    assert message("PublicAddress", resources) == (
        "Server gets a public address: Ipv6AddressCount in a public subnet"
    )
    interface = {"GroupSet": [ref("Group")], "SubnetId": ref("Subnet"), "DeviceIndex": "0"}
    asked = instance(
        SecurityGroupIds=None,
        SubnetId=None,
        NetworkInterfaces=[{**interface, "Ipv6Addresses": [{"Ipv6Address": "2001:db8::1"}]}],
    )
    assert found("PublicAddress", {**SOUND, **GATEWAY, "Server": asked})
    assert found("PublicAddress", {**SOUND, "Server": asked}) == []
    unplaced = {**SOUND, "Server": instance(Ipv6AddressCount="2", SubnetId="subnet-1")}
    messages = [f.message for f in found("CannotVerify", unplaced)]
    assert any("its subnet is not known" in each for each in messages)


def test_a_group_of_another_vpc_is_followed_to_the_server_it_is_shared_with() -> None:
    resources = {
        **SOUND,
        "Shared": group(rule("0.0.0.0/0")),
        "Share": resource(
            "EC2::SecurityGroupVpcAssociation", GroupId=ref("Shared"), VpcId=ref("Vpc")
        ),
        "Server": instance(SecurityGroupIds=[ref("Shared")]),
    }
    assert found("AdminPortOpenToWorld", resources)


def scaled(**properties: object) -> dict[str, Any]:
    return {**SOUND, "Fleet": resource("AutoScaling::AutoScalingGroup", **properties)}


def test_a_fleet_may_live_to_the_last_second_and_no_longer() -> None:
    assert found("FleetLifetime", scaled(MaxInstanceLifetime=90 * 86400)) == []
    assert message("FleetLifetime", scaled(MaxInstanceLifetime=90 * 86400 + 1)) == (
        "MaxInstanceLifetime is 7776001 seconds, at most 7776000 (90 days) are allowed"
    )


def test_one_zone_is_one_however_it_is_named() -> None:
    assert message("FleetZones", scaled(AvailabilityZones=["eu-west-1a"])) == (
        "AvailabilityZones names only one: 'eu-west-1a'"
    )
    assert found("FleetZones", scaled(AvailabilityZones=["eu-west-1a", "eu-west-1b"])) == []
    every = {"Fn::GetAZs": ""}
    assert found("FleetZones", scaled(AvailabilityZones=every)) == []


def test_the_deployment_with_one_zone_is_named_and_told_once() -> None:
    two = scaled(VPCZoneIdentifier=["subnet-1", if_("C", "subnet-2")])
    assert message("FleetZones", two) == (
        "VPCZoneIdentifier names only one: 'subnet-1' (when condition C is false)"
    )
    other = scaled(VPCZoneIdentifier=["subnet-1", if_("C", NO_VALUE, "subnet-2")])
    assert message("FleetZones", other).endswith("(when condition C is true)")
    three = scaled(VPCZoneIdentifier=["subnet-1", if_("C", if_("D", "subnet-2"))])
    assert len(found("FleetZones", three)) == 1


@pytest.mark.parametrize("key", ["TargetGroupARNs", "LoadBalancerNames", "TrafficSources"])
def test_a_fleet_is_behind_whatever_sends_to_it(key: str) -> None:
    assert found("FleetHealthCheck", scaled(**{key: ["one"]}))
    assert found("FleetHealthCheck", scaled(**{key: []})) == []
    assert found("FleetHealthCheck", scaled()) == []
