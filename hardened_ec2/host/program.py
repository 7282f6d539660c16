"""The program that runs on the server: the payload's files, joined and packed."""

import base64
import gzip
import re
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import resources

from hardened_ec2.host.controls.all import CONTROLS, Profile

READABLE = ("imds_ruleset.sh", "boot.sh")
"""Files that stay readable in the user data, in order. The last one starts the program."""

SIGNALS = ("signal.sh", "lifecycle.sh")
"""Files that report the result to CloudFormation or an Auto Scaling group. At most one of them is
added, readable, in front of the others."""

IMAGE = "image.sh"
"""File that recognizes an image with the same hardening. It is added, readable, in front of the
others if the image carries the hardening."""

_START = "main.sh"
_HEREDOC = re.compile(r"<<-?\s*(['\"]?)(?P<end>[A-Za-z_]\w*)\1")


def stripped(script: str) -> str:
    r"""Return a shell script without its comment lines, blank lines and indentation.

    Here-documents and comments after a command stay as they are. A quoted string over several lines
    loses its leading tabs, which awk does not need, and must not contain a line that is empty or
    begins with "#"; a test checks this.

    Args:
        script: POSIX sh, with here-document delimiters that are plain words, quoted or not.

    Source:
        POSIX.1-2024, Shell Command Language, 2.3 (comments) and 2.7.4 (here-documents).

    Example:
        >>> stripped("#!/bin/sh\n# why\n\nif :\n\tcat <<EOF\n# kept\nEOF\n")
        'if :\ncat <<EOF\n# kept\nEOF\n'

    """
    return "".join(_code(script.splitlines(keepends=True)))


def _code(lines: Iterable[str]) -> Iterator[str]:
    end: str | None = None
    for line in lines:
        if end is not None:
            yield line
            if line.strip() == end:
                end = None
            continue
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        yield line.lstrip("\t")
        if found := _HEREDOC.search(line):
            end = found["end"]


@cache
def source(name: str) -> str:
    """Return a payload file, stripped.

    Args:
        name: the file's name in the folder ``payload``.

    Example:
        >>> "imds_ruleset()" in source("imds_ruleset.sh")
        True

    """
    payload = resources.files("hardened_ec2.host") / "payload"
    return stripped((payload / name).read_text("ascii"))


def sources(profile: Profile) -> str:
    """Return the program of a profile before it is packed: function definitions, then the start.

    Files that define functions come in alphabetical order. A file that serves only controls of
    other profiles is left out.

    Args:
        profile: the profile whose controls the program can apply.

    Example:
        >>> "host_firewall()" in sources("strict"), "host_firewall()" in sources("baseline")
        (True, False)

    """
    payload = resources.files("hardened_ec2.host") / "payload"
    names = {file.name for file in payload.iterdir() if file.name.endswith(".sh")}
    functions = sorted(names - {*READABLE, *SIGNALS, IMAGE, _START})
    served = [name for name in functions if _serves(source(name), profile)]
    steps = " ".join(each.step for each in CONTROLS if profile in each.profiles)
    return f"STEPS='{steps}'\n" + "".join(source(name) for name in (*served, _START))


def steps_of(profile: Profile) -> str:
    """Return the names of a profile's controls, separated by spaces, in the order of application.

    Args:
        profile: the profile.

    Example:
        >>> steps_of("baseline").split()[0]
        'imds-lock'

    """
    return " ".join(each.name for each in CONTROLS if profile in each.profiles)


def _serves(text: str, profile: Profile) -> bool:
    controls = [each for each in CONTROLS if f"\n{each.step}() {{" in f"\n{text}"]
    return not controls or any(profile in each.profiles for each in controls)


@cache
def packed(profile: Profile) -> str:
    """Return the committed, packed program of a profile: gzip as base64, in lines.

    Args:
        profile: the profile whose controls the program can apply.

    Example:
        >>> packed("baseline").isascii()
        True

    """
    return (resources.files("hardened_ec2.host") / packed_name(profile)).read_text("ascii")


def packed_name(profile: Profile) -> str:
    """Return the name of the file that holds the packed program; see `hardened_ec2.host.pack`.

    Args:
        profile: the profile whose controls the program can apply.

    Example:
        >>> packed_name("strict")
        'strict.gz.b64'

    """
    return f"{profile}.gz.b64"


@cache
def program(profile: Profile) -> str:
    """Return the unpacked program of a profile, as it runs on the host.

    Args:
        profile: the profile whose controls the program can apply.

    Example:
        >>> program("strict") == sources("strict")
        True

    """
    return gzip.decompress(base64.b64decode(packed(profile))).decode("ascii")
