"""How far administrative ports are open: by one rule, by a group, by all groups of a server."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from hardened_ec2.addresses import AddressSet
from hardened_ec2.policy.facts.exposure import Exposure
from hardened_ec2.policy.facts.group_users import groups_of_load_balancers
from hardened_ec2.policy.facts.groups import GroupKey
from hardened_ec2.policy.facts.ingress import TCP, Opening
from hardened_ec2.policy.facts.reach import is_world, united
from hardened_ec2.policy.facts.servers import Server
from hardened_ec2.policy.resolve.deployment import Deployment
from hardened_ec2.policy.resolve.scenarios import When, holds, scenarios
from hardened_ec2.policy.resolve.values import Place
from hardened_ec2.policy.settings import Settings

_Rule: TypeAlias = tuple[Place, int, int, int, AddressSet]


class Width(StrEnum):
    """How far a port is open, widest first.

    Example:
        >>> width_of(AddressSet.of("0.0.0.0/1", "128.0.0.0/1"), 256)
        <Width.WORLD: 'world'>
    """

    WORLD = "world"
    """To the internet, for practical purposes."""

    PUBLIC = "public"
    """To more public addresses than a whitelist may hold."""

    PRIVATE = "private"
    """To more addresses than a whitelist may hold, most of them private."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Breach:
    """Administrative ports that are open too far.

    Args:
        width: How far.
        ports: Which.
        addresses: To whom.
        openings: The rules that open them; one, or several that are too wide only together.
        place: The place of the finding.
        when: The conditions under which the template deploys it.
    """

    width: Width
    ports: tuple[int, ...]
    addresses: AddressSet
    openings: tuple[Opening, ...]
    place: Place
    when: When


@dataclass(frozen=True, kw_only=True, slots=True)
class AdminPorts:
    """The administrative ports of a deployment that are open too far.

    Args:
        breaches: What is open too far.
        doubtful: Rules that may be open too far: the templates do not decide it.
    """

    breaches: tuple[Breach, ...]
    doubtful: tuple[Opening, ...]


def width_of(addresses: AddressSet, limit: int) -> Width | None:
    """Measure a set of senders against the whitelist limit.

    Args:
        addresses: The senders, all rules united.
        limit: How many addresses a whitelist may hold.

    Returns:
        How far too wide it is; none when it is a whitelist.

    Source: `Settings.whitelist_width`.

    Example:
        >>> width_of(AddressSet.of("203.0.113.0/28"), 256) is None
        True
    """
    if addresses.width <= limit:
        return None
    if is_world(addresses):
        return Width.WORLD
    return Width.PUBLIC if addresses.public.width > limit else Width.PRIVATE


def admin_ports(
    *,
    deployment: Deployment,
    servers: Sequence[Server],
    exposure: Exposure,
    settings: Settings,
) -> AdminPorts:
    """Measure every administrative port of every rule, group and server.

    A rule that is too wide by itself is reported once, at its own place, and then left out: what
    remains of a group, and then of a server, is united and measured again. So two halves of the
    internet are found wherever they are split, and nothing is reported twice. A group that only
    load balancers use opens none of these ports: their listeners have a rule of their own.

    Args:
        deployment: The templates.
        servers: Every server of the templates.
        exposure: Who can reach which port.
        settings: The thresholds: which ports are administrative, how wide a whitelist may be.

    Returns:
        The breaches and the rules that cannot be measured.
    """
    breaches: list[Breach] = []
    doubtful: dict[Opening, None] = {}
    wide: set[_Rule] = set()
    by_group: dict[GroupKey, list[Breach]] = {}
    balanced = groups_of_load_balancers(deployment)
    for group in (each for each in exposure.groups if each not in balanced):
        narrow: list[Opening] = []
        for opening in exposure.openings(group):
            opened = _opened(opening, settings)
            width = width_of(opening.addresses, settings.whitelist_width) if opened else None
            if width is None:
                narrow.append(opening)
            elif opening.unknown:
                doubtful[opening] = None
            else:
                wide.add(_rule(opening))
                breaches.append(_breach(width, opened, [opening], opening.place, opening.when))
        by_group[group] = list(_united_breaches(narrow, None, settings))
        breaches.extend(by_group[group])
    for server in servers:
        groups = {attachment.group for attachment in exposure.attachments(server)}
        if len(groups) > 1:
            narrow = [o for o in exposure.of_server(server) if _rule(o) not in wide]
            reported = [breach for group in groups for breach in by_group.get(group, ())]
            found = _united_breaches(narrow, server.place, settings)
            breaches += [b for b in found if not any(_covers(known, b) for known in reported)]
    return AdminPorts(breaches=tuple(breaches), doubtful=tuple(doubtful))


def _rule(opening: Opening) -> _Rule:
    """Return what stays of a rule when its group is attached under a condition."""
    return (opening.place, opening.protocol, opening.first, opening.last, opening.addresses)


def _covers(known: Breach, other: Breach) -> bool:
    order = list(Width)
    return set(other.ports) <= set(known.ports) and order.index(known.width) <= order.index(
        other.width
    )


def _opened(opening: Opening, settings: Settings) -> tuple[int, ...]:
    ports = settings.administrative_ports
    return tuple(sorted(port for port in ports if opening.admits(TCP, port)))


def _breach(
    width: Width, ports: tuple[int, ...], openings: Sequence[Opening], place: Place, when: When
) -> Breach:
    return Breach(
        width=width,
        ports=ports,
        addresses=united(openings),
        openings=tuple(openings),
        place=place,
        when=when,
    )


def _united_breaches(
    openings: Sequence[Opening], place: Place | None, settings: Settings
) -> Iterator[Breach]:
    """Measure rules that are each narrow enough, together."""
    known = [o for o in openings if o.addresses and not o.unknown]
    if len(known) < 2:  # noqa: PLR2004 - one alone was measured already
        return
    found: dict[tuple[Opening, ...], list[int]] = {}
    for port in sorted(settings.administrative_ports):
        covering = tuple(o for o in known if o.admits(TCP, port))
        if len(covering) > 1:
            found.setdefault(covering, []).append(port)
    for covering, opened in found.items():
        for scenario in scenarios(o.when for o in covering):
            deployed = [o for o in covering if holds(o.when, scenario)]
            width = width_of(united(deployed), settings.whitelist_width)
            if width is not None:
                yield _breach(
                    width,
                    tuple(opened),
                    deployed,
                    place or deployed[0].place,
                    scenario or frozenset(),
                )
                break
