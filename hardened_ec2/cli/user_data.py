"""`hardened-ec2 user-data`: the same hardening without the CDK."""

import argparse
import base64
import inspect
import sys
from pathlib import Path
from typing import cast

from hardened_ec2.cli.streams import refuse, write_file, write_out
from hardened_ec2.host import HostHardening, Profile
from hardened_ec2.host.hardening import AllowTcpForwarding
from hardened_ec2.host.multipart import USER_DATA_LIMIT, user_data_size

_FORMATS = ("text", "gzip", "base64")


def declare(parser: argparse.ArgumentParser) -> None:
    """Add the command's options to its parser."""
    parser.description = inspect.getdoc(user_data)
    parser.set_defaults(run=user_data)
    parser.add_argument("--profile", default="baseline", help="core, baseline or strict")
    for option, metavar, what in (
        ("--admin-user", "NAME", "a login that must stay able to log in; repeat it"),
        ("--admin-group", "NAME", "a group of administrators, in place of users; repeat it"),
        ("--imds-user", "NAME", "who may reach the metadata beside root; repeat it"),
        (
            "--imds-container",
            "NAME",
            "interface or block whose containers may reach the metadata; repeat it",
        ),
        ("--open-port", "PORT", "a port that is served, such as 443/tcp; repeat it"),
        ("--without", "CONTROL", "a control to leave out, by name; repeat it"),
    ):
        parser.add_argument(option, action="append", default=[], metavar=metavar, help=what)
    parser.add_argument(
        "--allow-tcp-forwarding",
        metavar="FORM",
        help="yes, local, remote or no; by profile if not given",
    )
    for option, default, what in (
        ("--x11-forwarding", False, "whether sshd forwards X11"),
        ("--ipv6", True, "whether the server speaks IPv6"),
        ("--automatic-updates", True, "whether to apply updates"),
        ("--audit", None, "whether to load the audit rules; by profile if not given"),
    ):
        parser.add_argument(
            option, action=argparse.BooleanOptionalAction, default=default, help=what
        )
    parser.add_argument("--banner", default="", metavar="TEXT", help="a notice before the login")
    parser.add_argument(
        "--commands",
        type=Path,
        metavar="FILE",
        help="a script of your own to run after the hardening",
    )
    parser.add_argument(
        "--format",
        dest="form",
        default="text",
        metavar="FORMAT",
        help="text; or gzip, smaller; or base64, of the gzip",
    )
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="the file to write, in place of standard output"
    )


def user_data(
    *,
    profile: str,
    admin_user: list[str],
    admin_group: list[str],
    imds_user: list[str],
    imds_container: list[str],
    open_port: list[str],
    without: list[str],
    allow_tcp_forwarding: str | None,
    x11_forwarding: bool,
    ipv6: bool,
    automatic_updates: bool,
    audit: bool | None,
    banner: str,
    commands: Path | None,
    form: str,
    output: Path | None,
) -> None:
    """Print the user data that hardens a server, for Packer, Terraform or Image Builder.

    The text is what HostHardening(...).render() returns, gzip what compress() returns, and base64
    what a template of HardenedInstance carries; the same bytes for the same options.
    """
    try:
        script = "" if commands is None else commands.read_bytes().decode()
        hardening = HostHardening(
            profile=cast("Profile", profile),
            admin_users=admin_user,
            admin_groups=admin_group,
            imds_users=imds_user,
            imds_containers=imds_container,
            open_ports=open_port,
            without=without,
            allow_tcp_forwarding=cast("AllowTcpForwarding | None", allow_tcp_forwarding),
            x11_forwarding=x11_forwarding,
            ipv6=ipv6,
            automatic_updates=automatic_updates,
            audit=audit,
            banner=banner,
        )
        content = _formatted(hardening, script, form, terminal=output is None)
        if output is None:
            write_out(content)
        else:
            write_file(output, content)
    except UnicodeDecodeError as error:
        refuse(f"{commands} is no text in UTF-8: {error.reason} at byte {error.start}")
    except OSError as error:
        refuse(f"{error.filename or output or 'standard output'}: {error.strerror}")
    except ValueError as error:
        refuse(str(error))


def _formatted(hardening: HostHardening, script: str, form: str, *, terminal: bool) -> bytes:
    if form not in _FORMATS:
        raise ValueError(f"--format is {form!r}: write one of {', '.join(_FORMATS)}")
    if form == "gzip" and terminal and sys.stdout.isatty():
        raise ValueError("gzip is nothing for a terminal: write --output FILE, or base64")
    content = hardening.render(script).encode() if form == "text" else hardening.compress(script)
    _refuse_oversize(content, form)
    return base64.b64encode(content) if form == "base64" else content


def _refuse_oversize(content: bytes, form: str) -> None:
    size = user_data_size(content)
    if size > USER_DATA_LIMIT:
        smaller = "write --format gzip, " if form == "text" else ""
        raise ValueError(
            f"the user data has {size:,} bytes where EC2 takes {USER_DATA_LIMIT:,}: {smaller}bake "
            "the commands into the image, or keep them in S3 and fetch them"
        )
