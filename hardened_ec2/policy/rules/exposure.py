"""What else the internet can reach of a server: forgotten openings and public addresses."""

from collections.abc import Iterable, Iterator
from typing import TypeAlias

from hardened_ec2.policy.circumstances import ALWAYS, When, holds, worlds
from hardened_ec2.policy.exposure import Reach, is_world, reaches, spelled_addresses
from hardened_ec2.policy.findings import Severity
from hardened_ec2.policy.ingress import ICMP, ICMPV6, TCP, UDP, Opening
from hardened_ec2.policy.rule import Case, Control, Doubt, Fault, Framework, Outcome, rule
from hardened_ec2.policy.servers import Server
from hardened_ec2.policy.values import Place, as_bool, why_unknown

_Sighting: TypeAlias = tuple[Reach, When]


@rule(
    id="HardenedEc2-PrivateServerOpenToWorld",
    severity=Severity.ERROR,
    fact="No group of a server in a private subnet lets the internet in.",
    why=(
        "Nobody can use the rule today, so nobody needs it; the day a route, a load balancer or a "
        "public address is added, it is an open door that no one decided on."
    ),
    fix=(
        "Remove the rule, or let in only those who use it: the security group of the load balancer "
        "in front, or the network's own addresses."
    ),
    references=(
        Control(Framework.SECURITY_HUB, "EC2.18"),
        Control(Framework.NIST, "SC-7(11)"),
        Control(Framework.PCI, "1.3.1"),
    ),
)
def private_server_open_to_world(case: Case) -> Iterator[Outcome]:
    """Join subnet, route and group: world ingress where no route brings the world."""
    seen = _Sightings()
    reported = _reported(case)
    for server in case.servers:
        openings = [o for o in case.exposure.of_server(server) if o.addresses]
        if not openings:
            continue
        circumstances = [o.when for o in openings]
        circumstances.extend(case.placement.circumstances(server))
        for world in worlds(circumstances):
            private = case.placement.is_private(server, world)
            if private is False:
                continue
            for reach in _from_the_world(openings, world):
                if private:
                    seen.fault(server, reach, world)
                elif not all(opening.place in reported for opening in reach.openings):
                    seen.doubt(server, reach, world)
    yield from seen.outcomes(
        "{ports} is open to {addresses} on {servers}, which is in a private subnet",
        "{ports} is open to {addresses} on {servers}, and whether that is in a private subnet is "
        "not in the templates",
    )


@rule(
    id="HardenedEc2-ServerPortOpenToWorld",
    severity=Severity.ERROR,
    fact="A server offers nothing to the internet but the ports that are meant for it.",
    why=(
        "Databases, caches and agents were never built to face strangers; one that does is found "
        "and emptied in hours."
    ),
    fix=(
        "Name who uses the port: a security group or the addresses of the network. A port that is "
        "for everyone belongs in Settings.public_ports."
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
    ),
)
def server_port_open_to_world(case: Case) -> Iterator[Outcome]:
    """Report world-open ports of servers that are neither public nor administrative.

    Ping and its kin are left out: a server that must be found by path MTU discovery needs them.
    """
    seen = _Sightings()
    reported = _reported(case)
    for server in case.servers:
        openings = [
            o
            for o in case.exposure.of_server(server)
            if o.protocol not in (ICMP, ICMPV6) and o.place not in reported
        ]
        for world in worlds(o.when for o in openings):
            for reach in _from_the_world(openings, world):
                if not _is_public(reach, case.settings.public_ports):
                    seen.fault(server, reach, world)
    yield from seen.outcomes("{ports} is open to {addresses} on {servers}", "")


@rule(
    id="HardenedEc2-PublicAddress",
    severity=Severity.ERROR,
    fact="A server has no public address.",
    why=(
        "With a public address every mistake in a group, today's or next year's, is an exposure; "
        "without one the internet has nothing to send to."
    ),
    fix=(
        "Place the server in a private subnet with AssociatePublicIpAddress false and put a load "
        "balancer, an EC2 Instance Connect Endpoint or Session Manager in front. Where the server "
        "must face the internet (a bastion), acknowledge it with the reason."
    ),
    references=(
        Control(Framework.SECURITY_HUB, "EC2.9"),
        Control(Framework.SECURITY_HUB, "EC2.25"),
        Control(Framework.SECURITY_HUB, "AutoScaling.5"),
        Control(Framework.NIST, "SC-7(3)"),
        Control(Framework.PCI, "1.3.1"),
        Control(Framework.CONTROL_TOWER, "CT.EC2.PR.8"),
        Control(Framework.CONTROL_TOWER, "CT.EC2.PR.9"),
        Control(Framework.CONTROL_TOWER, "CT.AUTOSCALING.PR.5"),
        Control(Framework.CDK_NAG, "EC2InstanceNoPublicIp"),
        Control(Framework.CHECKOV, "CKV_AWS_88"),
        Control(Framework.TRIVY, "AWS-0009"),
    ),
)
def public_address(case: Case) -> Iterator[Outcome]:
    """Report every way a server gets a public address: asked for, from its subnet, elastic."""
    for server in case.servers:
        for value, reason in case.placement.public_addresses(server):
            why = why_unknown(value.content)
            if as_bool(value.content) is True:
                yield Fault(
                    place=value.place,
                    message=f"{server.resource.logical_id} gets a public address: {reason}",
                    when=value.when,
                )
            else:
                yield Doubt(
                    place=value.place,
                    why=f"whether {server.resource.logical_id} gets a public address is not known: "
                    f"{why or reason}",
                    when=value.when,
                )


def _reported(case: Case) -> set[Place]:
    """List the rules that the rules for administrative ports report: once is enough."""
    return {o.place for breach in case.administration.breaches for o in breach.openings}


class _Sightings:
    """World-open ports, told once for all servers that share the rules that open them."""

    def __init__(self) -> None:
        self._faults: dict[tuple[object, ...], tuple[_Sighting, dict[str, None]]] = {}
        self._doubts: dict[tuple[object, ...], tuple[_Sighting, dict[str, None]]] = {}

    def fault(self, server: Server, reach: Reach, world: When | None) -> None:
        self._note(self._faults, server, reach, world)

    def doubt(self, server: Server, reach: Reach, world: When | None) -> None:
        self._note(self._doubts, server, reach, world)

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
        world: When | None,
    ) -> None:
        places = tuple(opening.place for opening in reach.openings)
        key = (places, reach.protocol, reach.first, reach.last)
        when = _relevant(reach, world)
        noted.setdefault(key, ((reach, when), {}))[1][server.resource.logical_id] = None


def _relevant(reach: Reach, world: When | None) -> When:
    """Keep of a world what the rules themselves depend on: the message names no more."""
    subjects = {subject for opening in reach.openings for subject, _ in opening.when}
    return frozenset(choice for choice in world or ALWAYS if choice[0] in subjects)


def _words(reach: Reach, servers: Iterable[str]) -> dict[str, str]:
    names = list(servers)
    shown = ", ".join(names[:3])
    if len(names) > 3:  # noqa: PLR2004 - as many as are shown
        shown += f" and {len(names) - 3} more"
    return {
        "ports": reach.ports,
        "addresses": spelled_addresses(reach.addresses),
        "servers": shown,
    }


def _from_the_world(openings: Iterable[Opening], world: When | None) -> Iterator[Reach]:
    """Yield what the internet reaches: by one rule each, then by what is left of them together."""
    narrow: list[Opening] = []
    for opening in openings:
        if opening.unknown or not holds(opening.when, world):
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
