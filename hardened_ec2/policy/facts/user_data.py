"""User data as the server will see it: decoded, layer by layer, with what is not known marked."""

import base64
import binascii
import quopri
import re
import zlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from hardened_ec2.policy.resolve.values import Base64, Content, Reference, Text, Unknown

USER_DATA_LIMIT: Final = 16384
"""Bytes that EC2 takes as user data, before base64.

From the Amazon EC2 User Guide, "Run commands when you launch an EC2 instance with user data input".
"""

MAX_LAYERS: Final = 4
"""Encodings within one another that are opened."""

MAX_DECODED: Final = 2**20
"""Bytes to which all that is encoded in one user data is opened; the rest is not read."""

MAX_PARTS: Final = 1000
"""Encoded parts of one user data that are opened; the rest is not read."""

MARK: Final = re.compile("\ue000([0-9]+)\ue001")
"""Stands in a layer's text where only the deployment knows the text: an index into its origins."""

# "password=hunter2" is 22 characters and two "=" in base64.
_BASE64_RUN = re.compile(
    r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{20,}+"
    r"(?:\r?\n[A-Za-z0-9+/]{20,}+)*(?:\r?\n[A-Za-z0-9+/]++)?={0,2}"
)
_GZIP = b"\x1f\x8b"
_CONTROL = re.compile("[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\ufffd]")
_NOISE = 10
"""A text in which one character of this many is a control character is binary."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Layer:
    """One text that user data holds: the whole of it, or what an encoded part decodes to.

    Args:
        text: The text, unknown parts as `MARK`.
        origins: The unknown parts, by the index in their mark.
        encoding: How it was reached, such as ``base64``; empty for the outermost text.
        cut: Whether there is more in it that was not read, past `MAX_DECODED` or `MAX_PARTS`.
            Default: no.

    Example:
        >>> [layer.text for layer in layers(Base64("echo hello"))]
        ['echo hello']
    """

    text: str
    origins: tuple[Unknown | Reference, ...]
    encoding: str
    cut: bool = False


@dataclass(frozen=True, slots=True)
class _Opened:
    """What an encoded part holds: no text when it is something else, which took reading too."""

    text: str
    how: str
    cut: bool
    size: int


@lru_cache(maxsize=64)
def layers(content: Content) -> tuple[Layer, ...]:
    """Open user data.

    Args:
        content: What the property ``UserData`` can be.

    Returns:
        The text that cloud-init sees, then every text inside it that is in base64 or gzip;
        nothing when all of it is unknown.

    Source: cloud-init documentation, "User data formats"; RFC 2045 (base64 in MIME parts).

    Example:
        >>> [layer.encoding for layer in layers(Base64("IyEvYmluL3NoCmVjaG8gaGVsbG8gd29ybGQK"))]
        ['', 'base64']
    """
    return tuple(_opened(content))


def _opened(content: Content) -> Iterator[Layer]:
    outermost, cut = _outermost(content)
    pending: deque[tuple[Content, str, int, bool]] = deque([(outermost, "", 0, cut)])
    parts, left = MAX_PARTS, MAX_DECODED
    while pending:
        piece, encoding, depth, cut = pending.popleft()
        if not isinstance(piece, str | Text):
            continue
        layer, encoded = _rendered(piece, encoding, cut=cut)
        if depth < MAX_LAYERS:
            pending.extend(
                (inner, _then(encoding, "base64"), depth + 1, False) for inner in encoded
            )
            for opened in _encoded_parts(layer.text):
                if not parts or left <= 0:
                    # Small parts can hold large ones, many times over.
                    layer = replace(layer, cut=True)
                    break
                left -= opened.size
                if opened.text:
                    parts -= 1
                    how = _then(encoding, opened.how)
                    pending.append((opened.text, how, depth + 1, opened.cut))
        yield layer


def known_size(content: Content) -> tuple[int, bool]:
    """Measure user data as EC2 does, before base64.

    Args:
        content: What the property ``UserData`` can be.

    Returns:
        The bytes that are known, and whether these are all.

    Example:
        >>> known_size(Base64("echo hello"))
        (10, True)
    """
    if isinstance(content, Base64):
        return _size(content.of)
    if isinstance(content, str):
        decoded = _from_base64(content)
        return (len(decoded) if decoded is not None else _bytes(content)), True
    return _size(content)


def _size(content: Content) -> tuple[int, bool]:
    if isinstance(content, str):
        return _bytes(content), True
    if isinstance(content, Base64):
        size, complete = _size(content.of)
        return -(-size // 3) * 4, complete
    if isinstance(content, Text):
        sizes = [_size(part) for part in content.parts]
        return sum(size for size, _ in sizes), all(complete for _, complete in sizes)
    return 0, False


def _bytes(text: str) -> int:
    # A lone surrogate, which JSON can spell, must not stop the measuring.
    return len(text.encode("utf-8", "surrogatepass"))


def _outermost(content: Content) -> tuple[Content, bool]:
    if isinstance(content, Base64):
        return content.of, False
    if isinstance(content, str):
        decoded = _from_base64(content)
        # EC2 decodes it in any case; a stray control character must not hide the rest.
        if decoded is not None:
            opened = _as_text(decoded, strict=False)
            return opened.text, opened.cut
    return content, False


def _rendered(piece: str | Text, encoding: str, *, cut: bool) -> tuple[Layer, list[Content]]:
    texts: list[str] = []
    origins: list[Unknown | Reference] = []
    encoded: list[Content] = []
    for part in piece.parts if isinstance(piece, Text) else (piece,):
        if isinstance(part, str):
            texts.append(MARK.sub("", part))
        elif isinstance(part, Base64):
            encoded.append(part.of)
        else:
            texts.append(f"\ue000{len(origins)}\ue001")
            origins.append(part)
    layer = Layer(text="".join(texts), origins=tuple(origins), encoding=encoding, cut=cut)
    return layer, encoded


def _encoded_parts(text: str) -> Iterator[_Opened]:
    yield from _decoded_runs(text)
    yield from _quoted_printable(text)


def _decoded_runs(text: str) -> Iterator[_Opened]:
    for match in _BASE64_RUN.finditer(text):
        decoded = _from_base64(match.group())
        if decoded is not None:
            yield _as_text(decoded, strict=True)


def _quoted_printable(text: str) -> Iterator[_Opened]:
    if "quoted-printable" in text.lower():
        decoded = quopri.decodestring(text.encode("utf-8", "replace"))
        opened = decoded.decode("utf-8", "replace")
        yield _Opened(opened, "quoted-printable", cut=False, size=len(decoded))


def _from_base64(text: str) -> bytes | None:
    compact = "".join(text.split())
    try:
        return base64.b64decode(compact + "=" * (-len(compact) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def _as_text(data: bytes, *, strict: bool) -> _Opened:
    """Read bytes as text, through gzip if need be."""
    how, cut = "base64", False
    if data.startswith(_GZIP):
        data, cut = _unzipped(data)
        how = "gzip"
    # PowerShell's encoded commands are UTF-16: every other byte of plain text is zero.
    utf16 = data[1::2].count(0) > len(data) // 4
    text = data.decode("utf-16-le" if utf16 else "utf-8", "replace")
    noise = len(_CONTROL.findall(text))
    if strict and noise * _NOISE > len(text):
        text = ""
    return _Opened(text, how, cut, len(data))


def _unzipped(data: bytes) -> tuple[bytes, bool]:
    """Decompress every member of a gzip file, up to `MAX_DECODED`; say whether there was more."""
    found: list[bytes] = []
    left = MAX_DECODED
    while data.startswith(_GZIP):
        member = zlib.decompressobj(wbits=31)
        try:
            piece = member.decompress(data, left)
        except zlib.error:
            break
        found.append(piece)
        left -= len(piece)
        if left <= 0:
            return b"".join(found), bool(member.unconsumed_tail or member.unused_data)
        data = member.unused_data
    return b"".join(found), False


def _then(encoding: str, how: str) -> str:
    return f"{encoding}, {how}" if encoding else how
