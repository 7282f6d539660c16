"""Who can reach which port: the rules of security groups as sets, united before anyone judges."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from ipaddress import IPv4Network, IPv6Network, ip_network
from itertools import product
from typing import Final

from hardened_ec2.addresses import AddressSet
from hardened_ec2.policy.deployment import Deployment, Resource
from hardened_ec2.policy.servers import Kind, Server
from hardened_ec2.policy.values import (
    ABSENT,
    Absent,
    Content,
    Place,
    Reference,
    Text,
    Unknown,
    Value,
    When,
    as_int,
    describe,
    together,
    why_unknown,
)

SECURITY_GROUP: Final = "AWS::EC2::SecurityGroup"
INGRESS: Final = "AWS::EC2::SecurityGroupIngress"
_PREFIX_LIST = "AWS::EC2::PrefixList"
_VPC = "AWS::EC2::VPC"

ALL_PROTOCOLS: Final = -1
ICMP: Final = 1
TCP: Final = 6
UDP: Final = 17
ICMPV6: Final = 58

_PROTOCOLS = {
    "all": ALL_PROTOCOLS,
    "any": ALL_PROTOCOLS,
    "icmp": ICMP,
    "tcp": TCP,
    "udp": UDP,
    "icmpv6": ICMPV6,
}
_PROTOCOL_NAMES = {ALL_PROTOCOLS: "all protocols", ICMP: "icmp", TCP: "tcp", UDP: "udp"} | {
    ICMPV6: "icmpv6"
}

FIRST_PORT: Final = 0
LAST_PORT: Final = 65535

_MAX_COMBINATIONS = 256
"""Ways to read one rule before it counts as unknown."""

GroupKey = tuple[str, str]
"""A security group: template and logical ID, or an empty template and its ID outside of them."""


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
        when: What must hold for it to be deployed.
        place: Where the rule stands.

    Source: Amazon EC2 API Reference, "IpPermission"; IANA protocol numbers.

    Example:
        >>> Opening(protocol=TCP, first=20, last=25, addresses=AddressSet.of("0.0.0.0/0"),
        ...         when=ALWAYS, place=place).admits(TCP, 22)
        True
    """

    protocol: int
    first: int
    last: int
    addresses: AddressSet
    peer: GroupKey | None = None
    unknown: str = ""
    when: When
    place: Place

    def admits(self, protocol: int, port: int) -> bool:
        """Tell whether it opens a port of a protocol."""
        return self.protocol in (ALL_PROTOCOLS, protocol) and self.first <= port <= self.last

    @property
    def ports(self) -> str:
        """Its protocol and ports in words."""
        return spelled_ports(self.protocol, self.first, self.last)


@dataclass(frozen=True, kw_only=True, slots=True)
class Attachment:
    """A group that is attached to a server.

    Args:
        group: The group.
        when: What must hold for it to be attached.
        place: Where it is attached.
    """

    group: GroupKey
    when: When
    place: Place


@dataclass(frozen=True, kw_only=True, slots=True)
class Reach:
    """Ports of one protocol that the same rules open, and to whom.

    Args:
        protocol: IANA protocol number, or `ALL_PROTOCOLS`.
        first: First port.
        last: Last port.
        addresses: Everyone who may send, all rules united.
        openings: The rules.
    """

    protocol: int
    first: int
    last: int
    addresses: AddressSet
    openings: tuple[Opening, ...]


class Exposure:
    """The security groups of a deployment and what they let in.

    Args:
        deployment: The templates.

    Source: Amazon VPC User Guide, "Security group rules": rules only permit, and all rules of all
        groups of an interface apply together.

    Example:
        >>> [str(opening.addresses) for opening in exposure.openings(group)]
        ['203.0.113.7/32']
    """

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._openings: dict[GroupKey, tuple[Opening, ...]] = {}

    @cached_property
    def groups(self) -> tuple[GroupKey, ...]:
        """Every group that the templates declare or add ingress to."""
        declared = (group.key for group in self._deployment.resources(SECURITY_GROUP))
        return tuple(dict.fromkeys((*declared, *self._standalone)))

    def openings(self, group: GroupKey) -> tuple[Opening, ...]:
        """List what a group lets in, by inline rules and by standalone ones.

        Args:
            group: The group.

        Returns:
            One entry for each way to read each rule; empty for a group outside the templates that
            they add nothing to.
        """
        known = self._openings.get(group)
        if known is None:
            known = self._openings[group] = tuple(self._read(group))
        return known

    def attachments(self, server: Server) -> tuple[Attachment, ...]:
        """List the groups of a server, from everywhere that can attach one.

        Args:
            server: The server.

        Returns:
            The groups; a group that is not known has a key of its own.
        """
        return tuple(self._attached(server))

    def of_server(self, server: Server) -> tuple[Opening, ...]:
        """List what all groups of a server let in together.

        Args:
            server: The server.

        Returns:
            The openings of all its groups, each under the circumstances of the attachment too.
        """
        found: dict[Opening, None] = {}
        for attachment in self.attachments(server):
            for opening in self.openings(attachment.group):
                when = together(opening.when, attachment.when)
                if when == opening.when:
                    found[opening] = None
                elif when is not None:
                    found[_under(opening, when)] = None
        return tuple(found)

    def sources(self, group: GroupKey) -> tuple[tuple[GroupKey, ...], ...]:
        """Follow the groups that may send to a group, and those that may send to them.

        Args:
            group: The group that is reached.

        Returns:
            Each chain once, the far end first, the given group last; a chain ends where it would
            come round to a group it already holds. Shorter chains come first.

        Example:
            >>> exposure.sources(database)
            ((application, database), (load_balancer, application, database))
        """
        chains: list[tuple[GroupKey, ...]] = []
        reached = {group}
        pending: list[tuple[GroupKey, ...]] = [(group,)]
        while pending:
            chain = pending.pop(0)
            for opening in self.openings(chain[0]):
                peer = opening.peer
                if peer is not None and peer not in reached:
                    # The shortest chain is the one to show; another way round adds no sender.
                    reached.add(peer)
                    chains.append((peer, *chain))
                    pending.append((peer, *chain))
        return tuple(chains)

    def group(self, content: Content) -> GroupKey | None:
        """Say which security group a value names.

        Args:
            content: What stands where a group belongs: a reference, an ID or a name.

        Returns:
            Its key; the same key for the same unknown, so that a group given as a parameter is
            recognised wherever it is used; none when nothing is named.
        """
        match content:
            case Reference():
                resource = self._deployment.find(content)
                if resource is not None and resource.type == SECURITY_GROUP:
                    return resource.key
                return ("", str(content))
            case str():
                return self._names.get(content, ("", content))
            case Unknown(name=name) if not name:
                return None
            case Unknown() | Text():
                return ("", describe(content))
            case _:
                return None

    def is_default(self, group: GroupKey) -> bool:
        """Tell whether a group is the default group of a VPC."""
        template, name = group
        return not template and (name == "default" or name.endswith(".DefaultSecurityGroup"))

    @cached_property
    def _names(self) -> dict[str, GroupKey]:
        return {
            value.content: group.key
            for group in self._deployment.resources(SECURITY_GROUP)
            for value in group.properties.at("GroupName")
            if isinstance(value.content, str)
        }

    @cached_property
    def _standalone(self) -> dict[GroupKey, list[Value]]:
        rules: dict[GroupKey, list[Value]] = {}
        for ingress in self._deployment.resources(INGRESS):
            for key in ("GroupId", "GroupName"):
                for value in ingress.properties.at(key):
                    if value.content is ABSENT:
                        continue
                    # A rule for a group that nobody can name is judged as a group of its own.
                    group = self.group(value.content) or ("", str(ingress.place))
                    properties = ingress.properties
                    rules.setdefault(group, []).append(
                        Value(properties.content, value.when, ingress.place)
                    )
        return rules

    def _read(self, group: GroupKey) -> Iterator[Opening]:
        resource = self._deployment.find(Reference(*group)) if group[0] else None
        if resource is not None:
            for rules in resource.properties.at("SecurityGroupIngress"):
                for rule in rules.entries():
                    yield from self._rule(rule)
        for rule in self._standalone.get(group, ()):
            yield from self._rule(rule)

    def _rule(self, rule: Value) -> Iterator[Opening]:
        unknown = why_unknown(rule.content)
        if unknown is not None:
            yield _worst(rule, unknown)
            return
        parts = [rule.at(key) for key in ("IpProtocol", "FromPort", "ToPort")]
        sources = [source for key in _SOURCES for source in rule.at(key) if source.content is not ABSENT]
        count = len(sources)
        for part in parts:
            count *= len(part)
        if count > _MAX_COMBINATIONS:
            yield _worst(rule, f"the rule can be read in more than {_MAX_COMBINATIONS} ways")
            return
        for protocol, first, last, source in product(*parts, sources):
            when: When | None = protocol.when
            for other in (first, last, source):
                when = None if when is None else together(when, other.when)
            if when is not None:
                yield from self._opening(
                    _ports(protocol.content, first.content, last.content), source, when, rule.place
                )

    def _opening(
        self, ports: tuple[int, int, int, str], source: Value, when: When, place: Place
    ) -> Iterator[Opening]:
        protocol, first, last, doubt = ports
        key = source.place.path.rpartition(".")[2]
        if key.startswith("SourceSecurityGroup"):
            if key != "SourceSecurityGroupOwnerId":
                yield Opening(
                    protocol=protocol,
                    first=first,
                    last=last,
                    addresses=AddressSet(),
                    peer=self.group(source.content) or ("", describe(source.content)),
                    when=when,
                    place=place,
                )
            return
        read = self._prefix_list if key == "SourcePrefixListId" else _block
        for addresses, unknown in read(source.content):
            yield Opening(
                protocol=protocol,
                first=first,
                last=last,
                addresses=addresses,
                unknown="; ".join(why for why in (unknown, doubt) if why),
                when=when,
                place=place,
            )

    def _prefix_list(self, content: Content) -> Iterator[tuple[AddressSet, str]]:
        resource = self._deployment.find(content)
        if resource is None or resource.type != _PREFIX_LIST:
            why = f"the entries of prefix list {describe(content)} are not in the templates"
            yield AddressSet.everything(), why
            return
        for entries in resource.properties.at("Entries"):
            if isinstance(entries.content, Absent):
                continue
            for entry in entries.entries():
                for cidr in entry.at("Cidr"):
                    yield from _block(cidr.content)

    def _attached(self, server: Server) -> Iterator[Attachment]:
        for key in _GROUP_LISTS[server.kind]:
            yield from self._members(server.entries(key))
        if server.kind is not Kind.NETWORK_INTERFACE:
            for entry in server.entries("NetworkInterfaces"):
                for key in ("GroupSet", "Groups"):
                    for groups in entry.at(key):
                        yield from self._members(groups.entries())
        for interface in server.interfaces:
            yield from self._interface_members(interface)

    def _interface_members(self, interface: Resource) -> Iterator[Attachment]:
        for groups in interface.properties.at("GroupSet"):
            yield from self._members(groups.entries())

    def _members(self, entries: Iterable[Value]) -> Iterator[Attachment]:
        for entry in entries:
            # An unknown entry of an object that may not be there at all is still a group.
            group = self.group(entry.content) or ("", describe(entry.content))
            yield Attachment(group=group, when=entry.when, place=entry.place)


_SOURCES = (
    "CidrIp",
    "CidrIpv6",
    "SourcePrefixListId",
    "SourceSecurityGroupId",
    "SourceSecurityGroupName",
)

_GROUP_LISTS = {
    Kind.INSTANCE: ("SecurityGroupIds", "SecurityGroups"),
    Kind.LAUNCH_TEMPLATE: ("SecurityGroupIds", "SecurityGroups"),
    Kind.LAUNCH_CONFIGURATION: ("SecurityGroups",),
    Kind.NETWORK_INTERFACE: ("GroupSet",),
}


def united(openings: Iterable[Opening]) -> AddressSet:
    """Unite everyone whom rules let in, whatever the port."""
    ipv4: tuple[tuple[int, int], ...] = ()
    ipv6: tuple[tuple[int, int], ...] = ()
    for opening in openings:
        ipv4 += opening.addresses.ipv4
        ipv6 += opening.addresses.ipv6
    return AddressSet(ipv4=ipv4, ipv6=ipv6)


def reaches(openings: Sequence[Opening]) -> Iterator[Reach]:
    """Cut the ports that rules open where the rules change, and unite the senders of each piece.

    Args:
        openings: Rules that are deployed together.

    Yields:
        The pieces in order of protocol and port; senders named by address only.

    Source: Amazon VPC User Guide, "Security group rules".

    Example:
        >>> [(reach.first, reach.last) for reach in reaches(openings)]
        [(20, 21), (22, 22), (23, 25)]
    """
    named = [opening for opening in openings if opening.addresses]
    for protocol in sorted({opening.protocol for opening in named}):
        apply = [o for o in named if o.protocol in (protocol, ALL_PROTOCOLS)]
        cuts = sorted({o.first for o in apply} | {o.last + 1 for o in apply})
        for first, end in zip(cuts, cuts[1:], strict=False):
            covering = tuple(o for o in apply if o.first <= first and end - 1 <= o.last)
            if any(o.protocol == protocol for o in covering):
                yield Reach(
                    protocol=protocol,
                    first=first,
                    last=end - 1,
                    addresses=united(covering),
                    openings=covering,
                )


@cache
def is_world(addresses: AddressSet) -> bool:
    """Tell whether a set of addresses is the internet for practical purposes."""
    return addresses.is_world


def spelled_ports(protocol: int, first: int, last: int) -> str:
    """Spell a protocol and its ports for a message."""
    name = _PROTOCOL_NAMES.get(protocol, f"protocol {protocol}")
    if protocol not in (TCP, UDP):
        return name
    if (first, last) == (FIRST_PORT, LAST_PORT):
        return f"all {name} ports"
    return f"{name} port {first}" if first == last else f"{name} ports {first}-{last}"


def spelled_addresses(addresses: AddressSet, limit: int = 4) -> str:
    """Spell a set of addresses for a message, cut short after some blocks."""
    blocks: list[str] = []
    for network in addresses.networks():
        if len(blocks) == limit:
            return f"{', '.join(blocks)} and more"
        blocks.append(str(network))
    return ", ".join(blocks) or "no address"


def _under(opening: Opening, when: When) -> Opening:
    return Opening(
        protocol=opening.protocol,
        first=opening.first,
        last=opening.last,
        addresses=opening.addresses,
        peer=opening.peer,
        unknown=opening.unknown,
        when=when,
        place=opening.place,
    )


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


def _ports(protocol: Content, first: Content, last: Content) -> tuple[int, int, int, str]:
    """Read protocol and ports of a rule; what is not known is widened, and the why given."""
    number, doubt = _protocol(protocol)
    if number not in (TCP, UDP):
        # ICMP writes types and codes into the ports; other protocols have none.
        return number, FIRST_PORT, LAST_PORT, doubt
    low, high = as_int(first), as_int(last)
    doubts = [doubt] if doubt else []
    for content, port in ((first, low), (last, high)):
        if port is None and content is not ABSENT:
            doubts.append(why_unknown(content) or f"{describe(content)} is no port")
    # EC2 reads -1 as every port; a port left out is taken for the widest, the only safe reading.
    low = FIRST_PORT if low is None or low < FIRST_PORT else low
    high = LAST_PORT if high is None or high < FIRST_PORT else min(high, LAST_PORT)
    return number, min(low, high), max(low, high), "; ".join(doubts)


def _protocol(content: Content) -> tuple[int, str]:
    number = as_int(content)
    if number is None and isinstance(content, str):
        number = _PROTOCOLS.get(content.strip().lower())
    if number is not None:
        return number, ""
    if content is ABSENT:
        return ALL_PROTOCOLS, ""
    return ALL_PROTOCOLS, why_unknown(content) or f"{describe(content)} is no protocol"


def _block(content: Content) -> Iterator[tuple[AddressSet, str]]:
    """Read a CIDR block: the addresses, and why they are not known."""
    if isinstance(content, str):
        network = _network(content)
        if network is None:
            yield AddressSet.everything(), f"{content!r} is no CIDR block"
        else:
            yield AddressSet.of(network), ""
    elif isinstance(content, Text) and _is_one_host(content):
        # One host, whichever: no whitelist is too narrow for it.
        return
    else:
        why = why_unknown(content) or f"{describe(content)} is no CIDR block"
        yield AddressSet.everything(), why


@cache
def _network(text: str) -> IPv4Network | IPv6Network | None:
    try:
        # Not `parse_network`, which refuses host bits: EC2 drops them and opens the whole block.
        return ip_network(text.strip(), strict=False)
    except ValueError:
        return None


def _is_one_host(text: Text) -> bool:
    end = text.parts[-1]
    return len(text.parts) == 2 and isinstance(end, str) and end in ("/32", "/128")  # noqa: PLR2004
