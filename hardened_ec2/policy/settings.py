"""The thresholds of the policy, which a team can change."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from hardened_ec2.policy.ports import ADMINISTRATIVE_PORTS

_LAST_PORT = 65535


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Thresholds that the policy rules compare with.

    Args:
        whitelist_width: The most addresses, IPv4 and IPv6 together, that can reach an
            administrative port of a server. Default: 256, one IPv4 /24.
        administrative_ports: TCP ports that count as administrative, each with its name.
            Default: `hardened_ec2.policy.ports.ADMINISTRATIVE_PORTS`.
        public_ports: Ports that a server can open to the whole internet. Default: 80 and 443.
        egress_ports: The most ports, TCP and UDP together, that a server can connect to on the
            internet. Default: 1024.
        fleet_lifetime_days: The most days until an Auto Scaling group replaces a server.
            Default: 90.
        patch_delay_days: The most days from a patch's release to its approval. Default: 30.

    Raises:
        ValueError: If a number is not a whole number of at least 1, a port is outside 0-65535, or
            a port is both administrative and public.

    Source: Security Hub EC2.18 (unrestricted traffic for authorized ports only) and EC2.19
        (high-risk ports).

    Example:
        >>> Settings(whitelist_width=0)
        Traceback (most recent call last):
            ...
        ValueError: whitelist_width is 0: write a whole number of addresses, at least 1
    """

    whitelist_width: int = 256
    administrative_ports: Mapping[int, str] = field(default_factory=lambda: ADMINISTRATIVE_PORTS)
    public_ports: frozenset[int] = frozenset({80, 443})
    egress_ports: int = 1024
    fleet_lifetime_days: int = 90
    patch_delay_days: int = 30

    def __post_init__(self) -> None:
        for name, number, unit in (
            ("whitelist_width", self.whitelist_width, "addresses"),
            ("egress_ports", self.egress_ports, "ports"),
            ("fleet_lifetime_days", self.fleet_lifetime_days, "days"),
            ("patch_delay_days", self.patch_delay_days, "days"),
        ):
            if not isinstance(number, int) or isinstance(number, bool) or number < 1:
                raise ValueError(
                    f"{name} is {number!r}: write a whole number of {unit}, at least 1"
                )
        # A list or a plain set is accepted, but would stay mutable.
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
                f"port {min(both)} is in both administrative_ports and public_ports: "
                "administrative ports are closed to the internet, so write it in one of the two"
            )
