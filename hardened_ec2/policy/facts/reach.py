"""What openings let in together: their ports cut where they change, their senders united."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from hardened_ec2.addresses import AddressSet
from hardened_ec2.policy.facts.ingress import ALL_PROTOCOLS, Opening, spelled_ports
from hardened_ec2.policy.resolve.scenarios import ALWAYS, Scenario, When


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


def united(openings: Iterable[Opening]) -> AddressSet:
    """Unite the senders of openings, over all ports."""
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
        >>> openings = case.exposure.of_server(server)
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
    """Whether a set of addresses is the internet for practical purposes."""
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
