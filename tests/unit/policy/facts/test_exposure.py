from typing import Any

import pytest

from hardened_ec2.addresses import AddressSet
from hardened_ec2.policy.facts.exposure import Exposure
from hardened_ec2.policy.facts.ingress import ALL_PROTOCOLS, ICMP, TCP, UDP, Opening
from hardened_ec2.policy.facts.placement import Placement
from hardened_ec2.policy.facts.reach import reaches, spelled_addresses
from hardened_ec2.policy.facts.servers import Kind, servers
from hardened_ec2.policy.resolve.deployment import Deployment
from tests.unit.policy.templates import (
    GATEWAY,
    NETWORK,
    SOUND,
    get_att,
    group,
    if_,
    instance,
    ref,
    resource,
    rule,
    template,
)

GROUP = ("app.template.json", "Group")


def exposure(resources: dict[str, Any], **sections: Any) -> Exposure:  # noqa: ANN401
    return Exposure(Deployment([template(resources, **sections)]))


def opened(*ingress: object, **sections: Any) -> tuple[Opening, ...]:  # noqa: ANN401
    resources = {**NETWORK, "Group": group(*ingress)}
    return exposure(resources, **sections).openings(GROUP)


def only(*ingress: object, **sections: Any) -> Opening:  # noqa: ANN401
    (opening,) = opened(*ingress, **sections)
    return opening


@pytest.mark.parametrize(
    ("protocol", "number"),
    [
        ("tcp", TCP),
        ("TCP", TCP),
        ("6", TCP),
        (6, TCP),
        ("udp", UDP),
        (17, UDP),
        ("icmp", ICMP),
        ("-1", ALL_PROTOCOLS),
        (-1, ALL_PROTOCOLS),
        ("all", ALL_PROTOCOLS),
        ("any", ALL_PROTOCOLS),
        ("50", 50),
    ],
)
def test_protocols_in_every_spelling(protocol: object, number: int) -> None:
    opening = only(rule("10.0.0.1/32", protocol=protocol))
    assert (opening.protocol, opening.unknown) == (number, "")


@pytest.mark.parametrize(
    ("ports", "first", "last"),
    [
        ((22, 22), 22, 22),
        (("22", " 22"), 22, 22),
        ((20, 25), 20, 25),
        ((25, 20), 20, 25),
        ((-1, -1), 0, 65535),
        ((0, 0), 0, 0),
        ((0, 65535), 0, 65535),
        ((0, 99999), 0, 65535),
        ((None, None), 0, 65535),
        ((22, None), 22, 65535),
    ],
)
def test_ports_in_every_spelling(ports: tuple[object, object], first: int, last: int) -> None:
    opening = only(rule("10.0.0.1/32", ports=ports))
    assert (opening.first, opening.last, opening.unknown) == (first, last, "")


def test_a_protocol_without_ports_opens_all_it_has() -> None:
    opening = only(rule("10.0.0.1/32", protocol="icmp", ports=(8, -1)))
    assert (opening.first, opening.last, opening.ports) == (0, 65535, "icmp")


@pytest.mark.parametrize(
    ("cidr", "blocks"),
    [
        ("203.0.113.7/32", "203.0.113.7/32"),
        ("203.0.113.7", "203.0.113.7/32"),
        ("203.0.113.7/24", "203.0.113.0/24"),
        (" 0.0.0.0/0 ", "0.0.0.0/0"),
        ("0.0.0.0/00", "0.0.0.0/0"),
        ("::/0", "::/0"),
        ("0:0:0:0:0:0:0:0/0", "::/0"),
        ("2001:DB8::1/128", "2001:db8::1/128"),
    ],
)
def test_blocks_in_every_spelling(cidr: str, blocks: str) -> None:
    assert str(only(rule(cidr)).addresses) == blocks


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"CidrIp": ref("P")}, "parameter P has no Default and no AllowedValues"),
        ({"CidrIp": "garbage"}, "'garbage' is not a CIDR block"),
        ({"CidrIp": {"a": 1}}, "an object is not a CIDR block"),
        ({"SourcePrefixListId": "pl-1"}, "the entries of prefix list 'pl-1' are not in the"),
        ({"CidrIp": "10.0.0.1/32", "FromPort": ref("P")}, "parameter P has no Default"),
        ({"CidrIp": "10.0.0.1/32", "ToPort": "ssh"}, "'ssh' is not a port"),
        ({"CidrIp": "10.0.0.1/32", "IpProtocol": "gre"}, "'gre' is not a protocol"),
    ],
)
def test_what_is_not_known_is_the_worst_it_can_be(more: dict[str, object], why: str) -> None:
    opening = only({**rule(), **more}, Parameters={"P": {"Type": "String"}})
    assert opening.unknown.startswith(why)
    if "CidrIp" not in more or more["CidrIp"] != "10.0.0.1/32":
        assert opening.addresses == AddressSet.everything()
    elif "IpProtocol" in more:
        assert opening.admits(TCP, 1)
        assert opening.admits(UDP, 65535)
    else:
        assert (opening.first, opening.last) in ((0, 22), (22, 65535))


def test_a_rule_that_is_wholly_unknown_opens_everything() -> None:
    opening = only(ref("P"), Parameters={"P": {"Type": "String"}})
    assert opening.unknown
    assert opening.addresses == AddressSet.everything()
    assert opening.admits(TCP, 22)


def test_one_host_that_only_the_deployment_names_is_a_whitelist() -> None:
    assert opened(rule({"Fn::Join": ["", [ref("Vpc"), "/32"]]})) == ()
    assert opened(rule(CidrIpv6={"Fn::Join": ["", [ref("Vpc"), "/128"]]})) == ()


def test_an_unknown_block_of_any_other_size_is_not() -> None:
    assert only(rule({"Fn::Join": ["", [ref("Vpc"), "/31"]]})).unknown
    assert only(rule({"Fn::Join": ["", ["0.0.0.0/0", ref("Vpc")]]})).unknown


def test_a_prefix_list_is_its_entries() -> None:
    entries = [{"Cidr": "203.0.113.7/32"}, {"Cidr": "2001:db8::/32"}]
    resources = {
        **NETWORK,
        "List": resource("EC2::PrefixList", Entries=entries),
        "Group": group(rule(SourcePrefixListId=ref("List"))),
    }
    openings = exposure(resources).openings(GROUP)
    assert [str(o.addresses) for o in openings] == ["203.0.113.7/32", "2001:db8::/32"]


def test_an_entry_of_a_prefix_list_is_there_when_its_condition_holds() -> None:
    entries = [if_("C", {"Cidr": "0.0.0.0/0"}), {"Cidr": if_("D", "203.0.113.7/32")}]
    resources = {
        "Group": group(if_("D", rule(SourcePrefixListId=ref("List")))),
        "List": resource("EC2::PrefixList", Entries=entries),
    }
    conditions = {
        "C": {"Fn::Equals": [ref("AWS::Region"), "x"]},
        "D": {"Fn::Not": [{"Condition": "C"}]},
    }
    (opening,) = exposure(resources, Conditions=conditions).openings(GROUP)
    assert str(opening.addresses) == "203.0.113.7/32"


def test_every_way_to_read_a_rule_is_an_opening() -> None:
    openings = opened(rule(if_("C", "10.0.0.1/32", "0.0.0.0/0"), ports=(if_("C", 443, 22), 443)))
    assert [(o.first, str(o.addresses)) for o in openings] == [
        (443, "10.0.0.1/32"),
        (22, "0.0.0.0/0"),
    ]


def test_a_rule_with_too_many_readings_is_unknown() -> None:
    declared = {"P": {"Type": "Number", "AllowedValues": list(range(60))}}
    sections = {"Parameters": declared | {"Q": declared["P"]}}
    opening = only(rule("10.0.0.1/32", ports=(ref("P"), ref("Q"))), **sections)
    assert opening.unknown == "the rule can be read in more than 256 ways"


def test_a_rule_is_read_in_256_ways_and_no_more() -> None:
    def readings(first: int, last: int) -> int:
        declared = {
            name: {"Type": "Number", "AllowedValues": list(range(1, count + 1))}
            for name, count in (("P", first), ("Q", last))
        }
        return len(opened(rule("10.0.0.1/32", ports=(ref("P"), ref("Q"))), Parameters=declared))

    assert readings(16, 16) == 256
    assert readings(16, 17) == 1


def test_a_reading_is_there_when_all_of_it_is() -> None:
    openings = opened(rule("10.0.0.1/32", protocol=if_("C", "tcp", "udp")))
    assert [(o.protocol, [choice for _, choice in o.when]) for o in openings] == [
        (TCP, ["true"]),
        (UDP, ["false"]),
    ]


def test_everything_that_is_not_known_of_a_rule_is_said() -> None:
    declared = {"P": {"Type": "String"}}
    opening = only(rule("garbage", ports=("ssh", "telnet")), Parameters=declared)
    assert opening.unknown == (
        "'garbage' is not a CIDR block; 'ssh' is not a port; 'telnet' is not a port"
    )


def test_a_rule_from_a_group_names_the_peer_and_no_address() -> None:
    resources = {
        **NETWORK,
        "Group": group(rule(SourceSecurityGroupId=get_att("Peer", "GroupId"))),
        "Peer": group(),
    }
    (opening,) = exposure(resources).openings(GROUP)
    assert opening.peer == ("app.template.json", "Peer")
    assert not opening.addresses


@pytest.mark.parametrize(
    "target",
    [
        {"GroupId": ref("Group")},
        {"GroupId": get_att("Group", "GroupId")},
        {"GroupId": "web"},
        {"GroupName": "web"},
        {"GroupName": ref("Group")},
    ],
)
def test_standalone_rules_count_for_the_group_they_name(target: dict[str, Any]) -> None:
    resources = {
        **NETWORK,
        "Group": group(rule("10.0.0.1/32"), GroupName="web"),
        "More": resource("EC2::SecurityGroupIngress", **target, **rule("10.0.0.2/32")),
    }
    openings = exposure(resources).openings(GROUP)
    assert [str(o.addresses) for o in openings] == ["10.0.0.1/32", "10.0.0.2/32"]
    assert [o.place.logical_id for o in openings] == ["Group", "More"]


def test_a_parameter_that_is_a_group_is_one_group_wherever_it_is_used() -> None:
    resources = {
        **SOUND,
        "Server": instance(SecurityGroupIds=[ref("P")]),
        "More": resource("EC2::SecurityGroupIngress", GroupId=ref("P"), **rule("10.0.0.2/32")),
    }
    given = template(resources, Parameters={"P": {"Type": "String"}})
    deployment = Deployment([given])
    (server,) = servers(deployment)
    (opening,) = Exposure(deployment).of_server(server)
    assert str(opening.addresses) == "10.0.0.2/32"


def test_groups_are_followed_to_the_end_and_in_a_circle_only_once() -> None:
    resources = {
        **NETWORK,
        "Group": group(rule(SourceSecurityGroupId=ref("App"))),
        "App": group(rule(SourceSecurityGroupId=ref("Balancer"))),
        "Balancer": group(
            rule(SourceSecurityGroupId=ref("Balancer")), rule(SourceSecurityGroupId=ref("Group"))
        ),
    }
    chains = exposure(resources).chains(GROUP)
    assert [[key[1] for key in chain] for chain in chains] == [
        ["App", "Group"],
        ["Balancer", "App", "Group"],
    ]


ATTACHING = {
    "its own list": {"Server": instance()},
    "group names": {"Server": instance(SecurityGroupIds=None, SecurityGroups=[ref("Group")])},
    "an interface": {
        "Server": instance(
            SecurityGroupIds=None,
            SubnetId=None,
            NetworkInterfaces=[{"DeviceIndex": "0", "GroupSet": [ref("Group")]}],
        )
    },
    "an interface of the template": {
        "Server": instance(
            SecurityGroupIds=None,
            SubnetId=None,
            NetworkInterfaces=[{"DeviceIndex": "0", "NetworkInterfaceId": ref("Interface")}],
        ),
        "Interface": resource(
            "EC2::NetworkInterface", GroupSet=[ref("Group")], SubnetId=ref("Subnet")
        ),
    },
    "an interface attached apart": {
        "Server": instance(SecurityGroupIds=None, SubnetId=None),
        "Interface": resource(
            "EC2::NetworkInterface", GroupSet=[ref("Group")], SubnetId=ref("Subnet")
        ),
        "Attachment": resource(
            "EC2::NetworkInterfaceAttachment",
            InstanceId=ref("Server"),
            NetworkInterfaceId=ref("Interface"),
            DeviceIndex="1",
        ),
    },
    "its launch template": {
        "Server": instance(
            SecurityGroupIds=None, LaunchTemplate={"LaunchTemplateId": ref("Template")}
        ),
        "Template": resource(
            "EC2::LaunchTemplate", LaunchTemplateData={"SecurityGroupIds": [ref("Group")]}
        ),
    },
    "its launch template by name": {
        "Server": instance(SecurityGroupIds=None, LaunchTemplate={"LaunchTemplateName": "web"}),
        "Template": resource(
            "EC2::LaunchTemplate",
            LaunchTemplateName="web",
            LaunchTemplateData={"NetworkInterfaces": [{"Groups": [ref("Group")]}]},
        ),
    },
}


@pytest.mark.parametrize("resources", ATTACHING.values(), ids=ATTACHING)
def test_a_group_is_found_wherever_it_is_attached(resources: dict[str, Any]) -> None:
    deployment = Deployment([template({**SOUND, **resources})])
    server = servers(deployment)[0]
    assert server.kind is Kind.INSTANCE
    (attachment,) = Exposure(deployment).attachments(server)
    assert attachment.group == GROUP


@pytest.mark.parametrize(
    "made",
    [
        resource("EC2::LaunchTemplate", LaunchTemplateData={"SecurityGroups": [ref("Group")]}),
        resource("AutoScaling::LaunchConfiguration", SecurityGroups=[ref("Group")]),
        resource("EC2::NetworkInterface", GroupSet=[ref("Group")]),
    ],
)
def test_a_group_is_found_on_what_servers_are_made_from(made: dict[str, Any]) -> None:
    deployment = Deployment([template({**NETWORK, "Group": group(), "Made": made})])
    (server,) = servers(deployment)
    (attachment,) = Exposure(deployment).attachments(server)
    assert attachment.group == GROUP


def test_a_group_lets_in_what_it_does_where_it_is_attached() -> None:
    resources = {**SOUND, "Server": instance(SecurityGroupIds=[if_("C", ref("Group"))])}
    deployment = Deployment([template(resources)])
    (opening,) = Exposure(deployment).of_server(servers(deployment)[0])
    assert [choice for _, choice in opening.when] == ["true"]


def test_ports_are_cut_where_rules_change_and_senders_united() -> None:
    openings = opened(rule("0.0.0.0/1", ports=(20, 25)), rule("128.0.0.0/1", ports=(22, 22)))
    pieces = {(r.first, r.last): str(r.addresses) for r in reaches(openings)}
    assert pieces == {(20, 21): "0.0.0.0/1", (22, 22): "0.0.0.0/0", (23, 25): "0.0.0.0/1"}


def test_a_rule_for_all_protocols_counts_into_each() -> None:
    openings = opened(rule("0.0.0.0/1", protocol="-1"), rule("128.0.0.0/1"))
    tcp = [r for r in reaches(openings) if r.protocol == TCP and r.first <= 22 <= r.last]
    assert [str(r.addresses) for r in tcp] == ["0.0.0.0/0"]


def test_long_lists_of_addresses_are_cut_short() -> None:
    addresses = AddressSet.of(*(f"203.0.113.{n}" for n in range(0, 20, 2)))
    assert spelled_addresses(addresses, 2) == "203.0.113.0/32, 203.0.113.2/32 and more"
    assert spelled_addresses(AddressSet()) == "no address"


def private(resources: dict[str, Any], **sections: Any) -> bool | None:  # noqa: ANN401
    deployment = Deployment([template({**SOUND, **resources}, **sections)])
    return Placement(deployment).is_private(servers(deployment)[0], None)


def route(**target: object) -> dict[str, Any]:
    return resource("EC2::Route", RouteTableId=ref("Table"), **target)


@pytest.mark.parametrize(
    ("resources", "verdict"),
    [
        ({}, True),
        (GATEWAY, False),
        (
            {**GATEWAY, "Route": route(DestinationIpv6CidrBlock="::/0", GatewayId=ref("Gateway"))},
            False,
        ),
        (
            {**GATEWAY, "Route": route(DestinationCidrBlock="0.0.0.0/1", GatewayId=ref("Gateway"))},
            False,
        ),
        ({"Route": route(DestinationCidrBlock="0.0.0.0/0", GatewayId="igw-1")}, False),
        ({"Route": route(DestinationCidrBlock="0.0.0.0/0", GatewayId=ref("AWS::Region"))}, None),
        ({"Route": route(DestinationCidrBlock="0.0.0.0/0", NatGatewayId=ref("Nat"))}, True),
        ({"Route": route(DestinationCidrBlock="10.1.0.0/16", GatewayId="vgw-1")}, True),
        ({"Route": route(DestinationIpv6CidrBlock="::/0", EgressOnlyInternetGatewayId="e")}, True),
        ({"Server": instance(SubnetId="subnet-1")}, None),
        ({"Server": instance(SubnetId=None)}, None),
        (
            {"Subnet": resource("EC2::Subnet", VpcId="vpc-1"), "Association": resource("Any::X")},
            None,
        ),
        ({"Association": resource("Any::X")}, True),
        (
            {
                "Association": resource(
                    "EC2::SubnetRouteTableAssociation", SubnetId=ref("Subnet"), RouteTableId="rtb-1"
                )
            },
            None,
        ),
        (
            {
                "Subnet": resource("EC2::Subnet", VpcId=if_("C", ref("Vpc"), "vpc-1")),
                "Association": resource("Any::X"),
            },
            None,
        ),
    ],
)
def test_a_subnet_is_private_when_no_route_leads_in(
    resources: dict[str, Any], verdict: object
) -> None:
    assert private(resources) is verdict
