"""Corners of the rules: limits hit exactly, one thing told once, what follows the unknown."""

from typing import Any

import pytest

from hardened_ec2.policy import Severity
from tests.unit.policy.templates import (
    GATEWAY,
    SOUND,
    found,
    get_att,
    group,
    if_,
    instance,
    message,
    ref,
    resource,
    rule,
    server,
    server_with,
)

SECTIONS: dict[str, Any] = {
    "Parameters": {"Unset": {"Type": "String"}},
    "Conditions": {
        "C": {"Fn::Equals": [ref("AWS::Region"), "x"]},
        "E": {"Fn::Equals": [ref("AWS::AccountId"), "x"]},
    },
}
OPTIONS = {"HttpTokens": "required", "HttpPutResponseHopLimit": 1}
EVERYONE = "0.0.0.0/0"


def whys(resources: dict[str, Any]) -> str:
    return "\n".join(each.message for each in found("CannotVerify", resources, **SECTIONS))


def test_the_ports_of_a_rule_are_named_until_they_are_all() -> None:
    world = "AdminPortOpenToWorld"
    assert message(world, server_with(rule(EVERYONE, ports=(20, 25)))) == (
        "ports 22 (SSH), 23 (Telnet) (tcp ports 20-25) open to 0.0.0.0/0, which is the internet"
    )
    assert message(world, server_with(rule(EVERYONE, ports=(0, 10249)))).startswith(
        "ports 22 (SSH)"
    )
    assert message(world, server_with(rule(EVERYONE, ports=(0, 10250)))).startswith(
        "all administrative ports (tcp ports 0-10250)"
    )


@pytest.mark.parametrize(
    ("count", "shown"), [(3, "Server, S1, S2"), (4, "Server, S1, S2 and 1 more")]
)
def test_three_servers_are_named_and_the_rest_counted(count: int, shown: str) -> None:
    web = rule(EVERYONE, ports=(443, 443))
    more = {f"S{n}": instance() for n in range(1, count)}
    told = message("PrivateServerOpenToWorld", server_with(web, **more))
    named = told.split(" on ")[1].split(", which")[0]
    assert sorted(named.replace(" and 1 more", "").split(", ")) == sorted(
        ["S1", "S2", "S3"] if count == 4 else ["S1", "S2", "Server"]
    )
    assert ("and 1 more" in named) == ("more" in shown)


def test_every_port_of_another_group_is_told_in_one_word() -> None:
    resources = {
        **SOUND,
        **GATEWAY,
        "Group": group(rule(protocol="-1", SourceSecurityGroupId=ref("Web"))),
        "Web": group(rule(EVERYONE, ports=(443, 443))),
        "Front": instance(SecurityGroupIds=[ref("Web")]),
    }
    assert message("SteppingStone", resources).startswith(
        "an attacker on a server in between can reach all administrative ports of Server"
    )
    few = {**resources, "Group": group(rule(ports=(512, 514), SourceSecurityGroupId=ref("Web")))}
    assert message("SteppingStone", few).startswith(
        "an attacker on a server in between can reach "
        "port 512 (rexec), 513 (rlogin), 514 (rsh) of Server"
    )


def test_egress_up_to_the_limit_is_sound() -> None:
    def out(last: int) -> dict[str, Any]:
        egress = [rule(EVERYONE, ports=(1000, last))]
        return {**SOUND, "Out": group(SecurityGroupEgress=egress)}

    assert found("WideEgress", out(2023)) == []
    assert message("WideEgress", out(2024)) == (
        "1025 ports open towards 0.0.0.0/0, at most 1024 are allowed"
    )


def test_all_ports_are_all_but_one_at_most() -> None:
    office = "203.0.113.0/28"
    assert found("AllPortsOpen", server_with(rule(office, ports=(1, 65535))))
    assert found("AllPortsOpen", server_with(rule(office, ports=(0, 65534))))
    assert found("AllPortsOpen", server_with(rule(office, ports=(2, 65535)))) == []
    assert found("AllPortsOpen", server_with(rule(office, protocol="icmp", ports=(-1, -1)))) == []
    peer = rule(protocol="-1", SourceSecurityGroupId=ref("Group"))
    assert found("AllPortsOpen", server_with(peer)) == []


@pytest.mark.parametrize("key", ["SecurityGroupIds", "Egress"])
def test_what_is_missing_in_several_deployments_is_told_once(key: str) -> None:
    both = if_("C", if_("E", ref("Group")))
    if key == "SecurityGroupIds":
        assert len(found("OwnSecurityGroup", server(SecurityGroupIds=[both]), **SECTIONS)) == 1
    else:
        egress = [if_("C", if_("E", rule("10.0.0.0/8")))]
        resources = {**SOUND, "Out": group(SecurityGroupEgress=egress)}
        assert len(found("ImplicitEgress", resources, **SECTIONS)) == 1


def test_what_comes_after_something_unknown_is_judged() -> None:
    bad = {**OPTIONS, "InstanceMetadataTags": "enabled"}
    first = {"A": instance(MetadataOptions=ref("Unset")), "B": instance(MetadataOptions=bad)}
    assert [each.logical_id for each in found("ImdsTags", {**SOUND, **first}, **SECTIONS)] == ["B"]
    outs = {"A": group(SecurityGroupEgress=ref("Unset")), "B": group(SecurityGroupEgress=[])}
    found_out = found("ImplicitEgress", {**SOUND, **outs}, **SECTIONS)
    assert [each.logical_id for each in found_out] == ["B"]
    public = resource("EC2::Subnet", VpcId=ref("Vpc"), MapPublicIpOnLaunch=True)
    placed = {
        **{name: each for name, each in SOUND.items() if name != "Server"},
        "Public": public,
        "Template": resource(
            "EC2::LaunchTemplate", LaunchTemplateData=instance(SubnetId=None)["Properties"]
        ),
        "Fleet": resource(
            "AutoScaling::AutoScalingGroup",
            LaunchTemplate={"LaunchTemplateId": ref("Template"), "Version": "1"},
            VPCZoneIdentifier=["subnet-1", ref("Public")],
        ),
    }
    assert "MapPublicIpOnLaunch of subnet Public is true" in message("PublicAddress", placed)
    assert "subnet 'subnet-1' is not in the templates" in whys(placed)


def test_a_declaration_counts_for_the_servers_of_its_launch_template_alone() -> None:
    two = {"MetadataOptions": {**OPTIONS, "HttpPutResponseHopLimit": 2}}
    plain = resource("EC2::LaunchTemplate", LaunchTemplateData=two)
    declared = {**plain, "Metadata": {"hardened-ec2": {"containers": True}}}

    def on(name: str) -> dict[str, Any]:
        return instance(MetadataOptions=None, LaunchTemplate={"LaunchTemplateId": ref(name)})

    resources = {**SOUND, "Declared": declared, "Server": on("Declared")}
    assert found("ImdsHopLimit", resources) == []
    resources |= {"Plain": plain, "Other": on("Plain")}
    assert [each.logical_id for each in found("ImdsHopLimit", resources)] == ["Plain"]


@pytest.mark.parametrize(
    ("hops", "end"),
    [(2, "2, at most 1 is allowed without declared containers"), (3, "3, at most 1 is allowed")],
)
def test_containers_are_spoken_of_where_they_would_help(hops: int, end: str) -> None:
    resources = server(MetadataOptions={**OPTIONS, "HttpPutResponseHopLimit": hops})
    assert message("ImdsHopLimit", resources) == f"HttpPutResponseHopLimit is {end}"


@pytest.mark.parametrize("key", ["Ipv6AddressCount", "Ipv6PrefixCount"])
def test_addresses_of_ipv6_are_counted(key: str) -> None:
    assert found("PublicAddress", {**SOUND, **GATEWAY, "Server": instance(**{key: 1})})
    assert found("PublicAddress", {**SOUND, **GATEWAY, "Server": instance(**{key: 0})}) == []
    assert (
        found("PublicAddress", {**SOUND, **GATEWAY, "Server": instance(**{key: ref("Unset")})})
        == []
    )


@pytest.mark.parametrize("key", ["Ipv6Addresses", "Ipv6Prefixes"])
def test_addresses_of_ipv6_are_found_by_name(key: str) -> None:
    asked = instance(**{key: [{"Ipv6Address": "2001:db8::1"}]})
    assert found("PublicAddress", {**SOUND, **GATEWAY, "Server": asked})
    assert found("PublicAddress", {**SOUND, "Server": asked}) == []


@pytest.mark.parametrize(
    ("target", "private"),
    [
        ({"GatewayId": "vpce-1"}, True),
        ({"GatewayId": "vgw-1"}, True),
        ({"GatewayId": "local"}, True),
        ({"GatewayId": ref("Vpn")}, True),
        ({"GatewayId": ref("Endpoint")}, True),
        ({"GatewayId": ref("Gateway")}, False),
        ({"CarrierGatewayId": ref("Carrier")}, False),
        ({"CarrierGatewayId": "cagw-1"}, False),
    ],
)
def test_a_way_in_is_told_by_what_it_leads_to(target: dict[str, Any], private: bool) -> None:  # noqa: FBT001
    route = resource(
        "EC2::Route", RouteTableId=ref("Table"), DestinationCidrBlock=EVERYONE, **target
    )
    resources = {
        **server_with(rule(EVERYONE, ports=(443, 443))),
        "Vpn": resource("EC2::VPNGateway"),
        "Endpoint": resource("EC2::VPCEndpoint"),
        "Carrier": resource("EC2::CarrierGateway"),
        "Gateway": GATEWAY["Gateway"],
        "Route": route,
    }
    assert bool(found("PrivateServerOpenToWorld", resources)) == private


def test_three_actions_are_named_and_the_rest_counted() -> None:
    def role(*actions: str) -> dict[str, Any]:
        statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
        policy = resource(
            "IAM::Policy", Roles=[ref("Role")], PolicyDocument={"Statement": statement}
        )
        return {**SOUND, "Policy": policy}

    assert message("RoleOwnHardening", role("ec2:ModifyInstance*")) == (
        "role Role allows ec2:ModifyInstanceAttribute, ec2:ModifyInstanceMetadataDefaults, "
        "ec2:ModifyInstanceMetadataOptions, so the server can undo its own hardening"
    )
    assert "ec2:ModifyInstanceAttribute and 4 more, so" in message(
        "RoleOwnHardening", role("ec2:*")
    )


def test_a_network_acl_that_opens_many_ports_says_so() -> None:
    def acl(first: int, last: int) -> dict[str, Any]:
        entry = resource(
            "EC2::NetworkAclEntry",
            NetworkAclId=ref("Acl"),
            RuleNumber=100,
            RuleAction="allow",
            Protocol=6,
            CidrBlock=EVERYONE,
            PortRange={"From": first, "To": last},
        )
        return {**SOUND, "Acl": resource("EC2::NetworkAcl", VpcId=ref("Vpc")), "Entry": entry}

    assert message("NetworkAclOpen", acl(512, 514)).endswith(
        "to reach port 512 (rexec), 513 (rlogin), 514 (rsh)"
    )
    assert message("NetworkAclOpen", acl(0, 65535)).endswith("to reach all administrative ports")


def test_a_whitelist_behind_a_load_balancer_may_be_as_wide_as_any() -> None:
    v2 = "ElasticLoadBalancingV2"

    def ssh(cidr: str) -> dict[str, Any]:
        forward = [{"Type": "forward", "TargetGroupArn": ref("Targets")}]
        return {
            **server_with(rule(SourceSecurityGroupId=ref("Front"))),
            "Front": group(rule(cidr, ports=(2222, 2222))),
            "Balancer": resource(f"{v2}::LoadBalancer", SecurityGroups=[ref("Front")]),
            "Listener": resource(
                f"{v2}::Listener",
                LoadBalancerArn=ref("Balancer"),
                Port=2222,
                DefaultActions=forward,
            ),
            "Targets": resource(f"{v2}::TargetGroup", Port=22, Targets=[{"Id": ref("Server")}]),
        }

    assert found("LoadBalancerOpensServer", ssh("203.0.113.0/24")) == []
    assert found("LoadBalancerOpensServer", ssh("203.0.112.0/23"))


@pytest.mark.parametrize(
    ("check", "sound"),
    [("ELB", True), ("EBS,ELB", True), ("EC2", False), ("VPC_LATTICE", False), (None, False)],
)
def test_the_health_check_of_a_fleet_behind_a_load_balancer(check: str | None, sound: bool) -> None:  # noqa: FBT001
    given = {} if check is None else {"HealthCheckType": check}
    fleet = resource("AutoScaling::AutoScalingGroup", TargetGroupARNs=["arn:x"], **given)
    messages = [each.message for each in found("FleetHealthCheck", {**SOUND, "Fleet": fleet})]
    shown = "not given" if check is None else repr(check)
    assert messages == (
        [] if sound else [f"HealthCheckType is {shown}, and the group is behind a load balancer"]
    )


@pytest.mark.parametrize(
    ("principal", "who"),
    [
        ({"Service": "ec2.amazonaws.com"}, None),
        ({"Service": {"Fn::Sub": "ec2.${AWS::URLSuffix}"}}, None),
        ({"Service": "lambda.amazonaws.com"}, "'lambda.amazonaws.com'"),
        ({"AWS": "arn:aws:iam::123456789012:root"}, "'arn:aws:iam::123456789012:root'"),
        ({"Federated": "accounts.google.com"}, "'accounts.google.com'"),
    ],
)
def test_who_else_may_assume_a_role(principal: dict[str, Any], who: str | None) -> None:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    role = resource("IAM::Role", AssumeRolePolicyDocument={"Statement": [statement]})
    messages = [each.message for each in found("RoleTrustWide", {**SOUND, "Role": role})]
    assert messages == ([] if who is None else [f"{who} can assume role Role, too"])


def test_a_role_that_trusts_ec2_is_judged_without_a_profile() -> None:
    def role(principal: object) -> dict[str, Any]:
        statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
        administrator = "arn:aws:iam::aws:policy/AdministratorAccess"
        return resource(
            "IAM::Role",
            AssumeRolePolicyDocument={"Statement": [statement]},
            ManagedPolicyArns=[administrator],
        )

    for principal in (
        {"Service": "ec2.amazonaws.com"},
        {"Service": ["lambda.amazonaws.com", "ec2.amazonaws.com.cn"]},
        {"Service": {"Fn::Join": ["", ["ec2.", ref("AWS::URLSuffix")]]}},
    ):
        (finding,) = found("RoleAdministrator", {"Alone": role(principal)})
        assert finding.severity is Severity.ERROR
    for other in ("ec2.amazonaws.com", {"Service": "ecs.amazonaws.com"}, {"AWS": "*"}):
        assert found("RoleAdministrator", {"Alone": role(other)}) == []


def test_the_default_group_is_known_by_name_and_by_attribute_only() -> None:
    default = get_att("Vpc", "DefaultSecurityGroup")
    assert found("OwnSecurityGroup", server(SecurityGroupIds=[default]))
    assert found("OwnSecurityGroup", server(SecurityGroupIds=["sg-default"])) == []
