"""The command `hardened-ec2`: the policy and the host hardening without the CDK."""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final

COMMANDS: Final = {
    "check": "judge CloudFormation templates, JSON or YAML",
    "rules": "print the rules of the policy",
    "user-data": "print user data that hardens a server",
}
"""The commands, each with its help. The module of the same name has a ``declare`` that adds the
options to a parser and sets ``run`` to the function that runs the command."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command.

    Args:
        arguments: The arguments after the command's name. Default: those of the process.

    Raises:
        SystemExit: With 2 for arguments it does not know, with 0 after help; otherwise with the
            exit code of the command.

    Example:
        >>> main(["check", "cdk.out", "--format", "json", "--output", "findings.json"])
        Traceback (most recent call last):
            ...
        SystemExit: 1
    """
    told = sys.argv[1:] if arguments is None else list(arguments)
    parser = argparse.ArgumentParser(
        prog="hardened-ec2",
        description="Check CloudFormation templates for exposed EC2 servers, and harden hosts.",
        epilog="hardened-ec2 COMMAND --help lists the options and exit codes of a command.",
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, what in COMMANDS.items():
        command = commands.add_parser(
            name,
            help=what,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        # Start-up takes most of a small check, so each command loads only its own module.
        if told[:1] == [name]:
            import_module(f"hardened_ec2.cli.{name.replace('-', '_')}").declare(command)
    options = vars(parser.parse_args(told or ["--help"]))
    options.pop("run")(**options)
