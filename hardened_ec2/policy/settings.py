"""The thresholds of the policy: what a team may decide for itself, checked when it is written."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from hardened_ec2.policy.ports import ADMINISTRATIVE_PORTS

_LAST_PORT = 65535


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the rules measure against.

    Args:
        whitelist_width: How many addresses, IPv4 and IPv6 together, may reach an administrative
            port of one server. Default: 256, one IPv4 /24.
        administrative_ports: TCP ports that count as administrative, with the name of each.
            Default: `hardened_ec2.policy.ports.ADMINISTRATIVE_PORTS`.
        public_ports: Ports that a server may offer to the whole internet. Default: 80 and 443.

    Raises:
        ValueError: If the width is not a whole number of at least 1, or a port is outside 0-65535.

    Source: Security Hub EC2.18 (unrestricted traffic for authorised ports only) and EC2.19
        (high-risk ports).

    Example:
        >>> Settings(whitelist_width=16).whitelist_width
        16
    """

    whitelist_width: int = 256
    administrative_ports: Mapping[int, str] = field(default_factory=lambda: ADMINISTRATIVE_PORTS)
    public_ports: frozenset[int] = frozenset({80, 443})

    def __post_init__(self) -> None:
        width = self.whitelist_width
        if not isinstance(width, int) or isinstance(width, bool) or width < 1:
            raise ValueError(
                f"whitelist_width is {width!r}: write a whole number of addresses, at least 1"
            )
        # A list or a plain set is welcome; kept as given it would not be frozen.
        object.__setattr__(self, "public_ports", frozenset(self.public_ports))
        for name, ports in (
            ("administrative_ports", self.administrative_ports),
            ("public_ports", self.public_ports),
        ):
            for port in ports:
                if (
                    not isinstance(port, int)
                    or isinstance(port, bool)
                    or not 0 <= port <= _LAST_PORT
                ):
                    raise ValueError(
                        f"{name} holds {port!r}: write port numbers from 0 to {_LAST_PORT}"
                    )
        both = self.public_ports & set(self.administrative_ports)
        if both:
            raise ValueError(
                f"port {min(both)} is in administrative_ports and in public_ports: an "
                "administrative port is never open to the world, so leave it in one of the two"
            )
