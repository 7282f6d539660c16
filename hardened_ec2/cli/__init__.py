"""The command `hardened-ec2`: the hardening and the policy without the CDK."""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final

COMMANDS: Final = {
    "check": "judge CloudFormation templates, JSON or YAML",
    "rules": "print what the policy judges by",
    "user-data": "print the user data that hardens a server",
}
"""The commands. Each has a module of its name beside this one, whose ``declare`` adds its options
to a parser and sets ``run`` to what it does."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command.

    Args:
        arguments: What stands after its name. Default: those of the process.

    Raises:
        SystemExit: With 2 if the arguments are none that it knows, with 0 after a help; otherwise
            with what the command ends with.

    Example:
        >>> main(["check", "cdk.out", "--format", "json", "--output", "findings.json"])
        Traceback (most recent call last):
            ...
        SystemExit: 1
    """
    told = sys.argv[1:] if arguments is None else list(arguments)
    parser = argparse.ArgumentParser(
        prog="hardened-ec2",
        description="EC2 servers that are locked down by construction.",
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
        # Most of a small check's time is start-up: no command loads what another one needs.
        if told[:1] == [name]:
            import_module(f"hardened_ec2.cli.{name.replace('-', '_')}").declare(command)
    options = vars(parser.parse_args(told or ["--help"]))
    options.pop("run")(**options)
