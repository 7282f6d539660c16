"""`hardened-ec2 user-data`: the same hardening without the CDK."""

import base64
import sys
from pathlib import Path
from typing import Annotated, cast

import typer

from hardened_ec2.cli.streams import refuse, write_file, write_out
from hardened_ec2.host import HostHardening, Profile
from hardened_ec2.host.hardening import AllowTcpForwarding
from hardened_ec2.host.multipart import USER_DATA_LIMIT, user_data_size

_Names = list[str]
_FORMATS = ("text", "gzip", "base64")


def user_data(
    *,
    profile: Annotated[str, typer.Option(help="core, baseline or strict.")] = "baseline",
    admin_user: Annotated[
        _Names | None, typer.Option(help="A login that must stay able to log in; repeat it.")
    ] = None,
    admin_group: Annotated[
        _Names | None, typer.Option(help="A group of administrators, in place of users; repeat it.")
    ] = None,
    imds_user: Annotated[
        _Names | None, typer.Option(help="Who may reach the metadata beside root; repeat it.")
    ] = None,
    imds_container: Annotated[
        _Names | None,
        typer.Option(help="Interface or block whose containers may reach the metadata; repeat it."),
    ] = None,
    open_port: Annotated[
        _Names | None, typer.Option(help="A port that is served, such as 443/tcp; repeat it.")
    ] = None,
    without: Annotated[
        _Names | None, typer.Option(help="A control to leave out, by name; repeat it.")
    ] = None,
    allow_tcp_forwarding: Annotated[
        str | None, typer.Option(help="yes, local, remote or no.", show_default="by profile")
    ] = None,
    x11_forwarding: Annotated[bool, typer.Option(help="Whether sshd forwards X11.")] = False,
    ipv6: Annotated[bool, typer.Option(help="Whether the server speaks IPv6.")] = True,
    automatic_updates: Annotated[bool, typer.Option(help="Whether to apply updates.")] = True,
    audit: Annotated[
        bool | None,
        typer.Option(help="Whether to load the audit rules.", show_default="by profile"),
    ] = None,
    banner: Annotated[str, typer.Option(help="A notice before the login.")] = "",
    commands: Annotated[
        Path | None, typer.Option(help="A script of your own to run after the hardening.")
    ] = None,
    form: Annotated[
        str, typer.Option("--format", help="text; or gzip, smaller; or base64, of the gzip.")
    ] = "text",
    output: Annotated[
        Path | None, typer.Option(help="The file to write.", show_default="standard output")
    ] = None,
) -> None:
    """Print the user data that hardens a server, for Packer, Terraform or Image Builder.

    The text is what HostHardening(...).render() returns, gzip what compress() returns, and base64
    what a template of HardenedInstance carries; the same bytes for the same options.
    """
    try:
        script = "" if commands is None else commands.read_bytes().decode()
        hardening = HostHardening(
            profile=cast("Profile", profile),
            admin_users=admin_user or (),
            admin_groups=admin_group or (),
            imds_users=imds_user or (),
            imds_containers=imds_container or (),
            open_ports=open_port or (),
            without=without or (),
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
