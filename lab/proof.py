"""One proof: a server is booted, looked at, rebooted and looked at again."""

import json
import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from hardened_ec2.host.controls.types import Profile
from lab.assembly import Server, synthesize
from lab.checks import questions
from lab.clients import Intruder, PasswordAttempt
from lab.commands import progress
from lab.guest import Guest, guest, key
from lab.image import Distribution, Recipe, build_image
from lab.network import WHITELIST, network
from lab.observation import Observation, Plan, observe
from lab.requirements import SSH_AUDIT
from lab.security_group import Rule
from lab.server_image import CLERK, PASSWORD, careless

EVIDENCE = Path(__file__).resolve().parents[1] / "build" / "lab" / "evidence"
"""Console logs and everything that was seen, of the last run."""

FIRST_BOOT, REBOOT = "first boot", "after a reboot"

CANARY = f"canary-{secrets.token_hex(16)}"
"""The secret in the user's commands; another one in each run, so that no old trace is found.

It does not look like one: what does is refused at synth.
"""
COMMANDS = (
    "umask 077",
    f"echo {CANARY} >/etc/application.conf",
)
"""What a user might do: a secret in user data, handled as well as one can from there."""

UNHARDENED = b"#!/bin/bash\n" + "".join(f"{command}\n" for command in COMMANDS).encode()
"""The same commands without the hardening: the negative control."""

_PLANTED = "PasswordAuthentication yes\nPermitRootLogin yes\n"


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A server that something is proven of.

    Args:
        distribution: What it runs.
        profile: How much of the hardening it has; None for none, the negative control.
    """

    distribution: Distribution
    profile: Profile | None

    @property
    def name(self) -> str:
        """What its evidence is called."""
        return f"{self.distribution.suite}-{self.profile or 'bare'}"

    @property
    def title(self) -> str:
        """What people call it."""
        return f"{self.distribution.title} {self.profile or 'bare'}"


@dataclass(frozen=True, kw_only=True)
class Timing:
    """How long the first boot took.

    Args:
        login_seconds: From the switch to the administrator's first session.
        login_cpu_seconds: The time that the machine took of this computer's processor until then.
        booted_seconds: To the end of the boot, with cloud-init and the user's commands done.
        booted_cpu_seconds: The same, of the processor's time.
    """

    login_seconds: float
    login_cpu_seconds: float
    booted_seconds: float
    booted_cpu_seconds: float


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What one server showed.

    Args:
        subject: The server.
        timing: Of its first boot.
        attempts: What the intruder tried from the first second on.
        observations: Phase to what was seen in it.
    """

    subject: Subject
    timing: Timing
    attempts: tuple[PasswordAttempt, ...]
    observations: dict[str, Observation]


def hardened_server(profile: Profile) -> Server:
    """Synthesize the reference app and return its bastion, with `COMMANDS` on it.

    Args:
        profile: How much of the host's hardening it has.
    """
    progress(f"synthesizing the reference app, profile {profile}")
    with tempfile.TemporaryDirectory(prefix="hardened-ec2-") as folder:
        return synthesize(WHITELIST, profile, COMMANDS, Path(folder) / "cdk.out")


def unhardened(server: Server) -> Server:
    """Return the same server without hardening, behind a security group that lets all in."""
    (some, *_) = server.ingress
    everybody = Rule(protocol="-1", ports=None, addresses=some.addresses.supernet(new_prefix=0))
    return replace(server, user_data=UNHARDENED, ingress=(everybody,))


@contextmanager
def running(
    name: str, distribution: Distribution, server: Server, recipe: Recipe | None = None
) -> Iterator[Guest]:
    """Give a server in its network, still switched off.

    Args:
        name: What its console log is called.
        distribution: What it runs.
        server: Its user data and its security group.
        recipe: What its image has. Default: `careless`.
    """
    image = build_image(distribution, recipe or careless())
    admin = key("admin")
    with ExitStack() as stack:
        net = stack.enter_context(network(server.ingress, server.egress))
        stack.enter_context(
            net.services(
                user_data=server.user_data, public_key=admin.public, hop_limit=server.hop_limit
            )
        )
        yield stack.enter_context(guest(image, net, admin, EVIDENCE / name / "console.log"))


def prove(subject: Subject, server: Server, *, phases: tuple[str, ...]) -> Proof:
    """Boot a server and look at it.

    Args:
        subject: Which one.
        server: Its user data and its security group.
        phases: `FIRST_BOOT`, and `REBOOT` after it if wanted.

    Returns:
        What it showed.
    """
    observations = {}
    name = subject.title
    folder = EVIDENCE / subject.name
    folder.mkdir(parents=True, exist_ok=True)
    with running(subject.name, subject.distribution, server) as machine:
        intruder = Intruder(machine, CLERK, PASSWORD)
        progress(f"{name}: switched on")
        machine.switch_on()
        with intruder.at_work():
            login = machine.wait_for_login()
            login_cpu = machine.cpu_seconds()
            progress(f"{name}: the administrator is in after {login:.0f} s")
            machine.wait_until_booted()
            timing = Timing(
                login_seconds=round(login, 1),
                login_cpu_seconds=round(login_cpu, 1),
                booted_seconds=round(time.monotonic() - machine.switched_on, 1),
                booted_cpu_seconds=round(machine.cpu_seconds(), 1),
            )
        progress(f"{name}: booted, {len(intruder.attempts)} passwords tried")
        for phase in phases:
            if phase == REBOOT:
                # What cloud-init or a careless administrator may write, after ours in the alphabet.
                machine.root(
                    "cat >/etc/ssh/sshd_config.d/50-cloud-init.conf <<'END'\n" + _PLANTED + "END\n"
                )
                seconds_back = machine.reboot()
                machine.wait_until_booted()
                progress(f"{name}: rebooted in {seconds_back:.0f} s")
            observations[phase] = observe(machine, _plan(subject, phase))
            evidence = folder / f"{phase}.json"
            evidence.write_text(json.dumps(asdict(observations[phase]), indent=1), encoding="utf-8")
    return Proof(
        subject=subject,
        timing=timing,
        attempts=tuple(intruder.attempts),
        observations=observations,
    )


def _plan(subject: Subject, phase: str) -> Plan:
    """Say what to look at: without a lock there is nothing to undo."""
    disturbances = {
        "systemctl restart nftables": "systemctl restart nftables.service",
        "networking restarted": f"systemctl restart {subject.distribution.networking_service}",
    }
    # These two wait for the timer: one in each phase.
    if phase == FIRST_BOOT:
        disturbances["nft flush ruleset"] = "nft flush ruleset"
    else:
        disturbances["our table deleted"] = "nft delete table inet hardened_ec2_imds"
    return Plan(
        name=subject.title,
        canary=CANARY,
        password_user=CLERK,
        password=PASSWORD,
        root_key=key("root"),
        ssh_audit=SSH_AUDIT,
        disturbances=disturbances if subject.profile else {},
        checks=questions(subject.profile),
    )
