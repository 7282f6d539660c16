"""`hardened-ec2 user-data`: user data with the host hardening, without the CDK."""

import argparse
import base64
import inspect
import re
import shlex
import sys
from pathlib import Path
from typing import Any, Final

from hardened_ec2.cli.streams import read, refuse, write
from hardened_ec2.host import HostHardening
from hardened_ec2.host.multipart import USER_DATA_LIMIT, user_data_size

_FORMATS = ("text", "gzip", "base64")
_ARGUMENTS: Final = {
    "profile": "profile",
    "admin_user": "admin_users",
    "admin_group": "admin_groups",
    "imds_user": "imds_users",
    "imds_container": "imds_containers",
    "open_port": "open_ports",
    "without": "without",
    "allow_tcp_forwarding": "allow_tcp_forwarding",
    "x11_forwarding": "x11_forwarding",
    "ipv6": "ipv6",
    "automatic_updates": "automatic_updates",
    "audit": "audit",
    "banner": "banner",
}
"""The argument of `HostHardening` that each option sets."""


def declare(parser: argparse.ArgumentParser) -> None:
    """Add the command's options to its parser."""
    parser.description = inspect.getdoc(user_data)
    parser.set_defaults(run=user_data)
    parser.add_argument(
        "--profile",
        default="baseline",
        metavar="PROFILE",
        help="core, baseline or strict (default: baseline)",
    )
    for option, metavar, what in (
        ("--admin-user", "NAME", "a user who must keep key access over SSH; repeatable"),
        ("--admin-group", "NAME", "a group of which one member must keep key access; repeatable"),
        ("--imds-user", "NAME", "a user who may reach IMDS, besides root; repeatable"),
        (
            "--imds-container",
            "NAME",
            "an interface or CIDR block whose containers may reach IMDS; repeatable",
        ),
        ("--open-port", "PORT", "a port that the server serves, such as 443/tcp; repeatable"),
        ("--without", "CONTROL", "a host control to leave out; repeatable"),
    ):
        parser.add_argument(option, action="append", default=[], metavar=metavar, help=what)
    parser.add_argument(
        "--allow-tcp-forwarding",
        metavar="FORM",
        help="yes, local, remote or no (default: set by the profile)",
    )
    for option, default, what in (
        ("--x11-forwarding", False, "whether sshd forwards X11"),
        ("--ipv6", True, "whether the server uses IPv6"),
        ("--automatic-updates", True, "whether security updates are installed automatically"),
        ("--audit", None, "whether audit rules are loaded (default: set by the profile)"),
    ):
        parser.add_argument(
            option, action=argparse.BooleanOptionalAction, default=default, help=what
        )
    parser.add_argument(
        "--banner", default="", metavar="TEXT", help="the notice that sshd shows before login"
    )
    parser.add_argument(
        "--commands",
        type=Path,
        metavar="FILE",
        help="read a script that runs after the hardening from FILE",
    )
    parser.add_argument(
        "--format",
        dest="form",
        default="text",
        metavar="FORMAT",
        help="text, gzip, or base64 of the gzip (default: text)",
    )
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="write to FILE instead of standard output"
    )


def user_data(
    *,
    commands: Path | None,
    form: str,
    output: Path | None,
    **options: Any,  # noqa: ANN401 - the arguments of HostHardening, which checks them
) -> None:
    """Print user data that hardens a server, for Packer, Terraform or Image Builder.

    Reads the script that --commands names. Writes the user data to standard output
    or --output. The same options always give the same bytes: text is the result of
    HostHardening.render(), gzip that of compress(), and base64 is what a template
    of HardenedInstance contains.

    Exit codes:
      0  the user data is written
      2  an option or a file cannot be used
    """
    try:
        script = "" if commands is None else read("--commands", _script, commands)
        content = _formatted(_hardening(options), script, form, terminal=output is None)
        write(content, output)
    except ValueError as error:
        refuse(str(error))


def _script(path: Path) -> str:
    return path.read_bytes().decode()


def _hardening(options: dict[str, Any]) -> HostHardening:
    try:
        return HostHardening(**{_ARGUMENTS[name]: value for name, value in options.items()})
    except ValueError as error:
        raise ValueError(_in_options(str(error))) from None


def _in_options(message: str) -> str:
    """Name the options in a message that names the arguments of `HostHardening`."""
    message, _, _ = message.partition(", or write host_hardening=")
    options = {name: f"--{option.replace('_', '-')}" for option, name in _ARGUMENTS.items()}
    names = "|".join(options)
    message = re.sub(
        rf"\b({names})=\[?'([^']*)'\]?",
        lambda found: f"{options[found[1]]} {shlex.quote(found[2])}",
        message,
    )
    message = re.sub(
        rf"(?<![-\w])({names})(?= is | contains |: |$| out$)",
        lambda found: options[found[1]],
        message,
    )
    return re.sub(r"\['([^']*)'\]", r"\1", message)


def _formatted(hardening: HostHardening, script: str, form: str, *, terminal: bool) -> bytes:
    if form not in _FORMATS:
        raise ValueError(f"--format is {form!r}: write one of {', '.join(_FORMATS)}")
    if form == "gzip" and terminal and sys.stdout.isatty():
        raise ValueError(
            "--format gzip cannot be written to a terminal: write --output FILE, or --format base64"
        )
    try:
        text = hardening.render(script)
    except ValueError as error:
        raise ValueError(f"--commands: {error}") from None
    content = text.encode() if form == "text" else hardening.compress(script)
    _refuse_oversize(content, form)
    return base64.b64encode(content) if form == "base64" else content


def _refuse_oversize(content: bytes, form: str) -> None:
    size = user_data_size(content)
    if size > USER_DATA_LIMIT:
        smaller = "write --format gzip, " if form == "text" else ""
        raise ValueError(
            f"the user data is {size:,} bytes, EC2 accepts {USER_DATA_LIMIT:,}: {smaller}build the "
            "commands into the image, or keep them in Amazon S3 and fetch them"
        )
