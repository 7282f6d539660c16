"""Running the delivered text: what cloud-init takes out of the user data, and what it reports."""

import email
from dataclasses import dataclass

from hardened_ec2.host import HostHardening
from tests.host.machine import Machine

MARKER = "#cloud-boothook"
INSTANCE = "/var/lib/cloud/instances/i-0123456789abcdef0"
BOOTHOOK = f"{INSTANCE}/boothooks/part-001"
FINISHED = "/var/lib/cloud/instance/boot-finished"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one step said of itself."""

    outcome: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Run:
    """What one run of the boothook left behind."""

    exit_code: int
    stdout: str
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


def boot(host: Machine, hardening: HostHardening | None = None, *, replace: str = "") -> Run:
    """Run the boothook as cloud-init does."""
    host.write(BOOTHOOK, boothook_of((hardening or HostHardening()).render()), 0o700)
    return run(host, BOOTHOOK)


def run(host: Machine, *argv: str) -> Run:
    """Run the program, delivered or installed, and read its status."""
    done = host.run(*argv)
    steps = {}
    for line in host.read("/var/lib/hardened-ec2/status").splitlines():
        outcome, name, reason = line.split(" ", 2)
        steps[name] = Outcome(outcome=outcome, reason=reason)
    return Run(exit_code=done.returncode, stdout=done.stdout, steps=steps)
