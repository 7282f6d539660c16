"""Runs of the boothook, as cloud-init extracts it from user data, and their status."""

import email
import json
import subprocess
from dataclasses import dataclass

from hardened_ec2.host import CONTROLS, HostHardening
from tests.host.machine import Machine

MARKER = "#cloud-boothook"
INSTANCE = "/var/lib/cloud/instances/i-0123456789abcdef0"
STATUS = "/var/lib/hardened-ec2/status.json"
BOOTHOOK = f"{INSTANCE}/boothooks/part-001"
FINISHED = "/var/lib/cloud/instance/boot-finished"


def core(**options: object) -> HostHardening:
    """Return the core alone: these machines have all that it needs."""
    rest = [control.name for control in CONTROLS if not control.core]
    return HostHardening(**{"profile": "core", "without": rest, **options})  # type: ignore[arg-type]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The outcome that one step reported."""

    outcome: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Run:
    """The result of one run of the boothook."""

    exit_code: int
    stdout: str
    stderr: str
    steps: dict[str, Outcome]

    @property
    def outcomes(self) -> dict[str, str]:
        return {name: step.outcome for name, step in self.steps.items()}


def boothook_of(user_data: str) -> str:
    """Return the boothook as cloud-init writes it to disk: decoded, without its first line."""
    part = email.message_from_string(user_data).get_payload(0)
    assert not isinstance(part, str)
    assert part.get_content_type() == "text/cloud-boothook"
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    text = payload.decode()
    assert text.startswith(MARKER)
    return text.removeprefix(MARKER).lstrip()


def run_command(
    host: Machine, hardening: HostHardening, *arguments: str
) -> "subprocess.CompletedProcess[str]":
    """Run the boothook from where cloud-init writes it."""
    host.write(BOOTHOOK, boothook_of(hardening.render()), 0o700)
    return host.run(BOOTHOOK, *arguments)


def boot(host: Machine, hardening: HostHardening | None = None) -> Run:
    """Run the boothook as cloud-init does."""
    return _read(host, run_command(host, hardening or core()))


def run(host: Machine, *argv: str) -> Run:
    """Run the installed program."""
    return _read(host, host.run(*argv))


def _read(host: Machine, done: "subprocess.CompletedProcess[str]") -> Run:
    status = json.loads(host.read(STATUS))
    steps = {
        step["name"]: Outcome(outcome=step["outcome"], reason=step["reason"])
        for step in status["steps"]
    }
    assert len(steps) == len(status["steps"])
    return Run(exit_code=done.returncode, stdout=done.stdout, stderr=done.stderr, steps=steps)
