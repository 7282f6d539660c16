"""Ways to a server: senders, stations and ports; and how ways that differ in one are joined."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache

from hardened_ec2.addresses import AddressSet
from hardened_ec2.policy.facts.ingress import spelled_ports
from hardened_ec2.policy.facts.reach import is_world
from hardened_ec2.policy.resolve.scenarios import ALWAYS, When
from hardened_ec2.policy.resolve.values import Place


class Origin(StrEnum):
    """Where the senders of a way are, the farthest first.

    Example:
        >>> for way in access.to(server).ways:
        ...     print(f"{way.spelled_ports} {way.origin}")
        tcp port 8080 from the internet through a load balancer
        tcp port 22 from inside the network
    """

    INTERNET = "from the internet"
    UNKNOWN = "not known"
    BALANCER = "from the internet through a load balancer"
    INDIRECT = "from the internet through another server"
    PUBLIC = "from named public addresses"
    BLOCKED = "allowed, but without a route from the internet"
    INSIDE = "from inside the network"

    @property
    def rank(self) -> int:
        """Its place in that order."""
        return list(Origin).index(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class Station:
    """What is passed on the way to a server: the members of a group, or a load balancer.

    Args:
        names: The groups, or the load balancer.
        holders: The members of the groups. Default: none are known, or it is the server itself.
        ports: What is let in there, in words.
        is_balancer: Whether it is a load balancer. Default: it is a group.

    Example:
        >>> through_balancer, _ = access.to(server).ways
        >>> [(station.names, station.ports) for station in through_balancer.stations]
        [(('Balancer',), 'tcp port 443'), (('Group',), '')]
    """

    names: tuple[str, ...]
    ports: str
    holders: tuple[str, ...] = ()
    is_balancer: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """One way to ports of a server.

    Args:
        senders: Who starts it, all rules united; empty where they are the members of a group, the
            first of `stations`.
        stations: What is passed, the farthest first; the server's own groups are the last.
        protocol: IANA protocol number.
        ports: First and last port of each range.
        places: The rules, the farthest first.
        arrives: Whether packets from the internet arrive; none when that is not known.
        unknown: Why it is not fully known; empty when it is.
        when: The conditions under which the template deploys it.

    Source: Amazon VPC User Guide, "Security group rules" and "Subnet types".

    Example:
        >>> [(str(way.senders), way.spelled_ports) for way in access.to(server).ways]
        [('0.0.0.0/0', 'tcp port 8080'), ('10.0.0.7/32', 'tcp port 22')]
    """

    senders: AddressSet
    stations: tuple[Station, ...]
    protocol: int
    ports: tuple[tuple[int, int], ...]
    places: tuple[Place, ...]
    arrives: bool | None
    unknown: str = ""
    when: When = ALWAYS

    @property
    def origin(self) -> Origin:
        """Where the senders are."""
        if not self.unknown and not _public(self.senders):
            return Origin.INSIDE
        if not self.unknown and self.arrives is False:
            return Origin.BLOCKED
        if not self.unknown and not is_world(self.senders):
            return Origin.PUBLIC
        if self.unknown or self.arrives is None:
            return Origin.UNKNOWN
        if self.stations[0].is_balancer:
            return Origin.BALANCER
        return Origin.INTERNET if len(self.stations) == 1 else Origin.INDIRECT

    @property
    def spelled_ports(self) -> str:
        """Protocol and ports in words."""
        return ", ".join(spelled_ports(self.protocol, first, last) for first, last in self.ports)


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """Who gets to a server.

    Args:
        ways: The ways, the farthest origin first.
        is_cut: Whether there are more than `MAX_CHAINS` chains of groups, the rest left out.

    Example:
        >>> access.to(server).origin
        <Origin.BALANCER: 'from the internet through a load balancer'>
    """

    ways: tuple[Way, ...]
    is_cut: bool

    @property
    def origin(self) -> Origin | None:
        """The farthest origin of all ways; none when there is no way."""
        return min((way.origin for way in self.ways), key=lambda each: each.rank, default=None)


def joined(ways: Iterable[Way]) -> tuple[Way, ...]:
    """Join ways that differ in nothing but senders, then those that differ in nothing but ports.

    Args:
        ways: The ways to one server.

    Returns:
        The ways that remain, the farthest origin first.

    Example:
        >>> _, at_22 = access.to(server).ways
        >>> at_20 = replace(at_22, ports=((20, 20),))
        >>> [way.spelled_ports for way in joined([at_20, at_22])]
        ['tcp port 20, tcp port 22']
    """
    return tuple(sorted(_joined(ways), key=_order))


def _joined(ways: Iterable[Way]) -> Iterator[Way]:
    by_ports: dict[tuple[Way, bool], list[Way]] = {}
    for way in ways:
        nobody = replace(way, senders=AddressSet(), places=())
        key = (nobody if way.senders else way, way.origin is Origin.INSIDE)
        by_ports.setdefault(key, []).append(way)
    by_senders: dict[Way, list[Way]] = {}
    for same in by_ports.values():
        # Several whitelists together can be the internet.
        senders = AddressSet(
            ipv4=tuple(each for way in same for each in way.senders.ipv4),
            ipv6=tuple(each for way in same for each in way.senders.ipv6),
        )
        way = replace(same[0], senders=senders, places=_places(same))
        by_senders.setdefault(replace(way, ports=(), places=()), []).append(way)
    for same in by_senders.values():
        yield replace(same[0], ports=_ranges(same), places=_places(same))


def parts(senders: AddressSet, arrives: bool | None) -> tuple[AddressSet, ...]:  # noqa: FBT001
    """Tell private senders from public ones where only these are cut off.

    Args:
        senders: The senders.
        arrives: Whether the internet's packets arrive.

    Returns:
        The public and the private ones where they differ in that, or all of them.

    Example:
        >>> [str(part) for part in parts(AddressSet.of("10.0.0.7", "203.0.113.7"), False)]
        ['203.0.113.7/32', '10.0.0.7/32']
    """
    if arrives is not False:
        return (senders,)
    public = senders.public
    return tuple(part for part in (public, senders - public) if part) or (senders,)


def _places(ways: Iterable[Way]) -> tuple[Place, ...]:
    return tuple(dict.fromkeys(place for way in ways for place in way.places))


def _ranges(ways: Iterable[Way]) -> tuple[tuple[int, int], ...]:
    """Join ranges of ports that touch or overlap."""
    joined: list[tuple[int, int]] = []
    for first, last in sorted({each for way in ways for each in way.ports}):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    return tuple(joined)


def _order(way: Way) -> tuple[object, ...]:
    return (way.origin.rank, way.protocol, way.ports, str(way.stations), str(way.senders))


@cache
def _public(senders: AddressSet) -> bool:
    return bool(senders.public)
