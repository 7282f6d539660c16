"""Ports that are not administrative and open to more addresses than a whitelist holds."""

from collections.abc import Iterator

from hardened_ec2.policy.facts.ingress import TCP, UDP
from hardened_ec2.policy.facts.reach import Reach, is_world, reaches, spelled_addresses
from hardened_ec2.policy.findings import Severity
from hardened_ec2.policy.resolve.scenarios import holds, scenarios
from hardened_ec2.policy.rules.case import Case
from hardened_ec2.policy.rules.rule import Control, Fault, Framework, Outcome, rule
from hardened_ec2.policy.rules.subjects import Subject
from hardened_ec2.policy.settings import Settings


@rule(
    id="HardenedEc2-ServerPortTooWide",
    severity=Severity.WARNING,
    subject=Subject.SERVERS,
    fact=(
        "At most Settings.whitelist_width public addresses can reach a port that is not in "
        "Settings.public_ports."
    ),
    why=(
        "Thousands of addresses are not one partner but a provider's network, where an "
        "attacker can rent a machine and connect to the database."
    ),
    fix="Allow only the addresses that use the port (203.0.113.7/32), or only a security group.",
    references=(
        Control(Framework.PROWLER, "ec2_securitygroup_allow_wide_open_public_ipv4"),
        Control(Framework.CFN_NAG, "W9"),
    ),
)
def server_port_too_wide(case: Case) -> Iterator[Outcome]:
    """Count the public addresses that can reach each port, all ingress rules united."""
    reported = {o.place for breach in case.admin_ports.breaches for o in breach.openings}
    seen: set[tuple[object, ...]] = set()
    for server in case.servers:
        openings = [
            o
            for o in case.exposure.of_server(server)
            if o.addresses and not o.unknown and o.place not in reported
        ]
        for scenario in scenarios(o.when for o in openings):
            for reach in reaches([o for o in openings if holds(o.when, scenario)]):
                key = (*(o.place for o in reach.openings), reach.protocol, reach.first, reach.last)
                if key in seen or not _is_too_wide(reach, case.settings):
                    continue
                seen.add(key)
                widest = max(reach.openings, key=lambda opening: opening.addresses.width)
                yield Fault(
                    place=widest.place,
                    message=f"{reach.ports} of {server.resource.logical_id} open to "
                    f"{spelled_addresses(reach.addresses)}, {reach.addresses.public.width} public "
                    f"addresses where {case.settings.whitelist_width} are allowed",
                    when=widest.when,
                )


def _is_too_wide(reach: Reach, settings: Settings) -> bool:
    if reach.addresses.public.width <= settings.whitelist_width or is_world(reach.addresses):
        return False
    if reach.protocol not in (TCP, UDP):
        return True
    ports = range(reach.first, reach.last + 1)
    if reach.last - reach.first >= len(settings.public_ports):
        return True
    return not all(port in settings.public_ports for port in ports)
