"""The command `hardened-ec2`: the hardening and the policy without the CDK."""

from importlib.util import find_spec

if find_spec("typer") is None:
    raise SystemExit("hardened-ec2: the command needs typer: pip install 'hardened-ec2[cli]'")

import typer

from hardened_ec2.cli.check import check
from hardened_ec2.cli.rules import rules
from hardened_ec2.cli.user_data import user_data

app = typer.Typer(
    help="EC2 servers that are locked down by construction.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("check")(check)
app.command("rules")(rules)
app.command("user-data")(user_data)


def main() -> None:
    """Run the command."""
    app(prog_name="hardened-ec2")
