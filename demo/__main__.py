"""`make try`: one hardened server from synthesis to read-back, on this machine.

    python -m demo

Synthesizes the reference app with the real CDK CLI and shows what the policy packs say, deploys it
with the same CLI to an emulator of AWS on loopback, reads the deployed state back, and says of each
lock whether it holds. Exits with 1 if one does not. Needs no AWS account and uses none.

Environment:
    SSH_WHITELIST: Who may reach the bastion's port 22, as addresses and CIDR blocks separated by
        commas. Default: 203.0.113.7/32, an address for documentation. Empty: no bastion.
    EMULATOR_PORT: The port that the emulator listens on. Default: a free one.
"""

import os
import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import NoReturn

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from demo.assembly import synthesize
from demo.aws_reader import read_deployment
from demo.cdk_cli import CdkCli, CdkCliError
from demo.display import complain, report, show_verdict, step
from demo.emulator import EmulatorNotStartedError, run_emulator
from demo.isolation import NO_ENDPOINT, ROOT, isolate
from demo.read_back import Expectation, Row, judge
from demo.verdict import read_verdict
from hardened_ec2.addresses import AddressSet

BASTION_STACK = "HardenedEc2Bastion"
PACKS = ("HardenedEc2", "AwsSolutions", "NIST.800.53.R5")
"""Policy packs that app.py adds; the report leaves out a pack without findings."""

_DEFAULT_WHITELIST = "203.0.113.7/32"
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_HIGHEST_PORT = 65535
_PIPE_WIDTH = 140


def main() -> int:
    """Run every step.

    Returns:
        0 if every lock holds, 1 if one does not or a step failed, 2 if a setting is wrong, 130 if
        interrupted.
    """
    # A terminal reports its width; a pipe has none.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH)
    for number in _SIGNALS:
        signal.signal(number, _interrupt)
    whitelist = os.environ.get("SSH_WHITELIST", _DEFAULT_WHITELIST)
    try:
        port = _read_port(os.environ.get("EMULATOR_PORT", "0"))
        expectation = _expect(whitelist)
    except ValueError as error:
        complain(console, error)
        return 2
    (ROOT / "build").mkdir(exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix="try-", dir=ROOT / "build") as folder:
            rows = _run(console, Path(folder), whitelist, port, expectation)
    except (CdkCliError, EmulatorNotStartedError, BotoCoreError, ClientError) as error:
        complain(console, error)
        return 1
    except KeyboardInterrupt:
        complain(console, "Interrupted: nothing is left running, and no partial result is kept.")
        return 130
    return report(console, rows)


def _run(
    console: Console, folder: Path, whitelist: str, port: int, expectation: Expectation
) -> tuple[Row, ...]:
    # From here on neither this process nor its children can reach an AWS account.
    isolated = isolate(os.environ, folder, NO_ENDPOINT)
    os.environ.clear()
    os.environ.update(isolated)
    with step(console, "Synthesized and judged by the policy packs: cdk synth") as notes:
        assembly = synthesize(CdkCli(folder), {"ssh_whitelist": whitelist} if whitelist else {})
        if assembly.reused:
            notes.append("unchanged since the last run")
    show_verdict(console, read_verdict(assembly.folder), PACKS)
    with ExitStack() as stack:
        with step(console, "Started the local AWS emulator: moto"):
            # Kept after the run, to see why a deployment failed.
            endpoint = stack.enter_context(run_emulator(ROOT / "build" / "emulator.log", port))
        cli = CdkCli(folder, endpoint)
        with step(console, "Bootstrapped the empty account: cdk bootstrap"):
            cli.bootstrap()
        templates = assembly.templates()
        with step(console, f"Deployed {', '.join(templates)}: cdk deploy --all"):
            cli.deploy(assembly.folder)
        with step(console, "Read the deployed state back: boto3"):
            deployment = read_deployment(boto3.Session(), endpoint, templates)
    if deployment.missing:
        console.print(f"  The emulator cannot create: {', '.join(deployment.missing)}")
    return judge(deployment, expectation)


def _expect(whitelist: str) -> Expectation:
    networks = [each.strip() for each in whitelist.split(",")] if whitelist else []
    try:
        ssh_from = AddressSet.of(*networks)
    except ValueError as error:
        raise ValueError(f"SSH_WHITELIST: {error}") from None
    return Expectation(
        ssh_from=ssh_from, public_stacks=frozenset({BASTION_STACK} if whitelist else ())
    )


def _read_port(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or int(text) > _HIGHEST_PORT:
        raise ValueError(
            f"EMULATOR_PORT is {text!r}: write a port from 1 to {_HIGHEST_PORT}, or leave it unset "
            "to take a free one"
        )
    return int(text)


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    # A second Ctrl-C must not interrupt the shutdown.
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
