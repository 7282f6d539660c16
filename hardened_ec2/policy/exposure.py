"""Who can reach which port: the rules of security groups as sets, united before anyone judges."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import pairwise
from typing import Final

from hardened_ec2.addresses import AddressSet
from hardened_ec2.policy.circumstances import When, together
from hardened_ec2.policy.deployment import Deployment
from hardened_ec2.policy.groups import SECURITY_GROUP, GroupKey, Groups
from hardened_ec2.policy.ingress import ALL_PROTOCOLS, Opening, read_rule, spelled_ports
from hardened_ec2.policy.servers import Kind, Server
from hardened_ec2.policy.values import ABSENT, Place, Reference, Unknown, Value

_INGRESS: Final = "AWS::EC2::SecurityGroupIngress"

_GROUP_LISTS = {
    Kind.INSTANCE: ("SecurityGroupIds", "SecurityGroups"),
    Kind.LAUNCH_TEMPLATE: ("SecurityGroupIds", "SecurityGroups"),
    Kind.LAUNCH_CONFIGURATION: ("SecurityGroups",),
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
        self._groups = Groups(deployment)
        self._openings: dict[GroupKey, tuple[Opening, ...]] = {}
        self._attachments: dict[tuple[str, str], tuple[Attachment, ...]] = {}

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
        known = self._attachments.get(server.resource.key)
        if known is None:
            known = tuple(self._attached(server))
            self._attachments[server.resource.key] = known
        return known

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
                if when is not None:
                    found[opening if when == opening.when else opening.under(when)] = None
        return tuple(found)

    def chains(self, group: GroupKey) -> tuple[tuple[GroupKey, ...], ...]:
        """Follow the groups that may send to a group, and those that may send to them.

        Args:
            group: The group that is reached.

        Returns:
            For each group that leads to it, the shortest chain: the far end first, the given group
            last. Shorter chains come first; groups that lead in a circle appear once.

        Example:
            >>> exposure.chains(database)
            ((application, database), (load_balancer, application, database))
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
            yield from self._members(server.entries(key))
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
        >>> [(reach.first, reach.last) for reach in reaches(openings)]
        [(20, 21), (22, 22), (23, 25)]
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
