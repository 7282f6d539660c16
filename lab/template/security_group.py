"""A template's security group as rules of a packet filter."""

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lab.commands import LabError

_PORTS = ("tcp", "udp")
_OTHER_ENDS = ("SourceSecurityGroupId", "DestinationSecurityGroupId")


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One ingress or egress rule.

    Args:
        protocol: "tcp", "udp", "icmp", "icmpv6" or "-1" for all.
        ports: First and last port; None for a protocol without ports.
        addresses: The CIDR block at the other end.
    """

    protocol: str
    ports: tuple[int, int] | None
    addresses: ipaddress.IPv4Network | ipaddress.IPv6Network

    def match(self, end: str) -> str:
        """Return the rule as an nftables expression.

        Args:
            end: "saddr" for an ingress rule, "daddr" for an egress rule.
        """
        family = "ip" if self.addresses.version == 4 else "ip6"  # noqa: PLR2004 - IPv4
        address = f"{family} {end} {self.addresses}"
        if self.ports is not None:
            return f"{address} {self.protocol} dport {self.ports[0]}-{self.ports[1]}"
        return address if self.protocol == "-1" else f"{address} meta l4proto {self.protocol}"


OPEN_TO_ALL = Rule(protocol="-1", ports=None, addresses=ipaddress.IPv4Network("0.0.0.0/0"))
"""All protocols, from and to every IPv4 address."""


def rules(
    resources: Mapping[str, Mapping[str, Any]], groups: Sequence[str], direction: str
) -> tuple[Rule, ...]:
    """Return the rules of some security groups, inline ones and separate resources.

    A rule whose other end is a security group is left out: the lab has no other members of groups.

    Args:
        resources: The template's resources, by logical id.
        groups: Logical ids of the groups.
        direction: "Ingress" or "Egress".

    Raises:
        LabError: If a rule has no literal CIDR block. Leaving it out would change the filter.
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
    """Return the logical id of the security group in a reference; "" if it is not in the template.

    Args:
        reference: The value of a property such as GroupId.
    """
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
        raise LabError(
            f"the lab cannot filter by {properties}: it needs a literal CidrIp or CidrIpv6"
        )
    protocol = str(properties["IpProtocol"])
    ports = (int(properties["FromPort"]), int(properties["ToPort"])) if protocol in _PORTS else None
    yield Rule(protocol=protocol, ports=ports, addresses=ipaddress.ip_network(cidr))
