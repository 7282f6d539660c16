"""The boothook: one POSIX sh program made of the payload's files and the options in front.

The program is its own installer: it copies itself to the host, and the units that it writes call
that copy. So no text of it is quoted inside another one, and what is tested is what runs.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import resources

# Definitions first; the last file starts the run.
_FILES = (
    "report.sh",
    "imds_lock.sh",
    "imds_units.sh",
    "user_data_files.sh",
    "sshd_drop_in.sh",
    "sshd_guard.sh",
    "sshd.sh",
    "main.sh",
)
_HEREDOC = re.compile(r"<<-?\s*(['\"]?)(?P<end>[A-Za-z_]\w*)\1")
# An option's value stands between single quotes; none of these characters can leave them.
_OPTION = re.compile(r"[A-Za-z0-9_. -]*")


def without_comments(script: str) -> str:
    r"""Return a shell script without its comment lines and blank lines.

    What stands in a here-document is text, not script, and stays as it is, whatever it begins
    with. Comments behind a command stay too.

    Args:
        script: POSIX sh, with here-document delimiters that are plain words, quoted or not.

    Source:
        POSIX.1-2024, Shell Command Language, 2.3 (comments) and 2.7.4 (here-documents).

    Example:
        >>> without_comments("#!/bin/sh\n# why\n\ncat <<EOF\n# kept\nEOF\n")
        'cat <<EOF\n# kept\nEOF\n'

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
        yield line
        if found := _HEREDOC.search(line):
            end = found["end"]


@cache
def _program() -> str:
    payload = resources.files("hardened_ec2.host") / "payload"
    return "".join(without_comments((payload / name).read_text("ascii")) for name in _FILES)


def boothook(options: Mapping[str, str]) -> str:
    """Return the text of the boothook part: cloud-init's marker, the options, the program.

    Args:
        options: shell variable to value. Values are words and spaces only, since they end in
            the program's text.

    Raises:
        ValueError: a value has a character that could end its quotes.

    Source:
        cloud-init, user-data formats, "Cloud boothook".

    Example:
        >>> text = boothook({"ADMIN_USERS": "", "IMDS_USERS": "", "ALLOW_TCP_FORWARDING": "yes"})
        >>> text.splitlines()[:2]
        ['#cloud-boothook', '#!/bin/sh']

    """
    for name, value in options.items():
        if not _OPTION.fullmatch(value):
            raise ValueError(
                f"{name} is {value!r}: only letters, digits, '_', '.', '-' and spaces are allowed "
                "in the boothook's options; check the value before it gets here"
            )
    settings = "".join(f"{name}='{value}'\n" for name, value in options.items())
    return f"#cloud-boothook\n#!/bin/sh\n{settings}{_program()}"
