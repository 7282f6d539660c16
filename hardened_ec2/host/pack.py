r"""Packs the program for the boothook: `python -m hardened_ec2.host.pack`.

gzip writes other bytes with another build of zlib, and other bytes of user data restart servers.
So the packed programs are made once and committed beside their sources. Run this after every
change of the payload; a test unpacks what is committed and compares it with the sources.
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

# Mail allows lines of 998 characters; whole groups of four, and few line breaks.
_LINE = 996


def pack(text: str) -> bytes:
    r"""Return a text as gzip.

    zopfli writes gzip as any other, by some three hundredths smaller.

    Args:
        text: plain ASCII.

    Source:
        RFC 1952 (gzip).

    Example:
        >>> pack("echo\n")[:2].hex()
        '1f8b'

    """
    # Only who packs needs it; the package itself does not.
    from zopfli import gzip as zopfli  # noqa: PLC0415

    return bytes(zopfli.compress(text.encode("ascii"), numiterations=50))


def in_lines(content: bytes) -> str:
    r"""Return bytes as base64, in long lines.

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
    """Write the packed programs anew, but not one that already holds what the sources say."""
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
