"""The program that runs on the server: the payload's files, and the packed text made of them."""

import base64
import gzip
import re
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import resources

from hardened_ec2.host.controls.all import CONTROLS, Profile

READABLE = ("imds_ruleset.sh", "boot.sh")
"""The files that stand readable in the user data, in order; the last one starts the program."""

SIGNALS = ("signal.sh", "lifecycle.sh")
"""Where the host's result is awaited, one of them stands readable in front of the others."""

IMAGE = "image.sh"
"""Where the image carries the hardening, this stands readable in front of the others."""

_START = "main.sh"
_HEREDOC = re.compile(r"<<-?\s*(['\"]?)(?P<end>[A-Za-z_]\w*)\1")


def stripped(script: str) -> str:
    r"""Return a shell script without its comment lines, blank lines and indentation.

    What stands in a here-document is text, not script, and stays as it is, whatever it begins
    with. Comments behind a command stay too. Text between quotes over several lines loses the tabs
    at their beginning, as suits awk, and must have no line that is empty or begins with "#"; a
    test sees to it.

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
    """Return one file of the payload, stripped.

    Args:
        name: the file's name in the payload's folder.

    Example:
        >>> "imds_ruleset()" in source("imds_ruleset.sh")
        True

    """
    payload = resources.files("hardened_ec2.host") / "payload"
    return stripped((payload / name).read_text("ascii"))


def sources(profile: Profile) -> str:
    """Return the program that gets packed for a profile: definitions, then the start.

    Files that only define functions may come in any order, so the order is the alphabet's. A file
    that serves no control of the profile stays out.

    Args:
        profile: whose controls the program can apply.

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
    """Return the names of a profile's controls, in the order of application.

    Args:
        profile: whose controls.

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
    """Return the packed program of a profile as it was committed: base64 of gzip, in lines.

    Args:
        profile: whose controls the program can apply.

    Example:
        >>> packed("baseline").isascii()
        True

    """
    return (resources.files("hardened_ec2.host") / packed_name(profile)).read_text("ascii")


def packed_name(profile: Profile) -> str:
    """Return the name of the file with the packed program; see `hardened_ec2.host.pack`.

    Args:
        profile: whose controls the program can apply.

    Example:
        >>> packed_name("strict")
        'strict.gz.b64'

    """
    return f"{profile}.gz.b64"


@cache
def program(profile: Profile) -> str:
    """Return the program that the packed text holds: what runs on the host.

    Args:
        profile: whose controls the program can apply.

    Example:
        >>> program("strict") == sources("strict")
        True

    """
    return gzip.decompress(base64.b64decode(packed(profile))).decode("ascii")
