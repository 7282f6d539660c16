r"""Packs the boothook's program: `python -m hardened_ec2.host.pack`.

Builds of zlib differ in the bytes they write, and a change of user data restarts servers. So the
packed programs are committed beside their sources. Run this after every change of the payload; a
test unpacks the committed files and compares them with the sources.
"""

import base64
import gzip
import sys
from pathlib import Path
from typing import get_args

from hardened_ec2.host.boothook import readable_rest
from hardened_ec2.host.compressed import member_name, packed_member
from hardened_ec2.host.controls.all import Profile
from hardened_ec2.host.program import packed, packed_name, program, sources

# RFC 5322 allows 998 characters a line; base64 comes in groups of four.
_LINE = 996


def pack(text: str) -> bytes:
    r"""Return a text as gzip.

    zopfli writes standard gzip, some 3% smaller than zlib.

    Args:
        text: plain ASCII.

    Source:
        RFC 1952 (gzip).

    Example:
        >>> pack("echo\n")[:2].hex()
        '1f8b'

    """
    # A development dependency: only packing needs it.
    from zopfli import gzip as zopfli  # noqa: PLC0415

    return bytes(zopfli.compress(text.encode("ascii"), numiterations=50))


def in_lines(content: bytes) -> str:
    r"""Return bytes as base64, in lines of 996 characters.

    Args:
        content: any bytes.

    Source:
        RFC 2045 section 6.8 (base64), RFC 5322 section 2.1.1 (lines).

    Example:
        >>> in_lines(b"one")
        'b25l\n'

    """
    encoded = base64.b64encode(content).decode()
    return "".join(f"{encoded[at : at + _LINE]}\n" for at in range(0, len(encoded), _LINE))


def main() -> None:
    """Write the packed programs whose sources have changed."""
    for profile in get_args(Profile):
        text = sources(profile)
        target = Path(__file__).with_name(packed_name(profile))
        if not target.exists() or program(profile) != text:
            target.write_text(in_lines(pack(text)), "ascii")
            sys.stderr.write(f"{target.name}: {len(text):,} bytes of sh\n")
    program.cache_clear()
    packed.cache_clear()
    for profile in get_args(Profile):
        target = Path(__file__).with_name(member_name(profile))
        text = readable_rest(profile)
        if not target.exists() or gzip.decompress(packed_member(profile)) != text.encode():
            target.write_bytes(pack(text))


if __name__ == "__main__":
    main()
