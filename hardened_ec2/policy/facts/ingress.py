"""One ingress rule of a security group, in every way it can be read and every way it is spelled."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from itertools import product
from math import prod
from typing import Final

from hardened_ec2.addresses import AddressSet
from hardened_ec2.policy.facts.groups import GroupKey, Groups
from hardened_ec2.policy.resolve.deployment import Deployment
from hardened_ec2.policy.resolve.scenarios import ALWAYS, When, together
from hardened_ec2.policy.resolve.values import (
    ABSENT,
    Content,
    Place,
    Text,
    Value,
    as_int,
    describe,
    why_unknown,
)

ALL_PROTOCOLS: Final = -1
ICMP: Final = 1
TCP: Final = 6
UDP: Final = 17
ICMPV6: Final = 58

ALL_ICMP_TYPES: Final = -1

FIRST_PORT: Final = 0
LAST_PORT: Final = 65535

MAX_READINGS: Final = 256
"""Ways to read one rule before all of it counts as unknown."""

_PROTOCOLS = {
    "all": ALL_PROTOCOLS,
    "any": ALL_PROTOCOLS,
    "icmp": ICMP,
    "tcp": TCP,
    "udp": UDP,
    "icmpv6": ICMPV6,
}
_PROTOCOL_NAMES = {
    ALL_PROTOCOLS: "all protocols",
    ICMP: "icmp",
    TCP: "tcp",
    UDP: "udp",
    ICMPV6: "icmpv6",
}
_PREFIX_LISTS = ("SourcePrefixListId", "DestinationPrefixListId")
_ADDRESS_SOURCES = ("CidrIp", "CidrIpv6", *_PREFIX_LISTS)
_GROUP_SOURCES = ("SourceSecurityGroupId", "SourceSecurityGroupName")
_PREFIX_LIST = "AWS::EC2::PrefixList"


@dataclass(frozen=True, kw_only=True, slots=True)
class Opening:
    """What one ingress rule lets in, in one of the ways it can be read.

    Args:
        protocol: IANA protocol number, or `ALL_PROTOCOLS`.
        first: First port; 0 for a protocol without ports.
        last: Last port; 65535 for a protocol without ports.
        addresses: Who may send; empty when the source is a group.
        peer: The group whose members may send. Default: none.
        unknown: Why the rule is not fully known; then the other fields are the worst it can be.
            Default: empty, it is known.
        icmp_type: Type of ICMP message, for `ICMP` and `ICMPV6`; -1 for all. Default: -1.
        when: The conditions under which the template deploys it.
        place: The place of the rule.

    Source: Amazon EC2 API Reference, "IpPermission"; IANA protocol numbers.

    Example:
        >>> opening = Opening(protocol=TCP, first=20, last=25, place=Place("app.json", "Group"),
        ...                   addresses=AddressSet.of("203.0.113.7"), when=ALWAYS)
        >>> opening.admits(TCP, 22), opening.ports
        (True, 'tcp ports 20-25')
    """

    protocol: int
    first: int
    last: int
    addresses: AddressSet
    peer: GroupKey | None = None
    unknown: str = ""
    icmp_type: int = ALL_ICMP_TYPES
    when: When
    place: Place

    def admits(self, protocol: int, port: int) -> bool:
        """Whether it opens a port of a protocol."""
        return self.protocol in (ALL_PROTOCOLS, protocol) and self.first <= port <= self.last

    def meets(self, protocol: int, first: int, last: int) -> bool:
        """Whether it opens any port of a range, for a protocol."""
        mine = self.protocol in (ALL_PROTOCOLS, protocol)
        return mine and self.first <= last and first <= self.last

    @property
    def ports(self) -> str:
        """Its protocol and ports in words."""
        return spelled_ports(self.protocol, self.first, self.last)

    def under(self, when: When) -> "Opening":
        """Return the opening with another `when`."""
        return replace(self, when=when)


@dataclass(frozen=True, slots=True)
class _Ports:
    """One way to read protocol and ports; `doubt` says why they are the widest they can be."""

    protocol: int
    first: int
    last: int
    icmp_type: int
    doubt: str
    when: When


def read_group_rule(rule: Value, deployment: Deployment, groups: Groups) -> Iterator[Opening]:
    """Read one security group rule; the senders of an egress rule are its destinations.

    Args:
        rule: The rule: an entry of ``SecurityGroupIngress``, or the properties of a standalone one.
        deployment: Where its prefix lists are looked up.
        groups: Where its source groups are looked up.

    Yields:
        One opening for each way to read it; none for a rule without a sender, or with one single
        host that only the deployment names: every whitelist has room for it.

    Source: AWS CloudFormation Template Reference, ``AWS::EC2::SecurityGroup Ingress``.

    Example:
        >>> _, group = deployment.resources("AWS::EC2::SecurityGroup")
        >>> (rules,) = group.properties.at("SecurityGroupIngress")
        >>> ssh, _ = rules.entries()
        >>> [opening.ports for opening in read_group_rule(ssh, deployment, Groups(deployment))]
        ['tcp port 22']
    """
    why = why_unknown(rule.content)
    if why is not None:
        yield _worst(rule, why)
        return
    parts = [rule.at(key) for key in ("IpProtocol", "FromPort", "ToPort")]
    sources = [
        (key, source)
        for key in (*_ADDRESS_SOURCES, *_GROUP_SOURCES)
        for source in rule.at(key)
        if source.content is not ABSENT
    ]
    if prod(map(len, parts)) * len(sources) > MAX_READINGS:
        yield _worst(rule, f"the rule can be read in more than {MAX_READINGS} ways")
        return
    for ports in _readings(*parts):
        for key, source in sources:
            for addresses, peer, doubt, inner in _senders(key, source.content, deployment, groups):
                when = together(ports.when, source.when, inner)
                if when is not None:
                    yield Opening(
                        protocol=ports.protocol,
                        first=ports.first,
                        last=ports.last,
                        addresses=addresses,
                        peer=peer,
                        unknown="; ".join(filter(None, (doubt, ports.doubt))),
                        icmp_type=ports.icmp_type,
                        when=when,
                        place=rule.place,
                    )


def read_acl_entry(entry: Value) -> Iterator[Opening]:
    """Read one entry of a network ACL, whether it allows or denies.

    Args:
        entry: The properties of the entry.

    Yields:
        One opening for each way to read it.

    Source: AWS CloudFormation Template Reference, ``AWS::EC2::NetworkAclEntry``.

    Example:
        >>> ssh = {"Protocol": 6, "PortRange": {"From": 22, "To": 22}, "CidrBlock": "10.0.0.0/16"}
        >>> resources = {"Ssh": {"Type": "AWS::EC2::NetworkAclEntry", "Properties": ssh}}
        >>> deployment = Deployment([Template(name="acl.json", document={"Resources": resources})])
        >>> (entry,) = deployment.resources("AWS::EC2::NetworkAclEntry")
        >>> [opening.ports for opening in read_acl_entry(entry.properties)]
        ['tcp port 22']
    """
    parts = [entry.at("Protocol"), entry.at("PortRange", "From"), entry.at("PortRange", "To")]
    sources = [
        source
        for key in ("CidrBlock", "Ipv6CidrBlock")
        for source in entry.at(key)
        if source.content is not ABSENT
    ]
    if prod(map(len, parts)) * len(sources) > MAX_READINGS:
        yield _worst(entry, f"the entry can be read in more than {MAX_READINGS} ways")
        return
    for ports, source in product([*_readings(*parts)], sources):
        when = together(ports.when, source.when)
        if when is None:
            continue
        for addresses, doubt in _block(source.content):
            yield Opening(
                protocol=ports.protocol,
                first=ports.first,
                last=ports.last,
                addresses=addresses,
                unknown="; ".join(filter(None, (doubt, ports.doubt))),
                when=when,
                place=entry.place,
            )


def spelled_ports(protocol: int, first: int, last: int) -> str:
    """Spell a protocol and its ports for a message."""
    name = _PROTOCOL_NAMES.get(protocol, f"protocol {protocol}")
    if protocol not in (TCP, UDP):
        return name
    if (first, last) == (FIRST_PORT, LAST_PORT):
        return f"all {name} ports"
    return f"{name} port {first}" if first == last else f"{name} ports {first}-{last}"


def _worst(rule: Value, why: str) -> Opening:
    return Opening(
        protocol=ALL_PROTOCOLS,
        first=FIRST_PORT,
        last=LAST_PORT,
        addresses=AddressSet.everything(),
        unknown=why,
        when=rule.when,
        place=rule.place,
    )


def _readings(
    protocols: Iterable[Value], firsts: Iterable[Value], lasts: Iterable[Value]
) -> Iterator[_Ports]:
    for protocol, first, last in product(protocols, firsts, lasts):
        when = together(protocol.when, first.when, last.when)
        if when is not None:
            yield _ports(protocol.content, first.content, last.content, when)


def _ports(protocol: Content, first: Content, last: Content, when: When) -> _Ports:
    """Read protocol and ports of a rule, as wide as they can be where they are not known."""
    number, doubt = _protocol(protocol)
    if number not in (TCP, UDP):
        # ICMP writes its types and codes into the ports; other protocols have none.
        return _Ports(number, FIRST_PORT, LAST_PORT, _icmp_type(number, first), doubt, when)
    low, high = as_int(first), as_int(last)
    doubts = [doubt] if doubt else []
    for content, port in ((first, low), (last, high)):
        if port is None and content is not ABSENT:
            doubts.append(why_unknown(content) or f"{describe(content)} is not a port")
    # EC2 reads -1 as every port; a missing port is read as wide as possible.
    low = FIRST_PORT if low is None or low < FIRST_PORT else min(low, LAST_PORT)
    high = LAST_PORT if high is None or high < FIRST_PORT else min(high, LAST_PORT)
    low, high = sorted((low, high))
    return _Ports(number, low, high, ALL_ICMP_TYPES, "; ".join(doubts), when)


def _icmp_type(protocol: int, first: Content) -> int:
    number = as_int(first) if protocol in (ICMP, ICMPV6) else None
    return ALL_ICMP_TYPES if number is None else number


def _protocol(content: Content) -> tuple[int, str]:
    number = as_int(content)
    if number is None and isinstance(content, str):
        number = _PROTOCOLS.get(content.strip().lower())
    if number is not None:
        return number, ""
    if content is ABSENT:
        return ALL_PROTOCOLS, ""
    return ALL_PROTOCOLS, why_unknown(content) or f"{describe(content)} is not a protocol"


def _senders(
    key: str, content: Content, deployment: Deployment, groups: Groups
) -> Iterator[tuple[AddressSet, GroupKey | None, str, When]]:
    """Yield who a source lets in: the addresses, or the group; why it is not known; and when."""
    if key in _GROUP_SOURCES:
        # The members of a group are hosts of this network, not the internet.
        yield AddressSet(), groups.key(content), "", ALWAYS
    elif key in _PREFIX_LISTS:
        for addresses, doubt, when in _prefix_list(content, deployment):
            yield addresses, None, doubt, when
    else:
        for addresses, doubt in _block(content):
            yield addresses, None, doubt, ALWAYS


def _prefix_list(
    content: Content, deployment: Deployment
) -> Iterator[tuple[AddressSet, str, When]]:
    resource = deployment.find(content)
    if resource is None or resource.type != _PREFIX_LIST:
        yield (
            AddressSet.everything(),
            f"the entries of prefix list {describe(content)} are not in the templates",
            ALWAYS,
        )
        return
    for entries in resource.properties.at("Entries"):
        for entry in entries.entries():
            for cidr in entry.at("Cidr"):
                for addresses, doubt in _block(cidr.content):
                    yield addresses, doubt, cidr.when


def _block(content: Content) -> Iterator[tuple[AddressSet, str]]:
    """Yield the addresses of a CIDR block, and why they are not known."""
    network = _network(content) if isinstance(content, str) else None
    if network is not None:
        yield AddressSet.of(network), ""
    elif not (isinstance(content, Text) and _is_one_host(content)):
        why = why_unknown(content) or f"{describe(content)} is not a CIDR block"
        yield AddressSet.everything(), why


@cache
def _network(text: str) -> IPv4Network | IPv6Network | None:
    try:
        # Not `parse_network`, which refuses host bits: EC2 drops them and opens the whole block.
        return ip_network(text.strip(), strict=False)
    except ValueError:
        return None


def _is_one_host(text: Text) -> bool:
    *unknown, end = text.parts
    return len(unknown) == 1 and not isinstance(unknown[0], str) and end in ("/32", "/128")
