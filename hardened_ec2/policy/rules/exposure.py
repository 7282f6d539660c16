"""Ports that the internet can reach, beyond the administrative ones."""

from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias

from hardened_ec2.policy.facts.group_users import is_used
from hardened_ec2.policy.facts.groups import GroupKey, Groups
from hardened_ec2.policy.facts.ingress import ICMP, ICMPV6, TCP, UDP, Opening, spelled_ports
from hardened_ec2.policy.facts.load_balancers import Door
from hardened_ec2.policy.facts.reach import Reach, is_world, reaches, spelled_addresses
from hardened_ec2.policy.facts.servers import Server
from hardened_ec2.policy.findings import Severity
from hardened_ec2.policy.ports import port_names
from hardened_ec2.policy.resolve.scenarios import Scenario, When, holds, scenarios
from hardened_ec2.policy.resolve.values import Place
from hardened_ec2.policy.rules.case import Case
from hardened_ec2.policy.rules.rule import (
    Control,
    Doubt,
    Fault,
    Framework,
    Outcome,
    rule,
)
from hardened_ec2.policy.rules.subjects import Subject
from hardened_ec2.policy.settings import Settings

_SHOWN: Final = 3
"""Servers or ports that a message names; the rest are counted."""

_NEEDED_ICMP: Final = {ICMP: (3, 11), ICMPV6: (1, 2, 3, 4)}
"""ICMP types that connections need: unreachable, too big, time exceeded (RFC 4890)."""

_Sighting: TypeAlias = tuple[Reach, When]


@rule(
    id="HardenedEc2-PrivateServerOpenToWorld",
    severity=Severity.ERROR,
    subject=Subject.SERVERS,
    fact="Security groups of servers in private subnets are closed to the internet.",
    why=(
        "The rule has no effect today, so it goes unnoticed; once a route, a load balancer or "
        "a public address is added, it exposes the server without anyone having decided so."
    ),
    fix=(
        "Remove the rule, or allow only its actual clients: the security group of the load "
        "balancer in front, or the addresses of the network."
    ),
    references=(
        Control(Framework.SECURITY_HUB, "EC2.18"),
        Control(Framework.NIST, "SC-7(11)"),
        Control(Framework.PCI, "1.3.1"),
    ),
)
def private_server_open_to_world(case: Case) -> Iterator[Outcome]:
    """Report world-open ingress rules of servers that no route connects to the internet.

    Ingress rules for a Network Load Balancer that preserves client addresses are left to
    `load_balancer_opens_server`.
    """
    seen = _Sightings()
    reported = _reported(case)
    for server in case.servers:
        used = _used_by_load_balancers(case, server)
        openings = [
            o for o in case.exposure.of_server(server) if o.addresses and o.place not in used
        ]
        if not openings:
            continue
        whens = [*(o.when for o in openings), *case.placement.depends_on(server)]
        for scenario in scenarios(whens):
            private = case.placement.is_private(server, scenario)
            if private is False:
                continue
            for reach in _from_the_world(openings, scenario):
                if private:
                    seen.fault(server, reach, scenario)
                elif not all(opening.place in reported for opening in reach.openings):
                    seen.doubt(server, reach, scenario)
    yield from seen.outcomes(
        "{ports} open to {addresses} on {servers}, which is in a private subnet",
        "{ports} open to {addresses} on {servers}, and the templates do not show whether its "
        "subnet is private",
    )


@rule(
    id="HardenedEc2-ServerPortOpenToWorld",
    severity=Severity.ERROR,
    subject=Subject.SERVERS,
    fact="Servers open only Settings.public_ports to the internet.",
    why=(
        "Databases, caches and agents are not built to face the internet: one that does is "
        "found and emptied within hours."
    ),
    fix=(
        "Allow only the clients of the port, by security group or by the addresses of the "
        "network. A port that is meant for everyone belongs in Settings.public_ports."
    ),
    references=(
        Control(Framework.SECURITY_HUB, "EC2.18"),
        Control(Framework.SECURITY_HUB, "EC2.19"),
        Control(Framework.NIST, "SC-7(5)"),
        Control(Framework.PCI, "1.3.1"),
        Control(Framework.CONTROL_TOWER, "CT.EC2.PR.3"),
        Control(Framework.CONTROL_TOWER, "CT.EC2.PR.4"),
        Control(Framework.CDK_NAG, "AwsSolutions-EC23"),
        Control(Framework.CFN_NAG, "W2"),
        Control(Framework.PROWLER, "ec2_securitygroup_allow_ingress_from_internet_to_any_port"),
    ),
)
def server_port_open_to_world(case: Case) -> Iterator[Outcome]:
    """Report world-open ports that are neither in public_ports nor administrative; not ICMP."""
    seen = _Sightings()
    reported = _reported(case)
    for server in case.servers:
        hidden = reported
        if case.placement.is_private(server, None):
            hidden = reported | _used_by_load_balancers(case, server)
        openings = [
            o
            for o in case.exposure.of_server(server)
            if o.protocol not in (ICMP, ICMPV6) and o.place not in hidden
        ]
        for scenario in scenarios(o.when for o in openings):
            for reach in _from_the_world(openings, scenario):
                if not _is_public(reach, case.settings.public_ports):
                    seen.fault(server, reach, scenario)
    yield from seen.outcomes("{ports} open to {addresses} on {servers}", "")
    yield from _open_groups_of_strangers(case, reported)


def _open_groups_of_strangers(case: Case, reported: set[Place]) -> Iterator[Doubt]:
    """Doubt world-open ports of groups that no server in the templates has: others may."""
    held = {a.group for each in case.servers for a in case.exposure.attachments(each)}
    for group in case.exposure.groups:
        if group in held or Groups.is_default(group):
            continue
        openings = [
            o
            for o in case.exposure.openings(group)
            if o.addresses and o.protocol not in (ICMP, ICMPV6) and o.place not in reported
        ]
        doubts: dict[Doubt, None] = {}
        for scenario in scenarios(o.when for o in openings):
            for reach in _from_the_world(openings, scenario):
                if not _is_public(reach, case.settings.public_ports):
                    doubts[
                        Doubt(
                            place=_widest(reach.openings).place,
                            why=f"{reach.ports} open to {spelled_addresses(reach.addresses)} in "
                            f"group {group[1]}, and the templates do not show what uses it",
                            when=reach.under(scenario),
                        )
                    ] = None
        if doubts and not is_used(group, case.deployment):
            yield from doubts


@rule(
    id="HardenedEc2-LoadBalancerOpensServer",
    severity=Severity.ERROR,
    subject=Subject.SERVERS,
    fact=(
        "Internet-facing load balancers listen only on Settings.public_ports and forward only "
        "to ports that are not administrative."
    ),
    why=(
        "A load balancer carries the internet past subnets and routes: SSH, a database or an "
        "agent behind it is as exposed as on a public server."
    ),
    fix=(
        "Listen only on Settings.public_ports, and forward to a port that is not "
        'administrative; or write Scheme "internal", or allow only the actual clients in the '
        "load balancer's security group."
    ),
    references=(
        Control(Framework.SECURITY_HUB, "EC2.18"),
        Control(Framework.SECURITY_HUB, "EC2.19"),
        Control(Framework.NIST, "SC-7(5)"),
        Control(Framework.PCI, "1.3.1"),
    ),
)
def load_balancer_opens_server(case: Case) -> Iterator[Outcome]:
    """Follow every internet-facing load balancer to the servers behind it."""
    reported = _reported(case)
    for server in case.servers:
        for door in case.load_balancers.in_front_of(server):
            if not (door.sees_sender and all(o.place in reported for o in door.openings)):
                yield from _judged_door(case.settings, server, door)


def _judged_door(settings: Settings, server: Server, door: Door) -> Iterator[Outcome]:
    world = is_world(door.addresses)
    inside = [port for port in settings.administrative_ports if door.first <= port <= door.last]
    administrative = inside if door.protocol == TCP else []
    too_many = administrative and door.addresses.public.width > settings.whitelist_width
    if not world and not too_many:
        return
    where = f"{server.resource.logical_id} through load balancer {door.balancer.logical_id}"
    if door.unknown:
        yield Doubt(
            place=door.place,
            why=f"which ports of {where} the internet can reach is not known: {door.unknown}",
            when=door.when,
        )
        return
    if administrative or door.listens not in settings.public_ports:
        opened = spelled_ports(door.protocol, door.first, door.last)
        if administrative:
            opened = f"port {port_names(administrative, settings.administrative_ports)}"
        yield Fault(
            place=door.place,
            message=f"{opened} of {where} (port {door.listens}) open to "
            f"{spelled_addresses(door.addresses)}",
            when=door.when,
        )


@rule(
    id="HardenedEc2-SteppingStone",
    severity=Severity.WARNING,
    subject=Subject.SERVERS,
    fact="Administrative ports are closed to servers that the internet can reach.",
    why=(
        "The server that faces the internet is compromised first; where it can reach SSH or "
        "RDP on the servers behind it, the attacker moves on to them."
    ),
    fix=(
        "On administrative ports, allow only the security group of a bastion or an EC2 "
        "Instance Connect Endpoint; give the traffic between servers ports of its own."
    ),
    references=(Control(Framework.NIST, "SC-7(11)"),),
)
def stepping_stone(case: Case) -> Iterator[Outcome]:
    """Report administrative ports at the end of a chain of groups that starts at the internet."""
    settings = case.settings
    held = {a.group for each in case.servers for a in case.exposure.attachments(each)}
    seen: set[tuple[Place, GroupKey]] = set()
    for server in case.servers:
        for path in case.exposure.paths(server):
            if path.is_direct or path.unknown or not is_world(path.addresses):
                continue
            last, stone = path.hops[-1], path.groups[-2]
            ports = [port for port in settings.administrative_ports if last.admits(TCP, port)]
            # A load balancer forwards, but nobody logs in from it.
            if not ports or stone not in held or (last.place, stone) in seen:
                continue
            seen.add((last.place, stone))
            names = port_names(ports, settings.administrative_ports)
            opened = f"port {names}" if len(ports) <= _SHOWN else "all administrative ports"
            yield Fault(
                place=last.place,
                message=f"an attacker on a server in between can reach {opened} of "
                f"{server.resource.logical_id}: {path}",
                when=path.when,
            )


@rule(
    id="HardenedEc2-IcmpOpenToWorld",
    severity=Severity.WARNING,
    subject=Subject.SERVERS,
    fact=(
        "From the internet, a server accepts only the ICMP messages that path MTU discovery needs."
    ),
    why=(
        "Ping tells an attacker that the server exists, how far away it is and when it "
        "restarts; redirects and timestamps tell more."
    ),
    fix=(
        "Allow only type 3 code 4 (IPv4, fragmentation needed) and type 2 (IPv6, packet too "
        "big), or only the addresses that monitor the server."
    ),
    references=(Control(Framework.SCOUT_SUITE, "ec2-security-group-opens-icmp-to-all"),),
)
def icmp_open_to_world(case: Case) -> Iterator[Outcome]:
    """Report world-open ICMP of public servers; `private_server_open_to_world` has the rest."""
    seen: set[Opening] = set()
    for server in case.servers:
        if case.placement.is_private(server, None) is True:
            continue
        for opening in case.exposure.of_server(server):
            needed = opening.icmp_type in _NEEDED_ICMP.get(opening.protocol, (opening.icmp_type,))
            if needed or opening in seen or opening.unknown or not is_world(opening.addresses):
                continue
            seen.add(opening)
            kind = "" if opening.icmp_type < 0 else f" type {opening.icmp_type}"
            yield Fault(
                place=opening.place,
                message=f"{opening.ports}{kind} open to {spelled_addresses(opening.addresses)} "
                f"on {server.resource.logical_id}",
                when=opening.when,
            )


def _used_by_load_balancers(case: Case, server: Server) -> set[Place]:
    """List the ingress rules for load balancers that preserve client addresses."""
    used: set[Place] = set()
    for door in case.load_balancers.in_front_of(server):
        if door.sees_sender and not door.unknown:
            used.update(
                o.place for o in door.openings if door.first <= o.first and o.last <= door.last
            )
    return used


def _reported(case: Case) -> set[Place]:
    """List the ingress rules that the policy rules for administrative ports report already."""
    return {o.place for breach in case.admin_ports.breaches for o in breach.openings}


class _Sightings:
    """World-open ports, reported once for all servers that share the ingress rules."""

    def __init__(self) -> None:
        self._faults: dict[tuple[object, ...], tuple[_Sighting, dict[str, None]]] = {}
        self._doubts: dict[tuple[object, ...], tuple[_Sighting, dict[str, None]]] = {}

    def fault(self, server: Server, reach: Reach, scenario: Scenario) -> None:
        self._note(self._faults, server, reach, scenario)

    def doubt(self, server: Server, reach: Reach, scenario: Scenario) -> None:
        self._note(self._doubts, server, reach, scenario)

    def outcomes(self, fault: str, doubt: str) -> Iterator[Outcome]:
        for (reach, when), servers in self._faults.values():
            message = fault.format(**_words(reach, servers))
            yield Fault(place=_widest(reach.openings).place, message=message, when=when)
        for key, ((reach, when), servers) in self._doubts.items():
            if key not in self._faults:
                why = doubt.format(**_words(reach, servers))
                yield Doubt(place=_widest(reach.openings).place, why=why, when=when)

    @staticmethod
    def _note(
        noted: dict[tuple[object, ...], tuple[_Sighting, dict[str, None]]],
        server: Server,
        reach: Reach,
        scenario: Scenario,
    ) -> None:
        places = tuple(opening.place for opening in reach.openings)
        key = (places, reach.protocol, reach.first, reach.last)
        when = reach.under(scenario)
        noted.setdefault(key, ((reach, when), {}))[1][server.resource.logical_id] = None


def _words(reach: Reach, servers: Iterable[str]) -> dict[str, str]:
    names = list(servers)
    shown = ", ".join(names[:_SHOWN])
    if len(names) > _SHOWN:
        shown += f" and {len(names) - _SHOWN} more"
    return {
        "ports": reach.ports,
        "addresses": spelled_addresses(reach.addresses),
        "servers": shown,
    }


def _from_the_world(openings: Iterable[Opening], scenario: Scenario) -> Iterator[Reach]:
    """Yield what the internet reaches: by single ingress rules, then by the others together."""
    narrow: list[Opening] = []
    for opening in openings:
        if opening.unknown or not holds(opening.when, scenario):
            continue
        if is_world(opening.addresses):
            yield Reach(
                protocol=opening.protocol,
                first=opening.first,
                last=opening.last,
                addresses=opening.addresses,
                openings=(opening,),
            )
        else:
            narrow.append(opening)
    yield from (reach for reach in reaches(narrow) if is_world(reach.addresses))


def _is_public(reach: Reach, public: frozenset[int]) -> bool:
    if reach.protocol not in (TCP, UDP):
        return False
    # More ports in one piece than there are public ones cannot all be public.
    return reach.last - reach.first < len(public) and all(
        port in public for port in range(reach.first, reach.last + 1)
    )


def _widest(openings: Iterable[Opening]) -> Opening:
    return max(openings, key=lambda opening: opening.addresses.width)
