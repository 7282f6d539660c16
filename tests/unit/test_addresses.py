"""The address algebra, against brute force on small universes."""

from ipaddress import ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardened_ec2.addresses import AddressSet, parse_network

few = settings(max_examples=30, deadline=None, database=None)

BASE = int(ip_network("198.51.100.0/28").network_address)
UNIVERSE = range(BASE, BASE + 16)

ranges = st.lists(
    st.tuples(st.integers(0, 15), st.integers(0, 15)).map(lambda r: (BASE + min(r), BASE + max(r))),
    max_size=5,
).map(tuple)


def members(addresses: AddressSet) -> set[int]:
    return {n for first, last in addresses.ipv4 for n in range(first, last + 1)}


def brute(given_ranges: tuple[tuple[int, int], ...]) -> set[int]:
    return {n for first, last in given_ranges for n in range(first, last + 1)}


@few
@given(ranges)
def test_a_set_holds_what_its_ranges_hold(left: tuple[tuple[int, int], ...]) -> None:
    addresses = AddressSet(ipv4=left)
    assert members(addresses) == brute(left)
    assert addresses.width == len(brute(left))
    assert bool(addresses) is bool(left)
    # Sorted, and neither touching nor overlapping: equal sets are equal values.
    assert all(
        last + 1 < first
        for (_, last), (first, _) in zip(addresses.ipv4, addresses.ipv4[1:], strict=False)
    )


@few
@given(ranges, ranges)
def test_union_intersection_difference_and_order(
    left: tuple[tuple[int, int], ...], right: tuple[tuple[int, int], ...]
) -> None:
    a, b = AddressSet(ipv4=left), AddressSet(ipv4=right)
    assert members(a | b) == brute(left) | brute(right)
    assert members(a & b) == brute(left) & brute(right)
    assert members(a - b) == brute(left) - brute(right)
    assert (a <= b) is (brute(left) <= brute(right))
    assert a | b == b | a
    assert a & b == b & a


@few
@given(ranges)
def test_blocks_make_up_the_set_again(left: tuple[tuple[int, int], ...]) -> None:
    addresses = AddressSet(ipv4=left)
    assert AddressSet.of(*addresses.networks()) == addresses


def test_families_do_not_mix() -> None:
    both = AddressSet.of("203.0.113.7", "2001:db8::7")
    assert both.width == 2
    assert str(both) == "203.0.113.7/32, 2001:db8::7/128"
    assert both - AddressSet.of("0.0.0.0/0") == AddressSet.of("2001:db8::7")
    assert "203.0.113.7" in both
    assert "2001:db8::8" not in both


@pytest.mark.parametrize(
    "blocks",
    [
        ("0.0.0.0/0",),
        ("::/0",),
        ("0:0:0:0:0:0:0:0/0",),
        ("0.0.0.0/1", "128.0.0.0/1"),
        ("0.0.0.0/1",),
        ("8.0.0.0/6",),
        ("8.0.0.0/8",),
        ("0.0.0.0/2", "64.0.0.0/2", "128.0.0.0/3"),
        ("8.0.0.0/9", "8.128.0.0/9"),
        ("2000::/3",),
        ("2000::/16",),
    ],
)
def test_the_world_is_the_world_in_any_split(blocks: tuple[str, ...]) -> None:
    assert AddressSet.of(*blocks).is_world


@pytest.mark.parametrize(
    "blocks",
    [
        (),
        ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"),
        ("fc00::/7", "fe80::/10"),
        ("8.0.0.0/9",),
        ("2600:1f00::/24",),
        ("203.0.113.0/24",),
    ],
)
def test_private_space_and_whitelists_are_not_the_world(blocks: tuple[str, ...]) -> None:
    assert not AddressSet.of(*blocks).is_world


def test_the_public_part_leaves_private_space_out() -> None:
    mixed = AddressSet.of("10.0.0.0/8", "203.0.113.7", "fd00::/8", "2001:db8::7")
    assert mixed.public == AddressSet.of("203.0.113.7", "2001:db8::7")


def test_everything_is_everything() -> None:
    assert AddressSet.everything() == AddressSet.of("0.0.0.0/0", "::/0")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("203.0.113.7", "203.0.113.7/32"),
        ("2001:DB8::7", "2001:db8::7/128"),
        ("0.0.0.0/0", "0.0.0.0/0"),
    ],
)
def test_addresses_and_blocks_are_read(text: str, meant: str) -> None:
    assert str(parse_network(text)) == meant


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("garbage", "'garbage' is not an IP address or CIDR block: write an address such as"),
        ("", "'' is not an IP address or CIDR block"),
        ("203.0.113.7/33", "is not an IP address or CIDR block"),
        (
            "203.0.113.7/24",
            "has host bits set: write '203.0.113.7' for that one host or '203.0.113.0/24'",
        ),
        ("fe80::1%eth0", "has a zone index"),
        (203, "203 is not an address: write a string such as"),
    ],
)
def test_what_is_no_address_is_refused_with_what_to_write(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_network(text)


@pytest.mark.parametrize("ipv4", [((5, 4),), ((-1, 4),), ((0, 2**32),)])
def test_a_range_that_is_none_is_refused(ipv4: tuple[tuple[int, int], ...]) -> None:
    with pytest.raises(ValueError, match="is not a range of addresses"):
        AddressSet(ipv4=ipv4)
