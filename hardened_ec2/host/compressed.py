"""User data as gzip, which cloud-init unpacks by itself. It cannot contain CDK tokens.

The part that is the same on every host is packed in advance (see `hardened_ec2.host.pack`); the
options before it and the commands after it are stored uncompressed, as gzip members of their own.
So no compressor runs at synth, and every build of zlib gives the same bytes: a change of user data
would restart servers.
"""

import struct
import zlib
from functools import cache
from importlib import resources

from hardened_ec2.host.controls.types import Profile

_STORED_LIMIT = 0xFFFF


def stored(text: str) -> bytes:
    r"""Return a text as an uncompressed gzip member.

    Args:
        text: any text, at most 65,535 bytes in UTF-8, the size of one stored block.

    Raises:
        ValueError: the text is longer.

    Source:
        RFC 1952 (gzip), section 2.2; RFC 1951 (deflate), section 3.2.4.

    Example:
        >>> import gzip
        >>> gzip.decompress(stored("one\n") + stored("two\n"))
        b'one\ntwo\n'

    """
    content = text.encode()
    size = len(content)
    if size > _STORED_LIMIT:
        raise ValueError(
            f"the user data commands have {size:,} bytes, and at most {_STORED_LIMIT:,} are "
            "allowed: bake the commands into the image, or keep them in S3 and fetch them"
        )
    header = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
    block = struct.pack("<BHH", 1, size, size ^ _STORED_LIMIT) + content
    return header + block + struct.pack("<II", zlib.crc32(content), size)


@cache
def packed_member(profile: Profile) -> bytes:
    """Return the committed gzip member that is the same on every host.

    Args:
        profile: the profile whose controls the program can apply.

    Example:
        >>> packed_member("baseline")[:2].hex()
        '1f8b'

    """
    return (resources.files("hardened_ec2.host") / member_name(profile)).read_bytes()


def member_name(profile: Profile) -> str:
    """Return the name of the file that holds the packed member; see `hardened_ec2.host.pack`.

    Args:
        profile: the profile whose controls the program can apply.

    Example:
        >>> member_name("strict")
        'strict.boothook.gz'

    """
    return f"{profile}.boothook.gz"
