from typing import Any

import pytest

from hardened_ec2.policy import Settings, Severity, judge
from tests.unit.policy.templates import (
    GATEWAY,
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
    server_with,
    template,
)

PRIVATE = "PrivateServerOpenToWorld"
OPEN = "ServerPortOpenToWorld"
PUBLIC = "PublicAddress"

HTTPS = rule("0.0.0.0/0", ports=(443, 443))
UNSET: dict[str, Any] = {"Parameters": {"Unset": {"Type": "String"}}}
CONDITIONS: dict[str, Any] = {"Conditions": {"C": {"Fn::Equals": [ref("AWS::Region"), "x"]}}}


def test_world_ingress_on_a_private_server_is_an_error() -> None:
    (finding,) = found(PRIVATE, server_with(rule("10.0.0.1/32"), HTTPS))
    assert finding.severity is Severity.ERROR
    assert (finding.logical_id, finding.path) == ("Group", "Properties.SecurityGroupIngress.1")
    assert finding.message == (
        "tcp port 443 open to 0.0.0.0/0 on Server, which is in a private subnet"
    )


@pytest.mark.parametrize(
    "ingress",
    [
        [rule("::/0", ports=(443, 443))],
        [rule("0.0.0.0/0", protocol="icmp")],
        [rule("0.0.0.0/1", protocol="udp"), rule("128.0.0.0/1", protocol="17")],
        [
            rule("0.0.0.0/9", ports=(443, 443)),
            rule("0.128.0.0/9", ports=(443, 443)),
            rule("8.0.0.0/9", ports=(443, 443)),
            rule("8.128.0.0/9", ports=(443, 443)),
        ],
        [if_("C", HTTPS)],
    ],
)
def test_it_is_found_in_every_disguise(ingress: list[object]) -> None:
    assert found(PRIVATE, server_with(*ingress), **CONDITIONS)


def test_a_public_server_is_not_a_private_one() -> None:
    resources = {**server_with(HTTPS), **GATEWAY}
    assert judged(resources) == []


def test_a_load_balancer_in_front_is_sound() -> None:
    resources = server_with(
        rule(ports=(80, 80), SourceSecurityGroupId=get_att("Balancer", "GroupId")),
        Balancer=group(HTTPS),
        LoadBalancer=resource(
            "ElasticLoadBalancingV2::LoadBalancer", SecurityGroups=[ref("Balancer")]
        ),
    )
    assert judged(resources) == []


def test_a_route_under_a_condition_leaves_a_private_server_in_the_other() -> None:
    route = {**GATEWAY["Route"], "Condition": "C"}
    resources = {**server_with(HTTPS), **GATEWAY, "Route": route}
    (finding,) = found(PRIVATE, resources, **CONDITIONS)
    assert "which is in a private subnet" in finding.message


def test_public_subnet_and_world_rule_under_one_condition_are_sound() -> None:
    route = {**GATEWAY["Route"], "Condition": "C"}
    resources = {**server_with(if_("C", HTTPS, NO_VALUE)), **GATEWAY, "Route": route}
    assert found(PRIVATE, resources, **CONDITIONS) == []


def test_an_unknown_subnet_cannot_be_verified() -> None:
    resources = {**server_with(HTTPS), "Server": instance(SubnetId=ref("Unset"))}
    assert found(PRIVATE, resources, **UNSET) == []
    messages = [f.message for f in found("CannotVerify", resources, **UNSET)]
    assert (
        f"could not verify HardenedEc2-{PRIVATE}: tcp port 443 open to 0.0.0.0/0 on Server, and "
        "the templates do not show whether its subnet is private"
    ) in messages


def test_an_administrative_port_is_not_doubted_where_it_is_an_error() -> None:
    resources = {**server_with(rule("0.0.0.0/0")), "Server": instance(SubnetId="subnet-1")}
    assert [f.logical_id for f in found("CannotVerify", resources)] == ["Server"]


def test_servers_that_share_a_group_are_told_in_one_finding() -> None:
    more = {f"Server{n}": instance() for n in range(5)}
    assert message(PRIVATE, server_with(HTTPS, **more)) == (
        "tcp port 443 open to 0.0.0.0/0 on Server, Server0, Server1 and 3 more, "
        "which is in a private subnet"
    )


def test_a_database_open_to_the_world_on_a_server_is_an_error() -> None:
    resources = {**server_with(HTTPS, rule("::/0", ports=(3306, 3306))), **GATEWAY}
    (finding,) = found(OPEN, resources)
    assert finding.severity is Severity.ERROR
    assert finding.path == "Properties.SecurityGroupIngress.1"
    assert finding.message == "tcp port 3306 open to ::/0 on Server"


@pytest.mark.parametrize(
    "ingress",
    [
        [rule("0.0.0.0/0", ports=(80, 90))],
        [rule("0.0.0.0/0", ports=("6379", "6379"), protocol="6")],
        [rule("0.0.0.0/0", protocol="udp", ports=(0, 65535))],
        [rule("0.0.0.0/0", protocol="50")],
        [rule("2000::/3", ports=(5432, 5432))],
        [if_("C", rule("0.0.0.0/0", ports=(9200, 9200)))],
    ],
)
def test_other_ports_open_to_the_world_are_found_in_every_disguise(ingress: list[object]) -> None:
    assert found(OPEN, {**server_with(*ingress), **GATEWAY}, **CONDITIONS)


def test_halves_in_two_groups_of_a_server_are_united() -> None:
    resources = {
        **SOUND,
        **GATEWAY,
        "Group": group(*(rule(f"{n}.0.0.0/9", ports=(5432, 5432)) for n in (8, 12))),
        "Second": group(*(rule(f"{n}.0.0.0/9", ports=(5432, 5432)) for n in (16, 20))),
        "Server": instance(SecurityGroupIds=[ref("Group"), ref("Second")]),
    }
    assert "8.0.0.0/9, 12.0.0.0/9, 16.0.0.0/9, 20.0.0.0/9 on Server" in message(OPEN, resources)


@pytest.mark.parametrize(
    "ingress",
    [HTTPS, rule("0.0.0.0/0", ports=(80, 80)), rule("0.0.0.0/0", protocol="icmp")],
)
def test_public_ports_and_ping_are_not(ingress: object) -> None:
    assert found(OPEN, {**server_with(ingress), **GATEWAY}) == []


def test_an_administrative_port_is_told_by_its_own_rule_only() -> None:
    assert found(OPEN, {**server_with(rule("0.0.0.0/0")), **GATEWAY}) == []


def test_the_public_ports_are_a_setting() -> None:
    resources = {**server_with(rule("0.0.0.0/0", ports=(1194, 1194), protocol="udp")), **GATEWAY}
    assert judged(resources, settings=Settings(public_ports=frozenset({1194}))) == []


INTERFACE: dict[str, Any] = {
    "DeviceIndex": "0",
    "GroupSet": [ref("Group")],
    "SubnetId": ref("Subnet"),
}
PLAIN: dict[str, Any] = {"SecurityGroupIds": None, "SubnetId": None}


def with_interface(answer: object) -> dict[str, Any]:
    interface = INTERFACE if answer is None else {**INTERFACE, "AssociatePublicIpAddress": answer}
    return {**SOUND, "Server": instance(**PLAIN, NetworkInterfaces=[interface])}


def public_subnet(**properties: object) -> dict[str, Any]:
    return {**SOUND, **GATEWAY, "Subnet": resource("EC2::Subnet", VpcId=ref("Vpc"), **properties)}


@pytest.mark.parametrize(
    ("resources", "reason"),
    [
        (with_interface(answer=True), "AssociatePublicIpAddress is true"),
        (with_interface("true"), "AssociatePublicIpAddress is 'true'"),
        (
            with_interface(if_("C", yes=False, no=True)),
            "AssociatePublicIpAddress is true (when condition",
        ),
        (public_subnet(MapPublicIpOnLaunch=True), "MapPublicIpOnLaunch of subnet Subnet is true"),
        (
            {**public_subnet(MapPublicIpOnLaunch="true"), "Server": with_interface(None)["Server"]},
            "MapPublicIpOnLaunch of subnet Subnet is 'true'",
        ),
        (
            public_subnet(AssignIpv6AddressOnCreation=True),
            "AssignIpv6AddressOnCreation of subnet Subnet is true",
        ),
        (
            {**SOUND, "Address": resource("EC2::EIP", InstanceId=ref("Server"))},
            "Elastic IP address Address is associated with it",
        ),
        (
            {**SOUND, "Tie": resource("EC2::EIPAssociation", InstanceId=ref("Server"))},
            "Elastic IP address Tie is associated with it",
        ),
    ],
)
def test_a_public_address_is_an_error_wherever_it_comes_from(
    resources: dict[str, Any], reason: str
) -> None:
    (finding,) = found(PUBLIC, resources, **CONDITIONS)
    assert finding.severity is Severity.ERROR
    assert finding.logical_id == "Server"
    assert finding.message.startswith(f"Server gets a public address: {reason}")
    assert "Acknowledge it with a reason" in finding.fix


def test_an_elastic_address_on_an_interface_of_the_server_is_found() -> None:
    resources = {
        **SOUND,
        "Server": instance(**PLAIN, NetworkInterfaces=[{"NetworkInterfaceId": ref("Interface")}]),
        "Interface": resource(
            "EC2::NetworkInterface", GroupSet=[ref("Group")], SubnetId=ref("Subnet")
        ),
        "Tie": resource("EC2::EIPAssociation", NetworkInterfaceId=ref("Interface")),
    }
    assert {f.logical_id for f in found(PUBLIC, resources)} == {"Server", "Interface"}


def test_a_launch_template_of_a_fleet_gets_the_address_of_its_subnets() -> None:
    resources = {
        **public_subnet(MapPublicIpOnLaunch=True),
        "Server": resource(
            "EC2::LaunchTemplate", LaunchTemplateData=instance(SubnetId=None)["Properties"]
        ),
        "Fleet": resource(
            "AutoScaling::AutoScalingGroup",
            VPCZoneIdentifier=[ref("Subnet")],
            LaunchTemplate={"LaunchTemplateId": ref("Server"), "Version": "1"},
        ),
    }
    assert "MapPublicIpOnLaunch of subnet Subnet" in message(PUBLIC, resources)


def test_every_launch_template_of_a_mixed_instances_policy_gets_it() -> None:
    names = ("Base", "Other", "Third")
    base, other, third = ({"LaunchTemplateId": ref(name), "Version": "1"} for name in names)
    data = instance(SubnetId=None)["Properties"]
    resources = {
        **public_subnet(MapPublicIpOnLaunch=True),
        **{name: resource("EC2::LaunchTemplate", LaunchTemplateData=data) for name in names},
        "Fleet": resource(
            "AutoScaling::AutoScalingGroup",
            VPCZoneIdentifier=[ref("Subnet")],
            MixedInstancesPolicy={
                "LaunchTemplate": {
                    "LaunchTemplateSpecification": base,
                    "Overrides": [
                        {"InstanceType": "m7g.large"},
                        {"InstanceType": "m7i.large", "LaunchTemplateSpecification": other},
                        if_("Big", {"LaunchTemplateSpecification": third}),
                    ],
                }
            },
        ),
    }
    del resources["Server"]
    conditions = {"Big": {"Fn::Equals": [{"Ref": "AWS::Region"}, "eu-west-1"]}}
    reported = {f.message.split()[0] for f in found(PUBLIC, resources, Conditions=conditions)}
    assert reported == set(names)


def test_a_launch_configuration_is_asked_directly() -> None:
    resources = {"Old": resource("AutoScaling::LaunchConfiguration", AssociatePublicIpAddress=True)}
    assert message(PUBLIC, resources) == (
        "Old gets a public address: AssociatePublicIpAddress is true"
    )


@pytest.mark.parametrize(
    "resources",
    [
        SOUND,
        {**SOUND, **GATEWAY},
        with_interface(answer=False),
        {
            **public_subnet(MapPublicIpOnLaunch=True),
            "Server": with_interface(answer=False)["Server"],
        },
        public_subnet(MapPublicIpOnLaunch=False),
        {
            **SOUND,
            "Subnet": resource("EC2::Subnet", VpcId=ref("Vpc"), AssignIpv6AddressOnCreation=True),
        },
        {**SOUND, "Address": resource("EC2::EIP")},
    ],
)
def test_a_server_without_one_is_sound(resources: dict[str, Any]) -> None:
    assert [f for f in judged(resources) if f.rule != "HardenedEc2-SubnetAutoAssign"] == []


@pytest.mark.parametrize(
    ("resources", "why"),
    [
        (with_interface(ref("Unset")), "parameter Unset has no Default and no AllowedValues"),
        ({**SOUND, "Server": instance(SubnetId="subnet-1")}, "subnet 'subnet-1' is not in the"),
        (
            {**SOUND, "Server": instance(SubnetId=None)},
            "no subnet is given, and those of the default",
        ),
        (public_subnet(MapPublicIpOnLaunch=ref("Unset")), "parameter Unset has no Default"),
    ],
)
def test_an_address_that_is_not_known_cannot_be_verified(
    resources: dict[str, Any], why: str
) -> None:
    assert found(PUBLIC, resources, **UNSET) == []
    assert any(
        f"whether Server gets a public address is not known: {why}" in finding.message
        for finding in found("CannotVerify", resources, **UNSET)
    )


def open_group(*ingress: object, **more: object) -> dict[str, Any]:
    return {"Lonely": group(*ingress), **more}


DATABASE = rule("0.0.0.0/0", ports=(5432, 5432))


@pytest.mark.parametrize(
    "resources",
    [
        open_group(DATABASE),
        open_group(rule("0.0.0.0/1", ports=(0, 9)), rule("128.0.0.0/1", ports=(5, 5))),
        open_group(if_("C", DATABASE)),
        open_group(Door=resource("EC2::SecurityGroupIngress", GroupId=ref("Lonely"), **DATABASE)),
        {"Door": resource("EC2::SecurityGroupIngress", GroupId="sg-0123456789abcdef0", **DATABASE)},
        open_group(DATABASE, Peer=group(rule(SourceSecurityGroupId=get_att("Lonely", "GroupId")))),
    ],
    ids=["inline", "halves", "condition", "standalone", "outside", "named by a rule"],
)
def test_an_open_group_of_a_stranger_cannot_be_verified(resources: dict[str, Any]) -> None:
    doubts = found("CannotVerify", resources, **CONDITIONS)
    assert any("the templates do not show what uses it" in each.message for each in doubts)
    assert not found(OPEN, resources, **CONDITIONS)


@pytest.mark.parametrize(
    "use",
    [
        ref("Lonely"),
        get_att("Lonely", "GroupId"),
        {"Fn::GetAtt": "Lonely.GroupId"},
        {"Fn::Sub": "${Lonely.GroupId}"},
        {"Fn::Sub": ["${Its}", {"Its": ref("Lonely")}]},
        if_("C", [ref("Lonely")]),
    ],
)
def test_an_open_group_of_something_else_is_not_a_server_s(use: object) -> None:
    cache = resource("ElastiCache::ReplicationGroup", SecurityGroupIds=[use])
    assert not found("CannotVerify", open_group(DATABASE, Cache=cache), **CONDITIONS)


@pytest.mark.parametrize(
    "ingress",
    [HTTPS, rule("10.0.0.0/8", ports=(5432, 5432)), rule("0.0.0.0/0", protocol="icmp")],
    ids=["public port", "private addresses", "ping"],
)
def test_a_sound_group_of_a_stranger_is_no_doubt(ingress: dict[str, Any]) -> None:
    assert not found("CannotVerify", open_group(ingress))


def test_an_open_group_of_a_stranger_is_reported_once() -> None:
    assert not found("CannotVerify", open_group(rule("0.0.0.0/0")))
    assert found("AdminPortOpenToWorld", open_group(rule("0.0.0.0/0")))


def test_a_group_that_is_handed_to_another_template_has_its_user_there() -> None:
    sections: dict[str, Any] = {
        "Outputs": {"Its": {"Value": ref("Lonely"), "Export": {"Name": "its"}}}
    }
    alone = template(open_group(DATABASE), **sections)
    other = template({"Topic": resource("SNS::Topic")}, name="other.template.json")
    doubted = {finding.rule for finding in judge([alone])}
    assert "HardenedEc2-CannotVerify" in doubted
    doubted = {finding.rule for finding in judge([alone, other])}
    assert "HardenedEc2-CannotVerify" not in doubted


def test_public_and_other_ports_in_one_rule_are_not_public() -> None:
    assert found(OPEN, {**server_with(rule("0.0.0.0/0", ports=(80, 81))), **GATEWAY})


def test_what_several_rules_open_is_told_where_the_widest_stands() -> None:
    blocks = ("12.0.0.0/10", "8.0.0.0/9", "16.0.0.0/10")
    parts = [rule(block, ports=(5432, 5432)) for block in blocks]
    (finding,) = found(OPEN, {**server_with(*parts), **GATEWAY})
    assert finding.path == "Properties.SecurityGroupIngress.1"


def test_what_only_one_of_its_rules_is_reported_for_is_doubted_elsewhere() -> None:
    halves = (rule("8.0.0.0/9", ports=(22, 443)), rule("12.0.0.0/9", ports=(443, 443)))
    resources = {**server_with(*halves), "Server": instance(SubnetId="subnet-1")}
    doubts = "".join(each.message for each in found("CannotVerify", resources))
    assert f"HardenedEc2-{PRIVATE}: tcp port 443 open to 8.0.0.0/9, 12.0.0.0/9" in doubts


def test_an_interface_that_asks_for_no_address_in_one_deployment_gets_that_of_its_subnet() -> None:
    resources = {
        **public_subnet(MapPublicIpOnLaunch=True),
        "Server": with_interface(if_("C", yes=False))["Server"],
    }
    assert "MapPublicIpOnLaunch of subnet Subnet is true" in message(
        PUBLIC, resources, **CONDITIONS
    )


def test_an_ipv6_address_in_a_subnet_that_is_not_known_cannot_be_verified() -> None:
    resources = {**SOUND, "Server": instance(SubnetId="subnet-1", Ipv6AddressCount=1)}
    assert any(
        each.message.endswith("gets a public address is not known: its subnet is not known")
        for each in found("CannotVerify", resources)
    )


def test_two_profiles_of_a_public_server_are_one_finding() -> None:
    statement = {"Effect": "Allow", "Action": "a:B", "Resource": "x"}
    policy = {"PolicyName": "p", "PolicyDocument": {"Statement": statement}}
    resources = {
        **SOUND,
        "Address": resource("EC2::EIP", InstanceId=ref("Server")),
        "Role": resource("IAM::Role", Policies=[policy]),
        "Server": instance(IamInstanceProfile=if_("C", ref("Profile"), "other")),
    }
    assert len(found("PublicServerWithRole", resources, **CONDITIONS)) == 1
