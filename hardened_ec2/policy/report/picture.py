"""The layout of the picture of who can reach a server: boxes and lines for SVG.

Each way is a lane of its own, from the source at the left to the server at the right, so that it
reads as a sentence: the source, the groups and load balancers it passes, the ports.
"""

import unicodedata
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from hardened_ec2.addresses import AddressSet
from hardened_ec2.policy.facts.reach import is_world, spelled_addresses
from hardened_ec2.policy.facts.ways import Answer, Origin, Station, Way
from hardened_ec2.policy.report.visible import visible

MAX_LANES: Final = 12
"""Ways in a picture; the table lists the rest."""

_MAX_STATIONS: Final = 3

_MARGIN: Final = 12
_GAP: Final = 38
_HEAD: Final = 30
_LANE: Final = 66
_BOX: Final = 46
_FOOT: Final = 30
_SENDER: Final = 224
_STATIONS: Final = (220, 220, 220, 176)
"""Width of a station, by the number of stations in a lane."""

_PORTS: Final = 148
_SERVER: Final = 196

_COUNTED: Final = 2**32
"""Addresses that are counted; a larger number means nothing to a reader."""

_WIDE: Final = frozenset("WF")
_EM: Final = 0.66
"""Width of a character in ems, a little more than fonts need: boxes clip what is wider."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Box:
    """A box with two lines of text.

    Args:
        x: Left edge.
        y: Upper edge.
        width: Width.
        height: Height.
        kind: One of ``sender``, ``group``, ``balancer``, ``more``, ``ports`` or ``server``.
        title: The first line, shortened to fit.
        detail: The second line, shortened to fit. Default: none.
    """

    x: int
    y: int
    width: int
    height: int
    kind: str
    title: str
    detail: str = ""

    @property
    def middle(self) -> float:
        """The y coordinate of its middle."""
        return self.y + self.height / 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """A line between two boxes, from left to right."""

    x: int
    y: float
    to_x: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Lane:
    """One way in a picture.

    Args:
        way: The way.
        y: Upper edge of the lane.
        height: Its height.
        boxes: Its boxes except the sender, which lanes can share.
        lines: The lines.
        is_stopped: Whether no route leads from the internet to the server.
        label: The way in words.
    """

    way: Way
    y: int
    height: int
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
    is_stopped: bool
    label: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """A picture: its size and its boxes and lines.

    Args:
        width: Width.
        height: Height.
        columns: Heading and left edge of each column.
        senders: The boxes of the sources, each with the origin that determines its color.
        lanes: The ways, in the order of the table.
        server: The server's box.
        left_out: The number of ways that are not drawn.

    Source: W3C, "Scalable Vector Graphics (SVG) 2".

    Example:
        >>> picture = draw(access.to(server), "Server", "private subnet")
        >>> [box.title for box, _ in picture.senders]
        ['The internet', '10.0.0.7/32']
    """

    width: int
    height: int
    columns: tuple[tuple[str, int], ...]
    senders: tuple[tuple[Box, Origin | None], ...]
    lanes: tuple[Lane, ...]
    server: Box
    left_out: int


def draw(answer: Answer, name: str, placement: str) -> Picture:
    """Lay out the picture of a server.

    Args:
        answer: The ways to it.
        name: Its name.
        placement: Its subnet, in a few words.

    Returns:
        The picture. Its size is bounded: `MAX_LANES` ways, three stations on each.

    Example:
        >>> picture = draw(access.to(server), "Server", "private subnet")
        >>> [[box.title for box in lane.boxes] for lane in picture.lanes]
        [['Balancer', 'Group', 'tcp 8080'], ['Group', 'tcp 22']]
    """
    ways = answer.ways[:MAX_LANES]
    stations = [_stations(way) for way in ways]
    most = max(map(len, stations), default=1)
    station = _STATIONS[most]
    columns = [_MARGIN]
    columns += [_MARGIN + _SENDER + _GAP + i * (station + _GAP) for i in range(most)]
    columns.append(columns[-1] + station + _GAP)
    server_x = columns[-1] + _PORTS
    left_out = len(answer.ways) - len(ways)
    lanes = tuple(
        _lane(index, way, boxes, columns, name)
        for index, (way, boxes) in enumerate(zip(ways, stations, strict=True))
    )
    height = _HEAD + max(1, len(lanes)) * _LANE
    headings = ["source", *["through"] * (most > 0), "ports", "server"]
    edges = [columns[0], *columns[1:2], columns[-1], server_x]
    server = Box(
        x=server_x,
        y=_HEAD,
        width=_SERVER,
        height=height - _HEAD - (_LANE - _BOX),
        kind="server",
        title=fitted(name, _SERVER - 20, 14),
        detail=fitted(placement, _SERVER - 20, 12),
    )
    return Picture(
        width=server_x + _SERVER + _MARGIN,
        height=height + (_FOOT if left_out or answer.is_cut else 0),
        columns=tuple(zip(headings, edges, strict=True)),
        senders=tuple(_senders(ways)),
        lanes=lanes,
        server=server,
        left_out=left_out,
    )


def fitted(text: str, width: int, size: int) -> str:
    """Shorten a text to a width.

    Args:
        text: The text.
        width: The width, in pixels.
        size: The font size, in pixels.

    Returns:
        The text, `visible`, or its beginning with an ellipsis.

    Example:
        >>> fitted("InstanceConnectEndpointSecurityGroup", 100, 13)
        'InstanceCo…'
    """
    text = visible(text)
    room = width / (size * _EM)
    ends = list(accumulate(2 if unicodedata.east_asian_width(c) in _WIDE else 1 for c in text))
    if not ends or ends[-1] <= room:
        return text
    return f"{text[: bisect_right(ends, room - 1)]}…"


def spelled_senders(way: Way, limit: int = 3) -> tuple[str, str]:
    """Describe the source of a way.

    Args:
        way: The way.
        limit: The most CIDR blocks that are written out. Default: 3.

    Returns:
        The source, and a detail about it.

    Example:
        >>> [spelled_senders(way) for way in access.to(server).ways]
        [('The internet', '0.0.0.0/0'), ('10.0.0.7/32', '1 private address')]
    """
    if not way.senders:
        (first, *rest) = way.stations[0].names
        own = way.stations[-1].names
        if first in own and not rest:
            return "Same security group", first
        return "Security group", first
    if way.unknown:
        return "Not known", way.unknown
    addresses = _spelled(way.senders, limit)
    if is_world(way.senders):
        return "The internet", addresses
    public = way.senders.public
    kind = "" if public and public != way.senders else "public " if public else "private "
    width = way.senders.width
    count = f"{width:,} {kind}address{'' if width == 1 else 'es'}"
    if width > _COUNTED:
        count = f"A network of {kind}addresses"
    return (count, addresses) if "," in addresses else (addresses, count)


def _spelled(senders: AddressSet, limit: int) -> str:
    """Spell addresses; all public addresses of a family are named in words instead of listed."""
    everyone = AddressSet.everything().public
    words = []
    for family in ("ipv4", "ipv6"):
        mine = AddressSet(**{family: getattr(senders, family)})
        whole = AddressSet(**{family: getattr(everyone, family)})
        if whole <= mine and mine == mine.public:
            words.append(f"all public {family.replace('ip', 'IP')} addresses")
        elif mine:
            words.append(spelled_addresses(mine, limit))
    return ", ".join(words)


def label(way: Way, name: str) -> str:
    """Describe a way in words, for screen readers."""
    who, more = spelled_senders(way)
    passed = " and then ".join(_named(station) for station in _shown(way))
    where = "Not known" if way.origin is Origin.UNKNOWN else way.origin.value
    stop = "; the internet has no route to it" if _is_stopped(way) else ""
    return (
        f"{where[:1].upper()}{where[1:]}: {who} ({more}), through {passed}, "
        f"to {way.spelled_ports} of {name}{stop}"
    )


def _named(station: Station) -> str:
    kind = "load balancer " if station.is_balancer else "group "
    ports = f" on {station.ports}" if station.ports else ""
    return f"{kind}{', '.join(station.names)}{ports}"


def _shown(way: Way) -> Sequence[Station]:
    """Return the stations to draw: a group whose members are the source is not one of them."""
    return way.stations if way.senders else way.stations[1:]


def _is_stopped(way: Way) -> bool:
    return way.origin is Origin.BLOCKED


def _stations(way: Way) -> list[tuple[str, str, str]]:
    """Return kind, title and detail of the boxes between source and ports."""
    shown = [_station(station, own=station is way.stations[-1]) for station in _shown(way)]
    if len(shown) > _MAX_STATIONS:
        skipped = len(shown) - 2
        shown = [shown[0], ("more", f"{skipped} more groups", "see the table"), shown[-1]]
    return shown


def _station(station: Station, *, own: bool) -> tuple[str, str, str]:
    title = ", ".join(station.names)
    if station.is_balancer:
        return "balancer", title, f"load balancer · {_short(station.ports)}"
    if own:
        return "group", title, "security groups" if len(station.names) > 1 else "security group"
    details = (_short(station.ports), ", ".join(station.holders))
    return "group", title, " · ".join(filter(None, details))


def _short(ports: str) -> str:
    return ports.replace(" ports ", " ").replace(" port ", " ")


def _lane(
    index: int, way: Way, stations: list[tuple[str, str, str]], columns: list[int], name: str
) -> Lane:
    y = _HEAD + index * _LANE
    inner = len(columns) - 2
    station = _STATIONS[inner]
    boxes = [
        Box(
            # The server's own group is always next to its ports.
            x=columns[1 + (at if at < len(stations) - 1 else inner - 1)],
            y=y,
            width=station,
            height=_BOX,
            kind=kind,
            title=fitted(title, station - 20, 13),
            detail=fitted(detail, station - 20, 11),
        )
        for at, (kind, title, detail) in enumerate(stations)
    ]
    ports = _ports(way, columns[-1], y)
    edges = [(columns[0], _SENDER), *((box.x, box.width) for box in boxes)]
    middle = y + _BOX / 2
    targets = [*(box.x for box in boxes), ports.x]
    lines = [
        Line(x=x + width, y=middle, to_x=to_x)
        for (x, width), to_x in zip(edges, targets, strict=True)
    ]
    return Lane(
        way=way,
        y=y,
        height=_BOX,
        boxes=(*boxes, ports),
        lines=tuple(lines),
        is_stopped=_is_stopped(way),
        label=label(way, name),
    )


def _ports(way: Way, x: int, y: int) -> Box:
    words = _short(way.spelled_ports).split(", ")
    detail = f"and {len(words) - 1} more ranges" if len(words) > 2 else ", ".join(words[1:])  # noqa: PLR2004
    return Box(
        x=x,
        y=y,
        width=_PORTS,
        height=_BOX,
        kind="ports",
        title=fitted(words[0], _PORTS - 20, 13),
        detail=fitted(detail, _PORTS - 20, 11),
    )


def _senders(ways: Sequence[Way]) -> Iterator[tuple[Box, Origin | None]]:
    """Yield the boxes at the left; neighboring lanes with the same source share one."""
    if not ways:
        yield _sender("None", "no ingress is allowed", 0, 1), None
        return
    first = 0
    for at in range(1, len(ways) + 1):
        start = ways[first]
        same = at < len(ways) and (
            (start.origin, *spelled_senders(start)) == (ways[at].origin, *spelled_senders(ways[at]))
        )
        if not same:
            yield _sender(*spelled_senders(start), first, at - first), start.origin
            first = at


def _sender(title: str, detail: str, index: int, lanes: int) -> Box:
    return Box(
        x=_MARGIN,
        y=_HEAD + index * _LANE,
        width=_SENDER,
        height=(lanes - 1) * _LANE + _BOX,
        kind="sender",
        title=fitted(title, _SENDER - 20, 13),
        detail=fitted(detail, _SENDER - 20, 11),
    )
