"""The picture: lanes that follow each other, boxes that hold their text, bounds."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from hardened_ec2.addresses import AddressSet
from hardened_ec2.policy.facts.ways import Answer, Station, Way
from hardened_ec2.policy.report.picture import MAX_LANES, draw, fitted, spelled_senders

OWN = Station(names=("Group",), ports="")


def way(cidr: str = "203.0.113.7", port: int = 22, **changes: object) -> Way:
    values: dict[str, object] = {
        "senders": AddressSet.of(cidr),
        "stations": (OWN,),
        "protocol": 6,
        "ports": ((port, port),),
        "places": (),
        "arrives": True,
        **changes,
    }
    return Way(**values)  # type: ignore[arg-type] # whatever a test changes


def answer(*ways: Way) -> Answer:
    return Answer(ways=ways, is_cut=False)


def test_a_lane_says_all_of_its_way_in_words() -> None:
    stations = (
        Station(names=("Balancer",), ports="tcp port 443", is_balancer=True),
        OWN,
    )
    (lane,) = draw(answer(way("0.0.0.0/0", 8080, stations=stations)), "Web", "private subnet").lanes
    assert lane.label == (
        "From the internet through a load balancer: The internet (0.0.0.0/0), through load "
        "balancer Balancer on tcp port 443 and then group Group, to tcp port 8080 of Web"
    )


def test_a_way_that_is_cut_off_is_drawn_so_and_says_so() -> None:
    (lane,) = draw(answer(way(arrives=False)), "Web", "private subnet").lanes
    assert lane.is_stopped
    assert lane.label.endswith("; the internet has no route to it")


def test_who_starts_is_said_first_by_number_then_by_address() -> None:
    assert spelled_senders(way()) == ("203.0.113.7/32", "1 public address")
    two = way(senders=AddressSet.of("203.0.113.7", "198.51.100.0/28"))
    assert spelled_senders(two) == ("17 public addresses", "198.51.100.0/28, 203.0.113.7/32")
    assert spelled_senders(way("10.0.0.0/16")) == ("10.0.0.0/16", "65,536 private addresses")
    mixed = way(senders=AddressSet.of("203.0.113.7", "10.0.0.7"))
    assert spelled_senders(mixed) == ("2 addresses", "10.0.0.7/32, 203.0.113.7/32")
    assert spelled_senders(way("2001:db8::/32"))[1] == "A network of public addresses"


def test_a_whole_family_is_said_in_words() -> None:
    public = AddressSet.everything().public
    assert spelled_senders(way(senders=public)) == (
        "The internet",
        "all public IPv4 addresses, all public IPv6 addresses",
    )
    assert spelled_senders(way("0.0.0.0/0")) == ("The internet", "0.0.0.0/0")


def test_members_are_senders_and_their_group_is_not_passed() -> None:
    members = way(
        senders=AddressSet(), stations=(Station(names=("Peer",), ports="", holders=("A",)), OWN)
    )
    assert spelled_senders(members) == ("Security group", "Peer")
    (lane,) = draw(answer(members), "Web", "").lanes
    assert [box.kind for box in lane.boxes] == ["group", "ports"]
    assert (
        spelled_senders(way(senders=AddressSet(), stations=(OWN, OWN)))[0] == "Same security group"
    )


def test_nobody_has_a_box_too() -> None:
    picture = draw(answer(), "Web", "private subnet")
    ((box, origin),) = picture.senders
    assert (box.title, origin) == ("None", None)
    assert picture.lanes == ()


def test_lanes_that_start_the_same_share_a_box() -> None:
    picture = draw(answer(way(port=22), way(port=80), way("10.0.0.1", 80)), "Web", "")
    first, second = (box for box, _ in picture.senders)
    assert first.height > second.height
    assert first.middle == (picture.lanes[0].boxes[0].middle + picture.lanes[1].boxes[0].middle) / 2


def test_long_chains_and_many_ways_are_bounded() -> None:
    long = tuple(Station(names=(f"G{n}",), ports="tcp port 1") for n in range(9))
    ways = [way(port=n + 1, stations=(*long, OWN)) for n in range(MAX_LANES + 5)]
    picture = draw(answer(*ways), "Web", "")
    assert len(picture.lanes) == MAX_LANES
    assert picture.left_out == 5
    assert [box.title for box in picture.lanes[0].boxes] == [
        "G0",
        "8 more groups",
        "Group",
        "tcp 1",
    ]


def test_ranges_beyond_two_are_counted() -> None:
    many = way(ports=((1, 2), (4, 5), (7, 9)))
    (lane,) = draw(answer(many), "Web", "").lanes
    assert (lane.boxes[-1].title, lane.boxes[-1].detail) == ("tcp 1-2", "and 2 more ranges")


@settings(max_examples=60, deadline=None, database=None)
@given(st.lists(st.integers(0, 3), max_size=20))
def test_nothing_overlaps_and_nothing_leaves_the_picture(lengths: list[int]) -> None:
    station = Station(names=("Some",), ports="tcp port 1")
    ways = [way(port=n + 1, stations=(*[station] * k, OWN)) for n, k in enumerate(lengths)]
    picture = draw(answer(*ways), "Web", "private subnet")
    for lane in picture.lanes:
        edges = [(box.x, box.x + box.width) for box in lane.boxes]
        assert all(end <= start for (_, end), (start, _) in pairwise(edges))
        assert all(line.x < line.to_x for line in lane.lines)
        assert lane.y + lane.height <= picture.height
        assert edges[-1][1] == picture.server.x
    assert picture.server.x + picture.server.width <= picture.width
    assert picture.server.y + picture.server.height <= picture.height


@settings(max_examples=60, deadline=None, database=None)
@given(st.text(max_size=600), st.integers(20, 400))
def test_a_text_that_is_cut_fits_and_can_be_seen(text: str, width: int) -> None:
    shown = fitted(text, width, 13)
    assert shown.isprintable()
    assert len(shown) <= max(len(text) * 10, 1)
    assert fitted("x" * 600, width, 13).endswith("…")
