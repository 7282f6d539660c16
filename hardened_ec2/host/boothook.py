"""The boothook: one POSIX sh program made of the payload's files and the options in front.

What a reader has to see is readable: the options, and the lock of the metadata, which runs before
anything is unpacked. The rest is packed (see `hardened_ec2.host.pack`) and checked by its SHA-256
before it runs; `hardened-ec2 program` prints it on the host. Where all of the user data travels as
gzip (see `hardened_ec2.host.compressed`), the rest is readable too.

The program is its own installer: it copies itself to the host, and the units that it writes call
that copy. So no text of it is quoted inside another one, and what is tested is what runs.
"""

import hashlib
import re
from collections.abc import Mapping
from functools import cache

from hardened_ec2.host.controls.all import Profile
from hardened_ec2.host.program import READABLE, packed, program, source

MARKER = "#cloud-boothook\n"
"""By which cloud-init knows a boothook; the line is gone from the file that it writes and runs."""

# What may stand in an option: plain text, a line or more. No other control character is anything
# that sshd, nft or a terminal should ever be shown.
_OPTION = re.compile(r"[\n -~]*")
_NAME = re.compile(r"[A-Z][A-Z0-9_]*")


def boothook(options: Mapping[str, str], profile: Profile = "strict") -> str:
    """Return the text of the boothook part: cloud-init's marker, the options, the program.

    Args:
        options: shell variable to value, any plain text.
        profile: whose controls the program can apply. Default: "strict", all there are.

    Raises:
        ValueError: a value has a character that is not printable ASCII or a line break, or a
            variable's name is none.

    Source:
        cloud-init, user-data formats, "Cloud boothook".

    Example:
        >>> text = boothook({"PROFILE": "strict", "WITHOUT": ""})
        >>> text.splitlines()[:2]
        ['#cloud-boothook', '#!/bin/sh']

    """
    return head(options) + packed_rest(profile)


def head(options: Mapping[str, str], *files: str) -> str:
    """Return what differs from host to host: marker, options, and what is done with them first.

    Args:
        options: as `boothook` takes them.
        files: the files of the payload that stand readable behind the options: the one that gives
            the signal, which the option SIGNAL is for, and the one that knows a hardened image,
            which the option IMAGE is for.

    Raises:
        ValueError: as `boothook` does.

    Example:
        >>> head({"PROFILE": "strict"}).splitlines()[-1]
        "PROFILE='strict'"

    """
    settings = "".join(_setting(name, value) for name, value in options.items())
    return f"{MARKER}#!/bin/sh\n{_ABOUT}{settings}{''.join(map(source, files))}"


_ABOUT = """\
# hardened-ec2: the options; the metadata lock, which runs first; the rest, which
# "hardened-ec2 program" prints.
"""


def _setting(name: str, value: str) -> str:
    if not _NAME.fullmatch(name) or not _OPTION.fullmatch(value):
        raise ValueError(
            f"{name} is {value!r}: only printable ASCII and line breaks are allowed in the "
            "boothook's options; check the value before it gets here"
        )
    quoted = value.replace("'", r"'\''")
    return f"{name}='{quoted}'\n"


@cache
def packed_rest(profile: Profile) -> str:
    """Return what is the same on every host: checksum, lock, packed program, start.

    Args:
        profile: whose controls the program can apply.

    Example:
        >>> "base64 -d" in packed_rest("baseline")
        True

    """
    return _rest(profile, f"base64 -d <<EOF | gzip -dc\n{packed(profile)}EOF\n")


@cache
def readable_rest(profile: Profile) -> str:
    """Return the same as `packed_rest`, with the program as it is.

    Args:
        profile: whose controls the program can apply.

    Example:
        >>> "harden_sshd() {" in readable_rest("baseline")
        True

    """
    return _rest(profile, f"cat <<'PROGRAM'\n{program(profile)}PROGRAM\n")


def _rest(profile: Profile, unpack: str) -> str:
    *functions, start = (source(name) for name in READABLE)
    checksum = hashlib.sha256(program(profile).encode()).hexdigest()
    return f"SHA256={checksum}\n{''.join(functions)}rest() {{\n{unpack}}}\n{start}"
