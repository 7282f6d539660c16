"""The pinned CDK CLI, run in the environment of `isolation`, which reaches no AWS account."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from demo.isolation import ACCOUNT, NO_ENDPOINT, REGION, ROOT, isolate

_DEPLOY_FLAGS = (
    # A change set would be emulated too, and less faithfully than CreateStack.
    "--method=direct",
    "--require-approval=never",
    "--concurrency=1",
)
_STOP_SECONDS = 5.0


class CdkCliError(Exception):
    """The CLI is not installed or failed; the message has its output."""


@dataclass(frozen=True)
class CdkCli:
    """The CDK CLI with its own working folder.

    Args:
        folder: An existing folder for its home, log and scratch files; the caller removes it.
        endpoint: The emulator's address.
    """

    folder: Path
    endpoint: str = NO_ENDPOINT

    def synth(self, output: Path, context: Mapping[str, str], *, app_folder: Path = ROOT) -> None:
        """Synthesize an app, with every policy pack it has.

        Args:
            output: Where the assembly goes, the validation report with it.
            context: Context values, as with ``--context``.
            app_folder: Holds cdk.json.

        Raises:
            CdkCliError: If the app failed or a pack refused it.
        """
        values = [f"--context={key}={value}" for key, value in context.items()]
        self._run("synth", "--quiet", f"--output={output}", *values, working_folder=app_folder)

    def bootstrap(self) -> None:
        """Bootstrap the emulated account: bucket, roles and version parameter.

        Raises:
            CdkCliError: If the CLI failed.
        """
        # Run in a folder without an app, so that the CLI does not synthesize one first.
        self._run("bootstrap", f"aws://{ACCOUNT}/{REGION}", working_folder=self.folder)

    def deploy(self, assembly: Path) -> None:
        """Deploy every stack of an assembly.

        Args:
            assembly: What `synth` wrote.

        Raises:
            CdkCliError: If a stack could not be created.
        """
        self._run(
            *("deploy", "--all", f"--app={assembly}", *_DEPLOY_FLAGS),
            f"--outputs-file={self.folder / 'outputs.json'}",
            working_folder=self.folder,
        )

    def _run(self, *arguments: str, working_folder: Path) -> None:
        cli = ROOT / "node_modules" / ".bin" / "cdk"
        node = ROOT / ".venv" / "bin" / "node"
        for tool in (cli, node):
            if not tool.exists():
                raise CdkCliError(
                    f"{tool.relative_to(ROOT)} is missing: run `make try`, which installs it, "
                    "rather than `python -m demo`"
                )
        log = self.folder / f"cdk-{arguments[0]}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603 (the pinned CLI on the pinned node)
                [str(node), str(cli), *arguments, "--no-notices", "--no-color", "--ci"],
                cwd=working_folder,
                env=isolate(os.environ, self.folder, self.endpoint),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # A group of its own, so that the CLI is stopped together with its children.
                start_new_session=True,
            )
            try:
                code = process.wait()
            except BaseException:
                _end_group(process)
                raise
        if code:
            said = log.read_text(encoding="utf-8", errors="replace").strip()
            raise CdkCliError(f"cdk {arguments[0]} ended with exit code {code}:\n{said}")


def _end_group(process: "subprocess.Popen[bytes]") -> None:
    """Terminate a process and its descendants, and kill those that do not end."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_SECONDS)
