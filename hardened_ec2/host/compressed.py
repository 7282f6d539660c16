"""User data as gzip: what cloud-init unpacks by itself, where the text has no CDK token in it.

What is the same on every host was packed when the library was made (see `hardened_ec2.host.pack`);
the options in front of it and the commands behind it are stored as they are. gzip allows members
one after the other, so no compressor runs at synth, and the bytes are the same with every build
of zlib: other bytes of user data would restart servers.
"""

import struct
import zlib
from functools import cache
from importlib import resources

from hardened_ec2.host.controls.types import Profile

_STORED_LIMIT = 0xFFFF


def stored(text: str) -> bytes:
    r"""Return a text as one member of a gzip file, not compressed.

    Args:
        text: any text, as UTF-8 not longer than a stored block can be: 65,535 bytes.

    Raises:
        ValueError: the text is longer, which is far beyond what user data may have.

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
            f"a part of the user data has {size:,} bytes where one block takes {_STORED_LIMIT:,}: "
            "bake the commands into the image, or keep them in S3 and fetch them"
        )
    header = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
    block = struct.pack("<BHH", 1, size, size ^ _STORED_LIMIT) + content
    return header + block + struct.pack("<II", zlib.crc32(content), size)


@cache
def packed_member(profile: Profile) -> bytes:
    """Return the member that is the same on every host, as it was committed.

    Args:
        profile: whose controls the program can apply.

    Example:
        >>> packed_member("baseline")[:2].hex()
        '1f8b'

    """
    return (resources.files("hardened_ec2.host") / member_name(profile)).read_bytes()


def member_name(profile: Profile) -> str:
    """Return the name of the file with the packed member; see `hardened_ec2.host.pack`.

    Args:
        profile: whose controls the program can apply.

    Example:
        >>> member_name("strict")
        'strict.boothook.gz'

    """
    return f"{profile}.boothook.gz"
