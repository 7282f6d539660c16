"""Who can reach which port of which server, by which chain of rules."""

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardened_ec2.policy import Severity
from hardened_ec2.policy.facts.exposure import Exposure
from hardened_ec2.policy.facts.servers import servers
from hardened_ec2.policy.resolve.deployment import Deployment
from tests.unit.policy.templates import (
    GATEWAY,
    SOUND,
    found,
    group,
    if_,
    instance,
    judged,
    message,
    ref,
    resource,
    rule,
    template,
)

STONE = "SteppingStone"
CONDITIONS: dict[str, Any] = {
    "Conditions": {
        "C": {"Fn::Equals": [ref("AWS::Region"), "x"]},
        "D": {"Fn::Not": [{"Condition": "C"}]},
    }
}
HTTPS = rule("0.0.0.0/0", ports=(443, 443))


def by(peer: str, port: int = 22) -> dict[str, Any]:
    return rule(ports=(port, port), SourceSecurityGroupId=ref(peer))


def paths(resources: dict[str, Any], **sections: Any) -> list[str]:  # noqa: ANN401
    deployment = Deployment([template({**SOUND, **resources}, **sections)])
    return [str(path) for path in Exposure(deployment).paths(servers(deployment)[0])]


def test_a_rule_that_names_addresses_is_a_path_by_itself() -> None:
    assert paths({}) == ["203.0.113.7/32 -> Group (tcp port 22)"]


def test_every_chain_of_groups_is_a_path_to_each_port_it_opens() -> None:
    resources = {
        "Group": group(by("App", 5432), by("App", 22), rule("203.0.113.7/32")),
        "App": group(by("Front", 8080), by("App", 7946)),
        "Front": group(HTTPS, rule("::/0", ports=(80, 80))),
    }
    to_app = [
        "0.0.0.0/0 -> Front (tcp port 443) -> App (tcp port 8080)",
        "::/0 -> Front (tcp port 80) -> App (tcp port 8080)",
    ]
    assert paths(resources) == [
        *(f"{start} -> Group (tcp port 5432)" for start in to_app),
        *(f"{start} -> Group (tcp port 22)" for start in to_app),
        "203.0.113.7/32 -> Group (tcp port 22)",
    ]


def test_a_group_that_is_attached_twice_makes_one_path() -> None:
    assert len(paths({"Server": instance(SecurityGroupIds=[ref("Group"), ref("Group")])})) == 1


def test_a_group_that_lets_in_its_own_members_is_passed_once() -> None:
    assert paths({"Group": group(by("Group"), HTTPS)}) == [
        "0.0.0.0/0 -> Group (tcp port 443) -> Group (tcp port 22)",
        "0.0.0.0/0 -> Group (tcp port 443)",
    ]


def test_rules_that_are_never_deployed_together_are_no_path() -> None:
    resources = {"Group": group(if_("C", by("App"))), "App": group(if_("D", HTTPS))}
    assert paths(resources, **CONDITIONS) == []
    resources = {"Group": group(if_("C", by("App"))), "App": group(if_("C", HTTPS))}
    assert len(paths(resources, **CONDITIONS)) == 1


def test_a_group_that_is_attached_only_without_the_rule_is_no_path() -> None:
    resources = {
        "Group": group(if_("D", HTTPS)),
        "Server": instance(SecurityGroupIds=[if_("C", ref("Group"))]),
    }
    assert paths(resources, **CONDITIONS) == []
    deployment = Deployment([template({**SOUND, **resources}, **CONDITIONS)])
    assert Exposure(deployment).of_server(servers(deployment)[0]) == ()


def test_a_path_that_is_not_known_says_why() -> None:
    resources = {**SOUND, "Group": group(by("App")), "App": group(rule(SourcePrefixListId="pl-1"))}
    deployment = Deployment([template(resources)])
    (path,) = Exposure(deployment).paths(servers(deployment)[0])
    assert path.unknown == "the entries of prefix list 'pl-1' are not in the templates"
    assert not path.is_direct
    resources["Group"] = group(by("App") | {"FromPort": "ssh"})
    deployment = Deployment([template(resources)])
    (path,) = Exposure(deployment).paths(servers(deployment)[0])
    assert path.unknown == (
        "the entries of prefix list 'pl-1' are not in the templates; 'ssh' is not a port"
    )


names = st.sampled_from(["Group", "A", "B", "C", "D"])
edges = st.lists(st.tuples(names, names), max_size=12)


def closure(pairs: Iterable[tuple[str, str]], start: str) -> set[str]:
    """Return what leads to a group by the slowest way there is."""
    reached = {start}
    while True:
        more = {peer for group_, peer in pairs if group_ in reached} - reached
        if not more:
            return reached
        reached |= more


@settings(max_examples=60, deadline=None, database=None)
@given(edges, st.sets(names))
def test_paths_are_the_transitive_closure(
    pairs: list[tuple[str, str]], entrances: set[str]
) -> None:
    resources = {
        name: group(
            *(by(peer) for at, peer in dict.fromkeys(pairs) if at == name),
            *([HTTPS] if name in entrances else []),
        )
        for name in ("Group", "A", "B", "C", "D")
    }
    starts = {path.split(" -> ")[1].split(" ")[0] for path in paths(resources)}
    assert starts == closure(pairs, "Group") & entrances


BEHIND: dict[str, Any] = {
    **SOUND,
    "Group": group(by("Web")),
    "Web": group(HTTPS),
    "Front": instance(SecurityGroupIds=[ref("Web")], SubnetId=ref("Public")),
    "Public": resource("EC2::Subnet", VpcId=ref("Vpc")),
    "Ways": resource(
        "EC2::SubnetRouteTableAssociation", SubnetId=ref("Public"), RouteTableId=ref("Outside")
    ),
    "Outside": resource("EC2::RouteTable", VpcId=ref("Vpc")),
    "Gateway": GATEWAY["Gateway"],
    "Way": resource(
        "EC2::Route",
        RouteTableId=ref("Outside"),
        DestinationCidrBlock="0.0.0.0/0",
        GatewayId=ref("Gateway"),
    ),
}


def test_ssh_from_a_server_that_faces_the_internet_is_a_warning() -> None:
    (finding,) = found(STONE, BEHIND)
    assert finding.severity is Severity.WARNING
    assert (finding.logical_id, finding.path) == ("Group", "Properties.SecurityGroupIngress.0")
    assert finding.message == (
        "an attacker on a server in between can reach port 22 (SSH) of Server: "
        "0.0.0.0/0 -> Web (tcp port 443) -> Group (tcp port 22)"
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"Group": group(rule(protocol="-1", SourceSecurityGroupId=ref("Web")))},
        {"Group": group(by("Middle")), "Middle": group(by("Web", 9000)), "Web": group(HTTPS)}
        | {"Second": instance(SecurityGroupIds=[ref("Middle")])},
        {"Web": group(rule("0.0.0.0/0", ports=(443, 443)), GroupName="web")}
        | {"Group": group(rule(SourceSecurityGroupName="web"))},
    ],
)
def test_a_stepping_stone_is_found_in_every_disguise(changes: dict[str, Any]) -> None:
    assert found(STONE, {**BEHIND, **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {"Group": group(by("Web", 5432))},
        {"Web": group(rule("203.0.113.7/32"))},
        {"Web": group(rule("10.0.0.0/24", ports=(443, 443)))},
        # Nobody logs in from a load balancer.
        {"Front": instance(SecurityGroupIds=[ref("Group")])},
    ],
)
def test_other_ports_and_sound_bastions_are_not(changes: dict[str, Any]) -> None:
    assert found(STONE, {**BEHIND, **changes}) == []


def test_servers_that_share_a_group_are_one_finding() -> None:
    shared = {"Second": instance(), "Front": instance(SecurityGroupIds=[ref("Web")])}
    assert len(found(STONE, {**BEHIND, **shared})) == 1
    assert len(found(ICMP, {**public(PING), "Second": instance()})) == 1


def test_what_is_not_known_of_a_stone_is_told_where_it_stands() -> None:
    resources = {**BEHIND, "Web": group(rule(SourcePrefixListId="pl-1"))}
    assert found(STONE, resources) == []
    assert any(f.logical_id == "Web" for f in found("CannotVerify", resources))


PING = rule("0.0.0.0/0", protocol="icmp", ports=(-1, -1))
ICMP = "IcmpOpenToWorld"


def public(*ingress: object) -> dict[str, Any]:
    return {**SOUND, **GATEWAY, "Group": group(*ingress)}


def test_ping_for_everyone_is_a_warning() -> None:
    (finding,) = found(ICMP, public(PING))
    assert finding.severity is Severity.WARNING
    assert finding.message == "icmp open to 0.0.0.0/0 on Server"


@pytest.mark.parametrize(
    "ingress",
    [
        rule("0.0.0.0/0", protocol=1, ports=(8, -1)),
        rule("0.0.0.0/0", protocol="icmp", ports=("8", "0")),
        rule("2000::/3", protocol="icmpv6", ports=(-1, -1)),
        rule("::/0", protocol="58", ports=(128, 0)),
        if_("C", PING),
    ],
)
def test_ping_is_found_in_every_spelling(ingress: object) -> None:
    assert message(ICMP, public(ingress), **CONDITIONS).startswith("icmp")


@pytest.mark.parametrize(
    "ingress",
    [
        rule("0.0.0.0/0", protocol="icmp", ports=(3, 4)),
        rule("0.0.0.0/0", protocol="icmp", ports=(11, -1)),
        *(rule("::/0", protocol="icmpv6", ports=(kind, -1)) for kind in (1, 2, 3, 4)),
        rule("203.0.113.7/32", protocol="icmp", ports=(-1, -1)),
        rule(SourcePrefixListId="pl-1", protocol="icmp", ports=(-1, -1)),
    ],
)
def test_path_mtu_discovery_and_monitors_are_sound(ingress: object) -> None:
    assert found(ICMP, public(ingress)) == []


def test_the_type_of_message_is_told() -> None:
    echo_reply = rule("0.0.0.0/0", protocol="icmp", ports=(0, -1))
    assert message(ICMP, public(echo_reply)) == "icmp type 0 open to 0.0.0.0/0 on Server"


def test_ping_on_a_private_server_is_told_by_its_own_rule() -> None:
    resources = {**SOUND, "Group": group(PING)}
    assert [f.rule for f in judged(resources)] == ["HardenedEc2-PrivateServerOpenToWorld"]
