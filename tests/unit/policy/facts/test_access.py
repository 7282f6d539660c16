"""Who gets to which port of a server: rules, routes, addresses and load balancers, joined."""

from collections.abc import Mapping
from typing import Any

import pytest

from hardened_ec2.policy import Settings
from hardened_ec2.policy.facts.access import MAX_CHAINS
from hardened_ec2.policy.facts.ways import Answer, Origin
from hardened_ec2.policy.resolve.deployment import Deployment
from hardened_ec2.policy.rules.case import Case
from tests.unit.policy.templates import (
    GATEWAY,
    IDENTITY,
    NETWORK,
    SOUND,
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

PUBLIC: Mapping[str, Any] = {
    **GATEWAY,
    "Server": instance(
        SubnetId=None,
        SecurityGroupIds=None,
        NetworkInterfaces=[
            {
                "DeviceIndex": "0",
                "SubnetId": ref("Subnet"),
                "AssociatePublicIpAddress": True,
                "GroupSet": [get_att("Group", "GroupId")],
            }
        ],
    ),
}
"""What makes the sound server a public one."""

BALANCER: Mapping[str, Any] = {
    "Balancer": resource(
        "ElasticLoadBalancingV2::LoadBalancer",
        Scheme="internet-facing",
        SecurityGroups=[get_att("BalancerGroup", "GroupId")],
    ),
    "BalancerGroup": group(rule("0.0.0.0/0", ports=(443, 443))),
    "Listener": resource(
        "ElasticLoadBalancingV2::Listener",
        LoadBalancerArn=ref("Balancer"),
        Port=443,
        Protocol="HTTPS",
        DefaultActions=[{"Type": "forward", "TargetGroupArn": ref("Target")}],
    ),
    "Target": resource(
        "ElasticLoadBalancingV2::TargetGroup",
        Port=8080,
        Protocol="HTTP",
        Targets=[{"Id": ref("Server")}],
    ),
}
FROM_BALANCER = rule(ports=(8080, 8080), SourceSecurityGroupId=get_att("BalancerGroup", "GroupId"))

NO_GROUP = (
    "no group is given: it gets the default group of its VPC, whose rules are not in the templates"
)


def answer(
    resources: Mapping[str, Any],
    name: str = "Server",
    **sections: Any,  # noqa: ANN401
) -> Answer:
    case = Case(Deployment([template(resources, **sections)]), Settings())
    (server,) = (each for each in case.servers if each.resource.logical_id == name)
    return case.access.to(server)


def told(given: Answer) -> list[tuple[Origin, str, str, str]]:
    return [
        (
            way.origin,
            str(way.senders),
            " -> ".join(",".join(station.names) for station in way.stations),
            way.spelled_ports,
        )
        for way in given.ways
    ]


def test_the_internet_gets_to_a_public_server_and_not_to_a_private_one() -> None:
    ingress = rule("0.0.0.0/0")
    reached = answer({**server_with(ingress), **PUBLIC})
    assert told(reached) == [(Origin.INTERNET, "0.0.0.0/0", "Group", "tcp port 22")]
    cut_off = answer(server_with(rule("203.0.113.0/28")))
    assert told(cut_off) == [(Origin.BLOCKED, "203.0.113.0/28", "Group", "tcp port 22")]
    assert reached.origin is Origin.INTERNET


def test_where_the_internet_is_cut_off_the_network_is_not() -> None:
    given = answer(server_with(rule("203.0.113.7/32"), rule("10.0.0.0/16")))
    assert told(given) == [
        (Origin.BLOCKED, "203.0.113.7/32", "Group", "tcp port 22"),
        (Origin.INSIDE, "10.0.0.0/16", "Group", "tcp port 22"),
    ]


def test_halves_of_the_internet_in_two_groups_are_the_internet() -> None:
    halves = {
        **server_with(rule("0.0.0.0/1"), Other=group(rule("128.0.0.0/1", ports=(20, 25)))),
        **PUBLIC,
    }
    interfaces = halves["Server"]["Properties"]["NetworkInterfaces"][0]
    interface = {**interfaces, "GroupSet": [*interfaces["GroupSet"], get_att("Other", "GroupId")]}
    halves["Server"] = instance(SubnetId=None, SecurityGroupIds=None, NetworkInterfaces=[interface])
    assert told(answer(halves)) == [
        (Origin.INTERNET, "128.0.0.0/1", "Other", "tcp ports 20-21, tcp ports 23-25"),
        (Origin.INTERNET, "0.0.0.0/0", "Group,Other", "tcp port 22"),
    ]


def test_rules_that_are_never_deployed_together_are_not_united() -> None:
    ingress = (
        if_("Is", rule("203.0.113.7/32"), rule("198.51.100.0/28")),
        rule("10.0.0.1/32", ports=(80, 80)),
    )
    given = answer(server_with(*ingress), Conditions={"Is": {"Fn::Equals": [ref("P"), "x"]}})
    blocked = [way for way in given.ways if way.origin is Origin.BLOCKED]
    assert {(str(way.senders), len(way.when)) for way in blocked} == {
        ("203.0.113.7/32", 1),
        ("198.51.100.0/28", 1),
    }


def test_a_load_balancer_is_one_way_and_not_two() -> None:
    given = answer({**server_with(FROM_BALANCER), **BALANCER})
    assert told(given) == [(Origin.BALANCER, "0.0.0.0/0", "Balancer -> Group", "tcp port 8080")]
    assert given.ways[0].stations[0].is_balancer
    assert [place.logical_id for place in given.ways[0].places] == ["Balancer", "Group"]


def test_a_group_that_a_load_balancer_shares_is_still_a_way() -> None:
    """Whoever else holds the group may send as well."""
    shared = {**server_with(FROM_BALANCER), **BALANCER}
    shared["Other"] = instance(SecurityGroupIds=[get_att("BalancerGroup", "GroupId")])
    assert [origin for origin, *_ in told(answer(shared))] == [Origin.BALANCER, Origin.INDIRECT]


def test_a_chain_of_groups_names_every_station_and_who_holds_it() -> None:
    chained = {
        **server_with(rule(ports=(5432, 5432), SourceSecurityGroupId=get_att("Web", "GroupId"))),
        **GATEWAY,
        "Web": group(rule("0.0.0.0/0", ports=(443, 443))),
        "Front": instance(
            SubnetId=None,
            SecurityGroupIds=None,
            NetworkInterfaces=[
                {
                    "DeviceIndex": "0",
                    "SubnetId": ref("Subnet"),
                    "AssociatePublicIpAddress": True,
                    "GroupSet": [get_att("Web", "GroupId")],
                }
            ],
        ),
    }
    given = answer(chained)
    assert told(given) == [(Origin.INDIRECT, "0.0.0.0/0", "Web -> Group", "tcp port 5432")]
    first = given.ways[0].stations[0]
    assert (first.ports, first.holders) == ("tcp port 443", ("Front",))


def test_a_chain_that_the_internet_does_not_get_to_is_cut_off() -> None:
    peer = rule(SourceSecurityGroupId=get_att("Inner", "GroupId"))
    inner = {"Inner": group(rule("0.0.0.0/0", ports=(443, 443)))}
    endpoint = resource(
        "EC2::InstanceConnectEndpoint", SecurityGroupIds=[get_att("Inner", "GroupId")]
    )
    given = answer({**server_with(peer), **inner, "Endpoint": endpoint})
    assert [origin for origin, *_ in told(given)] == [Origin.BLOCKED, Origin.INSIDE]
    held_by_who_knows = answer({**server_with(peer), **inner})
    assert [origin for origin, *_ in told(held_by_who_knows)] == [Origin.UNKNOWN]


def test_the_members_of_a_group_that_nobody_enters_by_address_start_a_way() -> None:
    peer = rule(SourceSecurityGroupId=get_att("Endpoints", "GroupId"))
    endpoint = resource(
        "EC2::InstanceConnectEndpoint", SecurityGroupIds=[get_att("Endpoints", "GroupId")]
    )
    given = answer({**server_with(peer), "Endpoints": group(), "Endpoint": endpoint})
    assert told(given) == [(Origin.INSIDE, "no address", "Endpoints -> Group", "tcp port 22")]
    assert given.ways[0].stations[0].holders == ("Endpoint",)


@pytest.mark.parametrize(
    ("resources", "why"),
    [
        (
            {**SOUND, "Server": instance(SecurityGroupIds=["sg-0123456789abcdef0"])},
            "the rules of group sg-0123456789abcdef0 are not in the templates",
        ),
        (
            {**SOUND, "Server": instance(SecurityGroupIds=None)},
            NO_GROUP,
        ),
        (server_with(rule(ref("Office"))), "parameter Office has no Default and no AllowedValues"),
    ],
)
def test_what_is_not_known_is_a_way_of_its_own(resources: Mapping[str, Any], why: str) -> None:
    given = answer(resources, Parameters={"Office": {"Type": "String"}})
    assert [(way.origin, way.unknown) for way in given.ways] == [(Origin.UNKNOWN, why)]


def test_a_launch_template_alone_does_not_tell_whether_the_internet_gets_there() -> None:
    data = {"SecurityGroupIds": [get_att("Group", "GroupId")]}
    launch = {"Server": resource("EC2::LaunchTemplate", LaunchTemplateData=data)}
    given = answer({**NETWORK, **IDENTITY, "Group": group(rule("0.0.0.0/0")), **launch})
    assert [(way.origin, way.arrives) for way in given.ways] == [(Origin.UNKNOWN, None)]
    data = {
        "NetworkInterfaces": [
            {"AssociatePublicIpAddress": False, "Groups": [get_att("Group", "GroupId")]}
        ]
    }
    launch = {"Server": resource("EC2::LaunchTemplate", LaunchTemplateData=data)}
    given = answer({**NETWORK, **IDENTITY, "Group": group(rule("203.0.113.7/32")), **launch})
    assert [way.origin for way in given.ways] == [Origin.BLOCKED]


def test_a_closed_server_has_no_way() -> None:
    given = answer(server_with())
    assert (given.ways, given.origin, given.is_cut) == ((), None, False)


def test_whitelists_that_are_many_are_one_way() -> None:
    given = answer(server_with(*(rule(f"203.0.113.{n}/32") for n in range(0, 200, 2))))
    assert [way.senders.width for way in given.ways] == [100]
    assert len(given.ways[0].places) == 100


def test_chains_are_followed_to_a_limit_and_that_is_said() -> None:
    peers = {
        f"Peer{n}": group(rule(f"10.0.{n % 250}.0/24", ports=(n + 1, n + 1)))
        for n in range(MAX_CHAINS + 1)
    }
    ingress = [rule(SourceSecurityGroupId=get_att(name, "GroupId")) for name in peers]
    given = answer({**server_with(*ingress), **peers})
    assert given.is_cut
    assert len(given.ways) == MAX_CHAINS
