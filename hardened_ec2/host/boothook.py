"""The cloud-boothook: one POSIX sh program, made of the options and the payload's files.

The options and the metadata lock, which runs before anything is unpacked, stay readable. The rest
is packed (see `hardened_ec2.host.pack`) and its SHA-256 is checked before it runs; on the host
`hardened-ec2 program` prints it. If all user data is delivered as gzip (see
`hardened_ec2.host.compressed`), the rest is readable too.

The program is its own installer: it copies itself to the host, and its systemd units call that
copy. Tests therefore run the same text as the host.
"""

import hashlib
import re
from collections.abc import Mapping
from functools import cache

from hardened_ec2.host.controls.all import Profile
from hardened_ec2.host.program import READABLE, packed, program, source

MARKER = "#cloud-boothook\n"
"""The first line of a boothook. cloud-init removes it from the file that it writes and runs."""

# Printable ASCII and line breaks: sshd, nft and terminals must never see other characters.
_OPTION = re.compile(r"[\n -~]*")
_NAME = re.compile(r"[A-Z][A-Z0-9_]*")


def boothook(options: Mapping[str, str], profile: Profile = "strict") -> str:
    """Return the boothook: cloud-init's marker, the options, the program.

    Args:
        options: shell variables and their values.
        profile: the profile whose controls the program can apply. Default: "strict", which has
            all controls.

    Raises:
        ValueError: a value contains a character other than printable ASCII and line breaks, or a
            name is not a shell variable's name in capitals.

    Source:
        cloud-init, user-data formats, "Cloud boothook".

    Example:
        >>> text = boothook({"PROFILE": "strict", "WITHOUT": ""})
        >>> text.splitlines()[:2]
        ['#cloud-boothook', '#!/bin/sh']

    """
    return head(options) + packed_rest(profile)


def head(options: Mapping[str, str], *files: str) -> str:
    """Return the part that differs from host to host: the marker, the options, and extra files.

    Args:
        options: as for `boothook`.
        files: payload files that stay readable behind the options: the one that sends the signal
            (option SIGNAL), and the one that recognizes a hardened image (option IMAGE).

    Raises:
        ValueError: as for `boothook`.

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
            f"boothook option {name} is {value!r}: names are capitals, digits and '_', values are "
            "printable ASCII and line breaks; write such as 'PROFILE': 'strict'"
        )
    quoted = value.replace("'", r"'\''")
    return f"{name}='{quoted}'\n"


@cache
def packed_rest(profile: Profile) -> str:
    """Return the part that is the same on every host: checksum, lock, packed program, start.

    Args:
        profile: the profile whose controls the program can apply.

    Example:
        >>> "base64 -d" in packed_rest("baseline")
        True

    """
    return _rest(profile, f"base64 -d <<EOF | gzip -dc\n{packed(profile)}EOF\n")


@cache
def readable_rest(profile: Profile) -> str:
    """Return `packed_rest` with the program as plain text.

    Args:
        profile: the profile whose controls the program can apply.

    Example:
        >>> "harden_sshd() {" in readable_rest("baseline")
        True

    """
    return _rest(profile, f"cat <<'PROGRAM'\n{program(profile)}PROGRAM\n")


def _rest(profile: Profile, unpack: str) -> str:
    *functions, start = (source(name) for name in READABLE)
    checksum = hashlib.sha256(program(profile).encode()).hexdigest()
    return f"SHA256={checksum}\n{''.join(functions)}rest() {{\n{unpack}}}\n{start}"
