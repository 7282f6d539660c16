"""LockedSecurityGroup: closed both ways, and what it refuses to open."""

from collections.abc import Callable

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk.assertions import Match, Template

from hardened_ec2 import HardenedVpc, LockedSecurityGroup

NTP = {
    "CidrIp": "169.254.169.123/32",
    "Description": "NTP to the Amazon Time Sync Service",
    "FromPort": 123,
    "IpProtocol": "udp",
    "ToPort": 123,
}

ALL_OUT = {
    "CidrIp": "0.0.0.0/0",
    "Description": "Allow all outbound traffic by default",
    "IpProtocol": "-1",
}

HTTPS = {
    "CidrIp": "0.0.0.0/0",
    "Description": "HTTPS for everyone",
    "FromPort": 443,
    "IpProtocol": "tcp",
    "ToPort": 443,
}

Door = Callable[[LockedSecurityGroup, ec2.IPeer, ec2.Port, str | None], None]


def _call(
    group: LockedSecurityGroup, peer: ec2.IPeer, port: ec2.Port, description: str | None
) -> None:
    group.add_ingress_rule(peer, port, description)


def _connections(
    group: LockedSecurityGroup, peer: ec2.IPeer, port: ec2.Port, description: str | None
) -> None:
    group.connections.allow_from(peer, port, description)


both_doors = pytest.mark.parametrize("door", [_call, _connections], ids=["call", "connections"])


@pytest.fixture
def group(stack: cdk.Stack, vpc: HardenedVpc) -> LockedSecurityGroup:
    return LockedSecurityGroup(stack, "Group", vpc=vpc, description="Under test")


def rules(stack: cdk.Stack) -> dict[str, object]:
    found = Template.from_stack(stack).find_resources(
        "AWS::EC2::SecurityGroup", {"Properties": {"GroupDescription": "Under test"}}
    )
    (resource,) = found.values()
    properties: dict[str, object] = resource["Properties"]
    return properties


def test_it_is_closed_both_ways(stack: cdk.Stack, group: LockedSecurityGroup) -> None:
    assert isinstance(group, ec2.SecurityGroup)
    properties = rules(stack)
    assert "SecurityGroupIngress" not in properties
    assert properties["SecurityGroupEgress"] == [NTP]


def test_a_plain_group_is_not(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    """The negative control: what CDK writes without this class."""
    ec2.SecurityGroup(stack, "Open", vpc=vpc, description="Under test")
    assert rules(stack)["SecurityGroupEgress"] == [ALL_OUT]


def test_rules_stay_inline_whatever_the_apps_flags_say() -> None:
    app = cdk.App(
        builtin_cloud_formation_validation=False,
        context={"@aws-cdk/aws-ec2.securityGroupDisableInlineRules": True},
    )
    stack = cdk.Stack(app, "Stack")
    vpc = HardenedVpc(stack, "Vpc", interface_endpoints=())
    LockedSecurityGroup(stack, "Group", vpc=vpc, description="Under test")
    assert rules(stack)["SecurityGroupEgress"] == [NTP]


def test_asked_egress_joins_and_the_dummy_never_appears(
    stack: cdk.Stack, vpc: HardenedVpc, group: LockedSecurityGroup
) -> None:
    other = LockedSecurityGroup(stack, "Other", vpc=vpc, description="Other")
    group.add_egress_rule(ec2.Peer.ipv4("10.0.0.0/16"), ec2.Port.tcp(5432), "PostgreSQL")
    group.connections.allow_to(other, ec2.Port.tcp(443), "HTTPS")
    template = Template.from_stack(stack)
    assert rules(stack)["SecurityGroupEgress"] == [
        NTP,
        {
            "CidrIp": "10.0.0.0/16",
            "Description": "PostgreSQL",
            "FromPort": 5432,
            "IpProtocol": "tcp",
            "ToPort": 5432,
        },
    ]
    template.has_resource_properties("AWS::EC2::SecurityGroupEgress", {"Description": "HTTPS"})
    assert "255.255.255.255" not in str(template.to_json())


def test_https_for_the_world_is_legal(stack: cdk.Stack, group: LockedSecurityGroup) -> None:
    group.add_ingress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(443), "HTTPS for everyone")
    assert rules(stack)["SecurityGroupIngress"] == [
        HTTPS,
    ]


@both_doors
@pytest.mark.parametrize(
    ("peer", "port", "says"),
    [
        (ec2.Peer.any_ipv4(), ec2.Port.tcp(22), r"port 22 \(SSH\) is open to the world"),
        (ec2.Peer.any_ipv6(), ec2.Port.tcp(22), r"port 22 \(SSH\) is open to the world"),
        (ec2.Peer.ipv6("0:0:0:0:0:0:0:0/0"), ec2.Port.tcp(22), r"open to the world"),
        (ec2.Peer.ipv6("2000::/3"), ec2.Port.tcp(22), r"open to the world"),
        (ec2.Peer.ipv4("8.0.0.0/6"), ec2.Port.tcp(22), r"open to the world"),
        (ec2.Peer.any_ipv4(), ec2.Port.tcp(3389), r"port 3389 \(RDP\) is open to the world"),
        (ec2.Peer.any_ipv4(), ec2.Port.tcp_range(20, 25), r"port 22 \(SSH\) is open to the world"),
        (ec2.Peer.any_ipv4(), ec2.Port.all_tcp(), r"port 22 \(SSH\) is open to the world"),
        (ec2.Peer.any_ipv4(), ec2.Port.all_traffic(), r"port 22 \(SSH\) is open to the world"),
        (
            ec2.Peer.ipv4("203.0.112.0/23"),
            ec2.Port.tcp(22),
            r"port 22 \(SSH\) is open to 512 addresses \(203.0.112.0/23\) where 256 are allowed",
        ),
        (ec2.Peer.ipv4("10.0.0.0/8"), ec2.Port.tcp(22), r"open to 16777216 addresses"),
    ],
)
def test_wide_administrative_ports_are_refused(  # noqa: PLR0917 - one case, spelled out
    stack: cdk.Stack,
    group: LockedSecurityGroup,
    door: Door,
    peer: ec2.IPeer,
    port: ec2.Port,
    says: str,
) -> None:
    # jsii hands an exception that crossed node on as a RuntimeError.
    with pytest.raises((ValueError, RuntimeError), match=says):
        door(group, peer, port, "Administration")
    assert "SecurityGroupIngress" not in rules(stack)


@both_doors
def test_two_halves_of_the_internet_are_the_internet(
    stack: cdk.Stack, group: LockedSecurityGroup, door: Door
) -> None:
    group.add_ingress_rule(ec2.Peer.ipv4("10.0.0.0/24"), ec2.Port.tcp(22), "One half")
    with pytest.raises((ValueError, RuntimeError), match="open to 512 addresses"):
        door(group, ec2.Peer.ipv4("10.0.1.0/24"), ec2.Port.tcp_range(1, 1024), "The other half")
    # What was refused does not count against what comes later.
    door(group, ec2.Peer.ipv4("10.0.0.0/25"), ec2.Port.tcp(22), "Within the first half")
    assert len(rules(stack)["SecurityGroupIngress"]) == 2  # type: ignore[arg-type]


@both_doors
@pytest.mark.parametrize("description", [None, ""])
def test_a_rule_without_description_is_refused(
    group: LockedSecurityGroup, door: Door, description: str | None
) -> None:
    with pytest.raises((ValueError, RuntimeError), match="an ingress rule has no description"):
        door(group, ec2.Peer.ipv4("203.0.113.7/32"), ec2.Port.tcp(22), description)


def test_egress_without_description_is_refused(group: LockedSecurityGroup) -> None:
    with pytest.raises(ValueError, match="an egress rule has no description: write its"):
        group.add_egress_rule(ec2.Peer.ipv4("203.0.113.7/32"), ec2.Port.tcp(443))


@pytest.mark.parametrize("description", ['a "quoted" one', "naïve", "x" * 256])
def test_a_description_that_ec2_refuses_is_refused_here(
    group: LockedSecurityGroup, description: str
) -> None:
    with pytest.raises(ValueError, match="which EC2 refuses: write up to 255 characters"):
        group.add_ingress_rule(ec2.Peer.ipv4("203.0.113.7/32"), ec2.Port.tcp(22), description)


@pytest.mark.parametrize("peer", [ec2.Peer.any_ipv4(), ec2.Peer.any_ipv6()])
def test_all_egress_to_everywhere_is_refused(group: LockedSecurityGroup, peer: ec2.IPeer) -> None:
    with pytest.raises(ValueError, match=r"opens every port to .*: name the ports and the peer"):
        group.add_egress_rule(peer, ec2.Port.all_traffic(), "Out")


def test_a_group_without_description_is_refused(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    with pytest.raises(ValueError, match="the group has no description"):
        LockedSecurityGroup(stack, "Group", vpc=vpc, description="")
    assert stack.node.try_find_child("Group") is None


def test_a_group_may_permit_more(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    group = LockedSecurityGroup(
        stack,
        "Group",
        vpc=vpc,
        description="Under test",
        max_administrative_addresses=2**24,
    )
    group.add_ingress_rule(
        ec2.Peer.ipv4("10.0.0.0/8"), ec2.Port.tcp(22), "SSH from anywhere inside"
    )
    with pytest.raises(ValueError, match="open to the world"):
        group.add_ingress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(22), "SSH from anywhere")


def test_what_is_unknown_until_deployment_is_let_through(
    stack: cdk.Stack, group: LockedSecurityGroup
) -> None:
    address = cdk.CfnParameter(stack, "Address").value_as_string
    port = cdk.CfnParameter(stack, "Port", type="Number").value_as_number
    group.add_ingress_rule(ec2.Peer.ipv4(address), ec2.Port.tcp(22), "SSH")
    group.add_ingress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(port), "A port to be named")
    assert len(rules(stack)["SecurityGroupIngress"]) == 1  # type: ignore[arg-type]
    Template.from_stack(stack).has_resource_properties(
        "AWS::EC2::SecurityGroupIngress", {"FromPort": {"Ref": "Port"}, "CidrIp": "0.0.0.0/0"}
    )


def test_other_protocols_have_no_administrative_ports(
    stack: cdk.Stack, group: LockedSecurityGroup
) -> None:
    group.add_ingress_rule(ec2.Peer.any_ipv4(), ec2.Port.udp(22), "Not SSH")
    group.add_ingress_rule(ec2.Peer.any_ipv4(), ec2.Port.icmp_ping(), "Ping")
    assert len(rules(stack)["SecurityGroupIngress"]) == 2  # type: ignore[arg-type]


def test_everything_from_a_peer_group_is_legal(
    stack: cdk.Stack, vpc: HardenedVpc, group: LockedSecurityGroup
) -> None:
    peer = LockedSecurityGroup(stack, "Peer", vpc=vpc, description="Peer")
    group.connections.allow_from(peer, ec2.Port.all_traffic(), "Everything from the peer")
    Template.from_stack(stack).has_resource_properties(
        "AWS::EC2::SecurityGroupIngress", Match.object_like({"IpProtocol": "-1"})
    )


def test_a_locked_group_reaches_another_by_the_rules_that_connections_would_write() -> None:
    def rendered(*, by_connections: bool) -> dict[str, object]:
        stack = cdk.Stack(cdk.App(builtin_cloud_formation_validation=False), "Stack")
        vpc = HardenedVpc(stack, "Vpc", interface_endpoints=())
        servers, caches = (
            LockedSecurityGroup(stack, each, vpc=vpc, description=each)
            for each in ("Servers", "Caches")
        )
        if by_connections:
            servers.connections.allow_to(caches, ec2.Port.tcp(6379), "Redis")
        else:
            servers.reach(caches, 6379, "Redis")
        resources: dict[str, object] = Template.from_stack(stack).to_json()["Resources"]
        return resources

    direct = rendered(by_connections=False)
    assert "Redis" in str(direct)
    assert direct == rendered(by_connections=True)


def test_reaching_another_group_takes_a_description(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    group = LockedSecurityGroup(stack, "Group", vpc=vpc, description="Servers")
    with pytest.raises(ValueError, match="the rule has no description: write its purpose"):
        group.reach(group, 443, "")


def test_a_physical_name_can_be_given(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    LockedSecurityGroup(
        stack, "Group", vpc=vpc, description="Build servers", security_group_name="builders"
    )
    Template.from_stack(stack).has_resource_properties(
        "AWS::EC2::SecurityGroup",
        {"GroupName": "builders", "GroupDescription": "Build servers"},
    )
