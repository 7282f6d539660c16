"""Sets of IPv4 and IPv6 addresses, to measure how many addresses a whitelist admits.

Security groups and prefix lists can split a range over many rules: ``0.0.0.0/1`` and
``128.0.0.0/1`` look harmless alone, and together are the internet. So addresses are united first,
and then measured.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
    summarize_address_range,
)
from typing import Self

_Range = tuple[int, int]
"""The first and the last address of a range, both inclusive, as integers."""

_IPV4_MAX = 2**32 - 1
_IPV6_MAX = 2**128 - 1

ANYWHERE_IPV4 = "0.0.0.0/0"
ANYWHERE_IPV6 = "::/0"
ANYWHERE = frozenset({ANYWHERE_IPV4, ANYWHERE_IPV6})
"""The CIDR blocks of all IPv4 and all IPv6 addresses, as AWS writes them."""

PRIVATE_NETWORKS = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "::/127",
    "fc00::/7",
    "fe80::/10",
    "ff00::/8",
)
"""Networks from which no host on the internet can send.

These are the IANA special-purpose networks, without the documentation networks, which stand for
public addresses in examples and count as public. Unallocated IPv6 space counts as public too, so
that it is refused before it is allocated.

Source: IANA special-purpose address registries (RFC 6890).
"""

WORLD_IPV4_WIDTH = 2**24
"""The number of public IPv4 addresses from which a set counts as the internet: a /8."""

WORLD_IPV6_WIDTH = 2**112
"""The number of public IPv6 addresses from which a set counts as the internet: a /16, more than
any allocation."""


def parse_network(text: str) -> IPv4Network | IPv6Network:
    """Parse an IP address or a CIDR block.

    Args:
        text: An IPv4 or IPv6 address, or a CIDR block without host bits.

    Returns:
        The network, ``/32`` or ``/128`` for an address.

    Raises:
        ValueError: If the text is neither, has host bits set, or has an IPv6 zone index.

    Source: RFC 4632 (CIDR), RFC 4291 (IPv6 addressing).

    Example:
        >>> str(parse_network("203.0.113.7"))
        '203.0.113.7/32'
    """
    if not isinstance(text, str):
        raise ValueError(
            f"{text!r} is not an address: write a string such as '203.0.113.7' or '203.0.113.0/28'"
        )
    if "%" in text:
        raise ValueError(
            f"{text!r} has a zone index, which is valid only on its own host: write "
            f"{text.split('%', maxsplit=1)[0]!r}"
        )
    try:
        return ip_network(text)
    except ValueError:
        pass
    try:
        meant = ip_network(text, strict=False)
    except ValueError:
        raise ValueError(
            f"{text!r} is not an IP address or CIDR block: write an address such as '203.0.113.7' "
            "or '2001:db8::7', or a block such as '203.0.113.0/28'"
        ) from None
    host = text.split("/", maxsplit=1)[0]
    raise ValueError(
        f"{text!r} has host bits set: write '{ip_address(host)}' for that one host "
        f"or '{meant}' for the whole block"
    )


def refuse_wide_whitelist(
    addresses: "AddressSet", max_addresses: int, *, what: str, limit: str, instead: str
) -> None:
    """Refuse a whitelist that admits too many addresses.

    Args:
        addresses: All sources together.
        max_addresses: The allowed number of addresses, of both families together.
        what: What the sources can reach, as the subject of the message.
        limit: The name of the argument with the limit, for the message.
        instead: What to write instead of addresses, for the message.

    Raises:
        ValueError: If the sources are the internet, whatever the limit, or exceed the limit.

    Source: Security Hub EC2.13, EC2.19; CIS AWS Foundations 5.3, 5.4.

    Example:
        >>> try:
        ...     refuse_wide_whitelist(AddressSet.of("10.0.0.0/16"), 256, what="SSH",
        ...                           limit="max_addresses", instead="use a security group")
        ... except ValueError as error:
        ...     print(str(error).partition(":")[0])
        SSH is open to 65536 addresses (10.0.0.0/16) where 256 are allowed
    """
    if addresses.is_world:
        raise ValueError(
            f"{what} is open to the world: together its sources are {addresses}. "
            f"Name the addresses that need it, such as '203.0.113.7', or {instead}"
        )
    if addresses.width > max_addresses:
        raise ValueError(
            f"{what} is open to {addresses.width} addresses ({addresses}) where {max_addresses} "
            f"are allowed: name fewer addresses, {instead}, or, if every one of them needs it, "
            f"write {limit}={addresses.width}"
        )


@dataclass(frozen=True, slots=True)
class AddressSet:
    """A set of IPv4 and IPv6 addresses.

    Create one with `of`. ``|`` is the union, ``&`` the intersection, ``-`` the difference and
    ``<=`` the subset test. Sets with the same addresses are equal, however they were written.

    Args:
        ipv4: Ranges of IPv4 addresses, as (first, last) integers.
        ipv6: Ranges of IPv6 addresses, as (first, last) integers.

    Raises:
        ValueError: If the first address of a range follows the last, or one is out of bounds.

    Source: RFC 4632 (aggregation of CIDR blocks).

    Example:
        >>> halves = AddressSet.of("0.0.0.0/1", "128.0.0.0/1")
        >>> halves == AddressSet.of("0.0.0.0/0"), halves.is_world
        (True, True)
    """

    ipv4: tuple[_Range, ...] = ()
    ipv6: tuple[_Range, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "ipv4", _merged(self.ipv4, _IPV4_MAX))
        object.__setattr__(self, "ipv6", _merged(self.ipv6, _IPV6_MAX))

    @classmethod
    def of(cls, *networks: str | IPv4Network | IPv6Network) -> Self:
        """Return the set of some addresses and CIDR blocks.

        Args:
            networks: Addresses and CIDR blocks, as strings for `parse_network` or as objects of
                the module ``ipaddress``.

        Returns:
            Their union, which is empty without arguments.

        Raises:
            ValueError: If a string is neither an address nor a CIDR block.

        Example:
            >>> AddressSet.of("203.0.113.7", "2001:db8::7").width
            2
        """
        parsed = [parse_network(n) if isinstance(n, str) else n for n in networks]
        return cls(
            ipv4=tuple(_range(n) for n in parsed if isinstance(n, IPv4Network)),
            ipv6=tuple(_range(n) for n in parsed if isinstance(n, IPv6Network)),
        )

    @classmethod
    def everything(cls) -> Self:
        """Return the set of all addresses of both families."""
        return cls(ipv4=((0, _IPV4_MAX),), ipv6=((0, _IPV6_MAX),))

    @property
    def width(self) -> int:
        """The number of addresses in the set, of both families together."""
        return _width(self.ipv4) + _width(self.ipv6)

    @property
    def public(self) -> "AddressSet":
        """The addresses from which a host on the internet can send."""
        return self - _private()

    @property
    def is_world(self) -> bool:
        """Whether the set counts as the internet, in either family.

        This is the case from `WORLD_IPV4_WIDTH` or `WORLD_IPV6_WIDTH` public addresses on, so that
        a set that leaves out a small part of the internet still counts.
        """
        public = self.public
        return _width(public.ipv4) >= WORLD_IPV4_WIDTH or _width(public.ipv6) >= WORLD_IPV6_WIDTH

    def networks(self) -> Iterator[IPv4Network | IPv6Network]:
        """Yield the smallest list of CIDR blocks that cover exactly the set, IPv4 first, sorted."""
        for first, last in self.ipv4:
            yield from summarize_address_range(IPv4Address(first), IPv4Address(last))
        for first, last in self.ipv6:
            yield from summarize_address_range(IPv6Address(first), IPv6Address(last))

    def __bool__(self) -> bool:
        return bool(self.ipv4 or self.ipv6)

    def __contains__(self, address: str | IPv4Address | IPv6Address) -> bool:
        parsed = ip_address(address) if isinstance(address, str) else address
        ranges = self.ipv4 if isinstance(parsed, IPv4Address) else self.ipv6
        return any(first <= int(parsed) <= last for first, last in ranges)

    def __or__(self, other: "AddressSet") -> "AddressSet":
        return AddressSet(ipv4=self.ipv4 + other.ipv4, ipv6=self.ipv6 + other.ipv6)

    def __and__(self, other: "AddressSet") -> "AddressSet":
        return AddressSet(
            ipv4=_intersection(self.ipv4, other.ipv4), ipv6=_intersection(self.ipv6, other.ipv6)
        )

    def __sub__(self, other: "AddressSet") -> "AddressSet":
        return AddressSet(
            ipv4=_intersection(self.ipv4, _complement(other.ipv4, _IPV4_MAX)),
            ipv6=_intersection(self.ipv6, _complement(other.ipv6, _IPV6_MAX)),
        )

    def __le__(self, other: "AddressSet") -> bool:
        return not self - other

    def __str__(self) -> str:
        return ", ".join(str(network) for network in self.networks()) or "no address"


@cache
def _private() -> AddressSet:
    return AddressSet.of(*PRIVATE_NETWORKS)


def _range(network: IPv4Network | IPv6Network) -> _Range:
    return int(network.network_address), int(network.broadcast_address)


def _merged(ranges: Iterable[_Range], maximum: int) -> tuple[_Range, ...]:
    merged: list[_Range] = []
    for first, last in sorted(ranges):
        if not 0 <= first <= last <= maximum:
            raise ValueError(
                f"({first}, {last}) is not a range of addresses: write (first, last) with "
                f"0 <= first <= last <= {maximum}"
            )
        # Adjacent ranges merge too: 0.0.0.0/1 and 128.0.0.0/1 touch but do not overlap.
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return tuple(merged)


def _width(ranges: Iterable[_Range]) -> int:
    return sum(last - first + 1 for first, last in ranges)


def _intersection(left: tuple[_Range, ...], right: tuple[_Range, ...]) -> tuple[_Range, ...]:
    common: list[_Range] = []
    i = j = 0
    while i < len(left) and j < len(right):
        first, last = max(left[i][0], right[j][0]), min(left[i][1], right[j][1])
        if first <= last:
            common.append((first, last))
        if left[i][1] < right[j][1]:
            i += 1
        else:
            j += 1
    return tuple(common)


def _complement(ranges: tuple[_Range, ...], maximum: int) -> tuple[_Range, ...]:
    gaps: list[_Range] = []
    start = 0
    for first, last in ranges:
        if first > start:
            gaps.append((start, first - 1))
        start = last + 1
    if start <= maximum:
        gaps.append((start, maximum))
    return tuple(gaps)
