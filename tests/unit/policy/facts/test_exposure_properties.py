"""The exposure of small networks, against a reading of them that is slow and simple."""

from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from itertools import product
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from hardened_ec2.policy.facts.exposure import Exposure
from hardened_ec2.policy.facts.ingress import ALL_PROTOCOLS, TCP, UDP
from hardened_ec2.policy.facts.reach import reaches
from hardened_ec2.policy.facts.servers import servers
from hardened_ec2.policy.resolve.deployment import Deployment
from hardened_ec2.policy.resolve.scenarios import holds
from tests.unit.policy.templates import SOUND, group, if_, instance, ref, resource, template

GROUPS = ("One", "Two", "Three")
ADDRESSES = [*map(str, ip_network("10.0.0.0/29")), *map(str, ip_network("2001:db8::/125"))]
BLOCKS = [
    str(net)
    for whole in (ip_network("10.0.0.0/29"), ip_network("2001:db8::/125"))
    for new in range(whole.prefixlen, whole.max_prefixlen + 1)
    for net in whole.subnets(new_prefix=new)
]
PORTS = range(7)
SPELLED = {TCP: ("tcp", "TCP", "6", 6), UDP: ("udp", 17), ALL_PROTOCOLS: ("-1", -1, "all")}


@dataclass(frozen=True)
class Written:
    """One rule as somebody may write it."""

    to: str
    block: str
    protocol: int
    spelling: object
    first: int
    last: int
    textual: bool
    place: str
    arm: bool | None

    @property
    def properties(self) -> dict[str, Any]:
        first, last = (str(p) if self.textual else p for p in (self.first, self.last))
        rule = {"IpProtocol": self.spelling, "FromPort": first, "ToPort": last}
        if self.place == "list":
            return {**rule, "SourcePrefixListId": ref(f"List{BLOCKS.index(self.block)}")}
        return {**rule, "CidrIpv6" if ":" in self.block else "CidrIp": self.block}

    def admits(self, address: str, protocol: int, port: int, condition: bool) -> bool:  # noqa: FBT001
        return (
            self.arm in (None, condition)
            and self.protocol in (ALL_PROTOCOLS, protocol)
            and (self.protocol == ALL_PROTOCOLS or self.first <= port <= self.last)
            and ip_address(address) in ip_network(self.block)
        )


@st.composite
def rules(draw: st.DrawFn) -> Written:
    protocol = draw(st.sampled_from(sorted(SPELLED)))
    first, last = sorted((draw(st.sampled_from(PORTS)), draw(st.sampled_from(PORTS))))
    return Written(
        to=draw(st.sampled_from(GROUPS)),
        block=draw(st.sampled_from(BLOCKS)),
        protocol=protocol,
        spelling=draw(st.sampled_from(SPELLED[protocol])),
        first=first,
        last=last,
        textual=draw(st.booleans()),
        place=draw(st.sampled_from(["inline", "standalone", "list"])),
        arm=draw(st.sampled_from([None, True, False])),
    )


def built(written: list[Written], attached: list[str]) -> dict[str, Any]:
    resources: dict[str, Any] = {**SOUND}
    for name in GROUPS:
        inline = [
            each.properties
            if each.arm is None
            else if_("C", *sorted_arms(each.properties, yes=each.arm))
            for each in written
            if each.to == name and each.place != "standalone"
        ]
        resources[name] = group(*inline)
    for n, each in enumerate(written):
        if each.place == "standalone":
            added = resource("EC2::SecurityGroupIngress", GroupId=ref(each.to), **each.properties)
            resources[f"Rule{n}"] = (
                added if each.arm is None else {**added, "Condition": "C" if each.arm else "D"}
            )
        elif each.place == "list":
            entries = [{"Cidr": each.block}]
            resources[f"List{BLOCKS.index(each.block)}"] = resource(
                "EC2::PrefixList", Entries=entries
            )
    resources["Server"] = instance(SecurityGroupIds=[ref(name) for name in attached])
    return resources


def sorted_arms(rule: dict[str, Any], *, yes: bool) -> tuple[object, object]:
    nothing = {"Ref": "AWS::NoValue"}
    return (rule, nothing) if yes else (nothing, rule)


CONDITIONS = {
    "C": {"Fn::Equals": [{"Ref": "AWS::Region"}, "x"]},
    "D": {"Fn::Not": [{"Condition": "C"}]},
}


@settings(max_examples=20, deadline=None, database=None)
@given(st.lists(rules(), max_size=5), st.lists(st.sampled_from(GROUPS), unique=True, min_size=1))
def test_what_a_server_lets_in_is_what_its_rules_say(
    written: list[Written], attached: list[str]
) -> None:
    deployment = Deployment([template(built(written, attached), Conditions=CONDITIONS)])
    (server,) = servers(deployment)
    openings = Exposure(deployment).of_server(server)
    assert not any(opening.unknown for opening in openings)
    applied = [each for each in written if each.to in attached]
    for condition in (True, False):
        scenario = frozenset(
            {(("condition", "app.template.json", "C"), "true" if condition else "false")}
        )
        deployed = [o for o in openings if holds(o.when, scenario)]
        pieces = list(reaches(deployed))
        for address, protocol, port in product(ADDRESSES, (TCP, UDP), PORTS):
            expected = any(each.admits(address, protocol, port, condition) for each in applied)
            assert expected == any(
                o.admits(protocol, port) and address in o.addresses for o in deployed
            )
            # `reaches` tells of each protocol that a rule names; all others are ALL_PROTOCOLS.
            named = protocol if any(o.protocol == protocol for o in deployed) else ALL_PROTOCOLS
            covering = [p for p in pieces if p.protocol == named and p.first <= port <= p.last]
            if covering:
                assert expected == (address in covering[0].addresses)
