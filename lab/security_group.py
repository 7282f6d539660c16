"""A security group of a synthesized template, as rules that a packet filter can hold."""

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lab.commands import LabError

_PORTS = ("tcp", "udp")
_OTHER_ENDS = ("SourceSecurityGroupId", "DestinationSecurityGroupId")


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What a group lets through, between the server and some addresses.

    Args:
        protocol: "tcp", "udp", "icmp", "icmpv6" or "-1" for all.
        ports: First and last port; None where the protocol has none.
        addresses: The other end.
    """

    protocol: str
    ports: tuple[int, int] | None
    addresses: ipaddress.IPv4Network | ipaddress.IPv6Network

    def match(self, end: str) -> str:
        """Return the nftables expression for it.

        Args:
            end: "saddr" or "daddr", where the other end stands in a packet.
        """
        family = "ip" if self.addresses.version == 4 else "ip6"  # noqa: PLR2004 - IPv4
        address = f"{family} {end} {self.addresses}"
        if self.ports is not None:
            return f"{address} {self.protocol} dport {self.ports[0]}-{self.ports[1]}"
        return address if self.protocol == "-1" else f"{address} meta l4proto {self.protocol}"


def rules(
    resources: Mapping[str, Mapping[str, Any]], groups: Sequence[str], direction: str
) -> tuple[Rule, ...]:
    """Read the rules of some groups, those inside them and those that stand alone.

    A rule whose other end is a security group has no address: nothing in the lab is a member of
    that group, so it lets nothing through.

    Args:
        resources: The template's resources.
        groups: The logical ids of the groups.
        direction: "Ingress" or "Egress".

    Returns:
        The rules.

    Raises:
        LabError: If a rule is not one that the lab can hold: a rule left out would make the
            filter another one than the template's.
    """
    found: list[Rule] = []
    for logical_id, resource in resources.items():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::EC2::SecurityGroup" and logical_id in groups:
            for rule in properties.get(f"SecurityGroup{direction}", []):
                found += _rule(rule)
        elif (
            resource["Type"] == f"AWS::EC2::SecurityGroup{direction}"
            and logical_group(properties["GroupId"]) in groups
        ):
            found += _rule(properties)
    return tuple(found)


def logical_group(reference: object) -> str:
    """Return the logical id of the group that a template refers to; "" for one elsewhere."""
    match reference:
        case {"Fn::GetAtt": [str(logical_id), "GroupId"]}:
            return logical_id
        case _:
            return ""


def _rule(properties: Mapping[str, Any]) -> Iterator[Rule]:
    if any(end in properties for end in _OTHER_ENDS):
        return
    cidr = properties.get("CidrIp", properties.get("CidrIpv6"))
    if not isinstance(cidr, str):
        raise LabError(f"the lab cannot hold this rule, it has no plain address: {properties}")
    protocol = str(properties["IpProtocol"])
    ports = (int(properties["FromPort"]), int(properties["ToPort"])) if protocol in _PORTS else None
    yield Rule(protocol=protocol, ports=ports, addresses=ipaddress.ip_network(cidr))
