"""Who can reach which port of a server: group rules, routes, addresses and load balancers, joined.

`Exposure` holds what group rules admit, `Placement` the subnets of a server, `LoadBalancers` what
is in front of it. Here the three give one answer: a list of ways, each with its chain of rules.
"""

from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import islice
from typing import Final

from hardened_ec2.addresses import AddressSet
from hardened_ec2.policy.facts.exposure import Exposure, Path
from hardened_ec2.policy.facts.groups import GROUPS_AND_RULES, GroupKey, Groups
from hardened_ec2.policy.facts.ingress import (
    ALL_PROTOCOLS,
    FIRST_PORT,
    LAST_PORT,
    Opening,
    spelled_ports,
)
from hardened_ec2.policy.facts.load_balancers import (
    LOAD_BALANCERS,
    Door,
    LoadBalancers,
    faces_internet,
)
from hardened_ec2.policy.facts.placement import Placement, address_settings
from hardened_ec2.policy.facts.reach import reaches
from hardened_ec2.policy.facts.servers import Kind, Server
from hardened_ec2.policy.facts.ways import Answer, Station, Way, joined, parts
from hardened_ec2.policy.resolve.deployment import Deployment, Resource
from hardened_ec2.policy.resolve.scenarios import ALWAYS, When, holds, scenarios
from hardened_ec2.policy.resolve.values import Place, Value, as_bool

MAX_CHAINS: Final = 200
"""Chains of groups that are followed for one server before the rest is left out."""

_NEVER_REACHED: Final = ("AWS::EC2::InstanceConnectEndpoint", "AWS::EC2::VPCEndpoint")
"""Types that have security groups and never a public address, even in a public subnet."""


class Access:
    """Who can reach which port of which server of a deployment, by which chain of rules.

    Args:
        deployment: The templates.
        servers: Their servers.
        exposure: Their security groups.
        load_balancers: Their load balancers.
        placement: Their subnets, routes and addresses.

    Source: Amazon VPC User Guide, "Security group rules" and "Subnet types"; Elastic Load
        Balancing User Guides.

    Example:
        >>> [(str(way.senders), way.spelled_ports) for way in access.to(server).ways]
        [('0.0.0.0/0', 'tcp port 8080'), ('10.0.0.7/32', 'tcp port 22')]
    """

    def __init__(
        self,
        deployment: Deployment,
        servers: Iterable[Server],
        exposure: Exposure,
        load_balancers: LoadBalancers,
        placement: Placement,
    ) -> None:
        self._deployment = deployment
        self._exposure = exposure
        self._load_balancers = load_balancers
        self._placement = placement
        self._servers = {server.resource.key: server for server in servers}
        self._arrivals: dict[Server, bool | None] = {}

    def to(self, server: Server) -> Answer:
        """Return who can reach a server.

        Args:
            server: The server.

        Returns:
            Every way, those that differ in nothing but ports or senders joined. What is not known
            is a way of its own, never silence.
        """
        opened = tuple(self._exposure.opened(server))
        doors = tuple(self._load_balancers.in_front_of(server))
        passed = {(door.balancer.key, o.place) for door in doors for o in door.openings}
        chains = self._chains(opened, passed)
        found = [
            *self._closed_to_us(server),
            *self._direct(server, opened),
            *(self._through(door, opened) for door in doors),
            *islice(chains, MAX_CHAINS),
        ]
        return Answer(ways=joined(found), is_cut=next(chains, None) is not None)

    def arrives(self, server: Server) -> bool | None:
        """Whether packets from the internet arrive at a server, if its groups admit them.

        Args:
            server: The server.

        Returns:
            True when it has a public address and may be in a public subnet, false when it has no
            address or its subnets have no route, none when that is not known.
        """
        if server not in self._arrivals:
            self._arrivals[server] = self._arrival(server)
        return self._arrivals[server]

    def _arrival(self, server: Server) -> bool | None:
        if self._placement.is_private(server, None) is True:
            return False
        asked = [value for value, _ in self._placement.public_addresses(server)]
        if any(as_bool(value.content) is True for value in asked):
            return True
        if asked:
            return None
        if self._placement.subnets(server) or server.kind is Kind.INSTANCE:
            return False
        # No fleet of the templates uses this launch template: the one that does chooses the subnet.
        answers = address_settings(server)
        refused = bool(answers) and all(as_bool(v.content) is False for v in answers)
        return False if refused else None

    def _closed_to_us(self, server: Server) -> Iterator[Way]:
        """Yield a way for everything that is not known about the groups of a server."""
        attachments = self._exposure.attachments(server)
        if not attachments:
            why = "no group is given: it gets the default group of its VPC, whose rules are not"
            yield _unknown(f"{why} in the templates", "default group", server.place, ALWAYS)
        for attachment in attachments:
            group = attachment.group
            if attachment.unknown:
                yield _unknown(attachment.unknown, group[1], attachment.place, attachment.when)
            elif not group[0]:
                why = f"the rules of group {group[1]} are not in the templates"
                yield _unknown(why, group[1], attachment.place, attachment.when)

    def _direct(
        self, server: Server, opened: tuple[tuple[GroupKey, Opening], ...]
    ) -> Iterator[Way]:
        groups = {opening: group for group, opening in opened}
        arrives = self.arrives(server)
        named = [opening for _, opening in opened if opening.peer is None]
        for opening in named:
            if opening.unknown:
                station = Station(names=(groups[opening][1],), ports=opening.ports)
                yield Way(
                    senders=opening.addresses,
                    stations=(station,),
                    protocol=opening.protocol,
                    ports=((opening.first, opening.last),),
                    places=(opening.place,),
                    arrives=arrives,
                    unknown=opening.unknown,
                    when=opening.when,
                )
        known = [opening for opening in named if not opening.unknown]
        for scenario in scenarios(opening.when for opening in known):
            for reach in reaches([o for o in known if holds(o.when, scenario)]):
                for senders in parts(reach.addresses, arrives):
                    apply = [o for o in reach.openings if o.addresses & senders]
                    names = dict.fromkeys(groups[opening][1] for opening in apply)
                    yield Way(
                        senders=senders,
                        stations=(Station(names=tuple(names), ports=""),),
                        protocol=reach.protocol,
                        ports=((reach.first, reach.last),),
                        places=tuple(dict.fromkeys(opening.place for opening in apply)),
                        arrives=arrives,
                        when=reach.under(scenario),
                    )

    def _through(self, door: Door, opened: tuple[tuple[GroupKey, Opening], ...]) -> Way:
        names = dict.fromkeys(group[1] for group, opening in opened if opening in door.openings)
        listens = (
            "a port that is not known"
            if door.listens is None
            else spelled_ports(door.protocol, door.listens, door.listens)
        )
        balancer = Station(names=(door.balancer.logical_id,), ports=listens, is_balancer=True)
        return Way(
            senders=door.addresses,
            stations=(balancer, Station(names=tuple(names), ports="")),
            protocol=door.protocol,
            ports=((door.first, door.last),),
            places=(door.place, *dict.fromkeys(opening.place for opening in door.openings)),
            arrives=True,
            unknown=door.unknown,
            when=door.when,
        )

    def _chains(
        self,
        opened: tuple[tuple[GroupKey, Opening], ...],
        passed: set[tuple[tuple[str, str], Place]],
    ) -> Iterator[Way]:
        """Yield the ways through other groups, less those that `_through` already covers."""
        for group, opening in opened:
            if opening.peer is None:
                continue
            holders = self._holders.get(opening.peer, ())
            if holders and all((holder.key, opening.place) in passed for holder in holders):
                continue
            entrances = [*self._exposure.leading_to(opening)]
            if not entrances:
                yield self._from_members(group, opening)
            for path, when in entrances:
                yield from self._along(path, group, opening, when)

    def _from_members(self, group: GroupKey, opening: Opening) -> Way:
        peer = opening.peer or group
        return Way(
            senders=AddressSet(),
            stations=(
                Station(names=(peer[1],), ports="", holders=self._names(peer)),
                Station(names=(group[1],), ports=""),
            ),
            protocol=opening.protocol,
            ports=((opening.first, opening.last),),
            places=(opening.place,),
            arrives=False,
            unknown=opening.unknown,
            when=opening.when,
        )

    def _along(self, path: Path, group: GroupKey, opening: Opening, when: When) -> Iterator[Way]:
        arrives = self._arrives_in(path.groups[0])
        stations = [
            Station(names=(key[1],), ports=hop.ports, holders=self._names(key))
            for key, hop in zip(path.groups, path.hops, strict=True)
        ]
        unknown = "; ".join(filter(None, (path.unknown, opening.unknown)))
        for senders in parts(path.addresses, None if unknown else arrives):
            yield Way(
                senders=senders,
                stations=(*stations, Station(names=(group[1],), ports="")),
                protocol=opening.protocol,
                ports=((opening.first, opening.last),),
                places=(*(hop.place for hop in path.hops), opening.place),
                arrives=arrives,
                unknown=unknown,
                when=when,
            )

    def _arrives_in(self, group: GroupKey) -> bool | None:
        """Whether packets from the internet arrive at any member of a group."""
        answers: set[bool | None] = set()
        for holder in self._holders.get(group, ()):
            if holder.type in LOAD_BALANCERS:
                answers.add(faces_internet(holder))
            else:
                server = self._servers.get(holder.key)
                outside = None if holder.type not in _NEVER_REACHED else False
                answers.add(outside if server is None else self.arrives(server))
        if True in answers:
            return True
        return False if answers == {False} else None

    def _names(self, group: GroupKey) -> tuple[str, ...]:
        return tuple(holder.logical_id for holder in self._holders.get(group, ()))

    @cached_property
    def _holders(self) -> dict[GroupKey, tuple[Resource, ...]]:
        """The members of each group: every resource that names it, less the rules of groups."""
        found: dict[GroupKey, dict[Resource, None]] = {}
        groups = Groups(self._deployment)
        for resource in self._deployment.everything():
            if resource.type not in GROUPS_AND_RULES:
                for raw in _group_lists(resource.raw.get("Properties")):
                    for content, when in resource.scope.resolve(raw):
                        for entry in Value(content, when).entries():
                            found.setdefault(groups.key(entry.content), {})[resource] = None
        return {key: tuple(holders) for key, holders in found.items()}


def _group_lists(properties: object) -> Iterator[object]:
    """Yield the raw properties, at any depth, that list groups in a resource of any type."""
    pending = [properties]
    while pending:
        piece = pending.pop()
        if isinstance(piece, list):
            pending.extend(piece)
        elif isinstance(piece, dict):
            for key, inner in piece.items():
                named = isinstance(key, str) and "SecurityGroup" in key
                if named or key in ("GroupSet", "Groups"):
                    yield inner
                else:
                    pending.append(inner)


def _unknown(why: str, group: str, place: Place, when: When) -> Way:
    return Way(
        senders=AddressSet.everything(),
        stations=(Station(names=(group,), ports=""),),
        protocol=ALL_PROTOCOLS,
        ports=((FIRST_PORT, LAST_PORT),),
        places=(place,),
        arrives=None,
        unknown=why,
        when=when,
    )
