"""Who can reach which port: the rules of security groups as sets, united before anyone judges."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import pairwise
from typing import Final

from hardened_ec2.addresses import AddressSet
from hardened_ec2.policy.facts.groups import SECURITY_GROUP, GroupKey, Groups
from hardened_ec2.policy.facts.ingress import ALL_PROTOCOLS, Opening, read_rule, spelled_ports
from hardened_ec2.policy.facts.servers import Kind, Server
from hardened_ec2.policy.resolve.deployment import Deployment
from hardened_ec2.policy.resolve.scenarios import ALWAYS, Scenario, When, together
from hardened_ec2.policy.resolve.values import ABSENT, Place, Reference, Unknown, Value

_INGRESS: Final = "AWS::EC2::SecurityGroupIngress"

_GROUP_LISTS = {
    Kind.INSTANCE: ("SecurityGroupIds", "SecurityGroups"),
    Kind.LAUNCH_TEMPLATE: ("SecurityGroupIds", "SecurityGroups"),
    Kind.LAUNCH_CONFIGURATION: ("SecurityGroups",),
    Kind.SPOT_FLEET: ("SecurityGroups",),
    Kind.NETWORK_INTERFACE: ("GroupSet",),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Attachment:
    """A group that is attached to a server.

    Args:
        group: The group.
        unknown: Why it is not even known whether there is one. Default: empty, there is.
        when: What must hold for it to be attached.
        place: Where it is attached.
    """

    group: GroupKey
    unknown: str = ""
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

    @property
    def ports(self) -> str:
        """Its protocol and ports in words."""
        return spelled_ports(self.protocol, self.first, self.last)

    def under(self, scenario: Scenario) -> When:
        """Return the part of a scenario that the rules depend on: a message names no more."""
        subjects = {subject for opening in self.openings for subject, _ in opening.when}
        return frozenset(each for each in scenario or ALWAYS if each[0] in subjects)


@dataclass(frozen=True, kw_only=True, slots=True)
class Path:
    """One way to a port of a server: who may start, and every rule on the way.

    Args:
        hops: The rules, the farthest first. The first one names addresses; each of the others lets
            in the group that the rule before it opens. The last one opens the server.
        groups: The group that each rule opens, in the same order.
        when: What must hold for all of them to be deployed.

    Source: Amazon VPC User Guide, "Security group rules".

    Example:
        >>> direct, through_balancer = Exposure(deployment).paths(server)
        >>> str(through_balancer)
        '0.0.0.0/0 -> BalancerGroup (tcp port 443) -> Group (tcp port 8080)'
    """

    hops: tuple[Opening, ...]
    groups: tuple[GroupKey, ...]
    when: When

    @property
    def addresses(self) -> AddressSet:
        """Who may start; everyone where that is not known."""
        return self.hops[0].addresses

    @property
    def unknown(self) -> str:
        """Why it is not fully known; empty when it is."""
        return "; ".join(dict.fromkeys(hop.unknown for hop in self.hops if hop.unknown))

    @property
    def is_direct(self) -> bool:
        """Whether whoever starts it reaches the server itself, through no other group."""
        return len(self.hops) == 1

    def __str__(self) -> str:
        steps = (
            f"{name or group} ({hop.ports})"
            for (group, name), hop in zip(self.groups, self.hops, strict=True)
        )
        return " -> ".join((spelled_addresses(self.addresses), *steps))


class Exposure:
    """The security groups of a deployment and what they let in.

    Args:
        deployment: The templates.

    Source: Amazon VPC User Guide, "Security group rules": rules only permit, and all rules of all
        groups of an interface apply together.

    Ask it, from the narrowest question to the widest: `openings` of a group, `attachments` of a
    server, `of_server` for what its groups let in together, `paths` for who can reach which port of
    it by which chain of rules, `chains` for the groups on the way alone.

    Example:
        >>> exposure = Exposure(deployment)
        >>> [opening.ports for opening in exposure.of_server(server)]
        ['tcp port 22', 'tcp port 8080']
        >>> [attachment.group for attachment in exposure.attachments(server)]
        [('cdk.out/Web.template.json', 'Group')]
    """

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._groups = Groups(deployment)
        self._openings: dict[GroupKey, tuple[Opening, ...]] = {}
        self._entrances: dict[GroupKey, tuple[Path, ...]] = {}
        self._attachments: dict[Server, tuple[Attachment, ...]] = {}

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
            The groups, also those that are not in the templates or not known.
        """
        known = self._attachments.get(server)
        if known is None:
            known = self._attachments[server] = tuple(self._attached(server))
        return known

    def of_server(self, server: Server) -> tuple[Opening, ...]:
        """List what all groups of a server let in together.

        Args:
            server: The server.

        Returns:
            The openings of all its groups, each with what its attachment requires.
        """
        found: dict[Opening, None] = {}
        for attachment in self.attachments(server):
            for opening in self.openings(attachment.group):
                when = together(opening.when, attachment.when)
                if when is not None:
                    found[opening if when == opening.when else opening.under(when)] = None
        return tuple(found)

    def paths(self, server: Server) -> Iterator[Path]:
        """Say who can reach which port of a server, by which chain of rules.

        A rule that names addresses is a path by itself. Where a rule names a group, whoever can
        reach a member of that group on any port can go on from it, if the member is taken over or
        forwards (a load balancer, a proxy, a bastion): every way into that group is the beginning
        of a path.

        Args:
            server: The server.

        Yields:
            For each rule of the server's groups each way to use it, the shortest chain to each
            rule that names addresses, direct ones first within a rule. A chain of rules that are
            never deployed together is none; groups that lead in a circle are passed once.

        Example:
            >>> for path in Exposure(deployment).paths(server):
            ...     print(path)
            10.0.0.7/32 -> Group (tcp port 22)
            0.0.0.0/0 -> BalancerGroup (tcp port 443) -> Group (tcp port 8080)
        """
        seen: set[Path] = set()
        for attachment in self.attachments(server):
            for opening in self.openings(attachment.group):
                when = together(opening.when, attachment.when)
                if when is None:
                    continue
                for path in self._through(opening, attachment.group, when):
                    if path not in seen:
                        seen.add(path)
                        yield path

    def chains(self, group: GroupKey) -> tuple[tuple[GroupKey, ...], ...]:
        """Follow the groups that may send to a group, and those that may send to them.

        Args:
            group: The group that is reached.

        Returns:
            For each group that leads to it, the shortest chain: the far end first, the given group
            last. Shorter chains come first; groups that lead in a circle appear once.

        Example:
            >>> chains = Exposure(deployment).chains(("cdk.out/Web.template.json", "Group"))
            >>> [[name for _, name in chain] for chain in chains]
            [['BalancerGroup', 'Group']]
        """
        found: list[tuple[GroupKey, ...]] = []
        reached = {group}
        pending: list[tuple[GroupKey, ...]] = [(group,)]
        for chain in pending:
            for opening in self.openings(chain[0]):
                if opening.peer is not None and opening.peer not in reached:
                    reached.add(opening.peer)
                    found.append((opening.peer, *chain))
                    pending.append((opening.peer, *chain))
        return tuple(found)

    def _through(self, opening: Opening, group: GroupKey, when: When) -> Iterator[Path]:
        if opening.peer is None:
            yield Path(hops=(opening,), groups=(group,), when=when)
            return
        for entrance in self.entrances(opening.peer):
            joined = together(entrance.when, when)
            if joined is not None:
                yield Path(
                    hops=(*entrance.hops, opening), groups=(*entrance.groups, group), when=joined
                )

    def entrances(self, group: GroupKey) -> tuple[Path, ...]:
        """List every way from addresses into a group.

        Args:
            group: The group that is reached.

        Returns:
            The shortest chain from each rule that names addresses, shorter ones first.
        """
        known = self._entrances.get(group)
        if known is None:
            known = self._entrances[group] = tuple(self._walk(group))
        return known

    def _walk(self, group: GroupKey) -> Iterator[Path]:
        reached = {group}
        pending: list[Path] = [Path(hops=(), groups=(group,), when=ALWAYS)]
        for path in pending:
            # Its first group has no rule yet: each of that group's rules makes it one step longer.
            for opening in self.openings(path.groups[0]):
                when = together(opening.when, path.when)
                if when is None:
                    continue
                hops = (opening, *path.hops)
                if opening.peer is None:
                    yield Path(hops=hops, groups=path.groups, when=when)
                elif opening.peer not in reached:
                    reached.add(opening.peer)
                    pending.append(Path(hops=hops, groups=(opening.peer, *path.groups), when=when))

    @cached_property
    def _standalone(self) -> dict[GroupKey, list[Value]]:
        rules: dict[GroupKey, list[Value]] = {}
        for ingress in self._deployment.resources(_INGRESS):
            for key in ("GroupId", "GroupName"):
                for value in ingress.properties.at(key):
                    if value.content is not ABSENT:
                        rules.setdefault(self._groups.key(value.content), []).append(
                            Value(ingress.properties.content, value.when, ingress.properties.place)
                        )
        return rules

    def _read(self, group: GroupKey) -> Iterator[Opening]:
        resource = self._deployment.find(Reference(*group)) if group[0] else None
        if resource is not None:
            for rules in resource.properties.at("SecurityGroupIngress"):
                for rule in rules.entries():
                    yield from read_rule(rule, self._deployment, self._groups)
        for rule in self._standalone.get(group, ()):
            yield from read_rule(rule, self._deployment, self._groups)

    def _attached(self, server: Server) -> Iterator[Attachment]:
        for key in _GROUP_LISTS[server.kind]:
            entries = server.entries(key)
            if server.kind is Kind.SPOT_FLEET:
                entries = tuple(name for entry in entries for name in entry.at("GroupId"))
            yield from self._members(entries)
        if server.kind is not Kind.NETWORK_INTERFACE:
            for entry in server.entries("NetworkInterfaces"):
                for key in ("GroupSet", "Groups"):
                    for groups in entry.at(key):
                        yield from self._members(groups.entries())
        for interface in server.interfaces:
            for groups in interface.properties.at("GroupSet"):
                yield from self._members(groups.entries())

    def _members(self, entries: Iterable[Value]) -> Iterator[Attachment]:
        for entry in entries:
            content = entry.content
            # A parameter in a list of groups is some group; a launch template that nobody gave may
            # hold none.
            yield Attachment(
                group=self._groups.key(content),
                unknown=(content.why if isinstance(content, Unknown) and not content.name else ""),
                when=entry.when,
                place=entry.place,
            )


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
        The pieces in order of protocol and port, senders named by address only. Rules for all
        protocols count into every protocol that another rule names.

    Source: Amazon VPC User Guide, "Security group rules".

    Example:
        >>> openings = Exposure(deployment).of_server(server)
        >>> [(str(reach.addresses), reach.ports) for reach in reaches(openings)]
        [('10.0.0.7/32', 'tcp port 22')]
    """
    named = [opening for opening in openings if opening.addresses]
    for protocol in sorted({opening.protocol for opening in named}):
        apply = [o for o in named if o.protocol in (protocol, ALL_PROTOCOLS)]
        cuts = sorted({o.first for o in apply} | {o.last + 1 for o in apply})
        for first, end in pairwise(cuts):
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


def spelled_addresses(addresses: AddressSet, limit: int = 4) -> str:
    """Spell a set of addresses for a message.

    Args:
        addresses: The set.
        limit: How many blocks are written out. Default: 4.

    Returns:
        The blocks, or the first of them "and more".

    Example:
        >>> spelled_addresses(AddressSet.of("203.0.113.7"))
        '203.0.113.7/32'
    """
    blocks: list[str] = []
    for network in addresses.networks():
        if len(blocks) == limit:
            return f"{', '.join(blocks)} and more"
        blocks.append(str(network))
    return ", ".join(blocks) or "no address"
