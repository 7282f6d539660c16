"""One proof: a server is booted, observed, rebooted and observed again."""

import json
import secrets
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from hardened_ec2.host.controls.types import Profile
from lab.commands import progress
from lab.machines.careless_image import CLERK, PASSWORD
from lab.machines.distribution import Distribution
from lab.machines.guest import key
from lab.machines.network import WHITELIST
from lab.machines.server import running
from lab.paths import EVIDENCE
from lab.probes.clients import Intruder, PasswordAttempt
from lab.probes.control_checks import questions
from lab.probes.observation import Observation, Plan, observe
from lab.requirements import SSH_AUDIT
from lab.template.assembly import Server, synthesize
from lab.template.security_group import OPEN_TO_ALL

FIRST_BOOT, REBOOT = "first boot", "after a reboot"

CANARY = f"canary-{secrets.token_hex(16)}"
"""The secret in the user data, new in every run, so that a trace of an earlier run is not found.

It does not look like a secret, which synth would refuse.
"""
COMMANDS = (
    "umask 077",
    f"echo {CANARY} >/etc/application.conf",
)
"""The user's own commands: a secret in user data, written as carefully as user data can."""

UNHARDENED = b"#!/bin/bash\n" + "".join(f"{command}\n" for command in COMMANDS).encode()
"""The same commands without the hardening: user data of the negative control."""

_PLANTED = "PasswordAuthentication yes\nPermitRootLogin yes\n"


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A server under proof.

    Args:
        distribution: Its Debian release.
        profile: Its hardening profile; None for the bare server, the negative control.
    """

    distribution: Distribution
    profile: Profile | None

    @property
    def name(self) -> str:
        """The folder of its evidence."""
        return f"{self.distribution.suite}-{self.profile or 'bare'}"

    @property
    def title(self) -> str:
        """Its name in reports."""
        return f"{self.distribution.title} {self.profile or 'bare'}"


@dataclass(frozen=True, kw_only=True)
class Timing:
    """The duration of a first boot.

    Args:
        login_seconds: From power-on to the administrator's first session.
        login_cpu_seconds: QEMU's CPU time until then.
        booted_seconds: From power-on to the end of cloud-init and of systemd's boot.
        booted_cpu_seconds: QEMU's CPU time until then.
    """

    login_seconds: float
    login_cpu_seconds: float
    booted_seconds: float
    booted_cpu_seconds: float


@dataclass(frozen=True, kw_only=True)
class Proof:
    """The observations of one server.

    Args:
        subject: The server.
        timing: The duration of its first boot.
        attempts: The intruder's password attempts during the first boot.
        observations: Phase to observation.
    """

    subject: Subject
    timing: Timing
    attempts: tuple[PasswordAttempt, ...]
    observations: dict[str, Observation]


def hardened_server(profile: Profile) -> Server:
    """Synthesize the reference app and return its bastion, with `COMMANDS` in its user data.

    Args:
        profile: The bastion's hardening profile.

    Raises:
        LabError: If the app fails.
    """
    progress(f"synthesizing the reference app, profile {profile}")
    with tempfile.TemporaryDirectory(prefix="hardened-ec2-") as folder:
        return synthesize(WHITELIST, profile, COMMANDS, Path(folder) / "cdk.out")


def unhardened(server: Server) -> Server:
    """Return the same server without hardening, behind a security group that is open to all.

    Args:
        server: The hardened server.
    """
    return replace(server, user_data=UNHARDENED, ingress=(OPEN_TO_ALL,))


def prove(subject: Subject, server: Server, *, phases: tuple[str, ...]) -> Proof:
    """Boot a server and observe it.

    Args:
        subject: The server under proof.
        server: Its user data, security group rules and IMDS hop limit.
        phases: `FIRST_BOOT`, optionally followed by `REBOOT`.

    Raises:
        LabError: If the lab fails, or the administrator cannot log in.
    """
    observations = {}
    name = subject.title
    folder = EVIDENCE / subject.name
    folder.mkdir(parents=True, exist_ok=True)
    with running(subject.name, subject.distribution, server) as machine:
        intruder = Intruder(machine, CLERK, PASSWORD)
        progress(f"{name}: powered on")
        machine.power_on()
        with intruder.at_work():
            login = machine.wait_for_login()
            login_cpu = machine.cpu_seconds()
            progress(f"{name}: the administrator logged in after {login:.0f} s")
            machine.wait_until_booted()
            timing = Timing(
                login_seconds=round(login, 1),
                login_cpu_seconds=round(login_cpu, 1),
                booted_seconds=round(time.monotonic() - machine.powered_on, 1),
                booted_cpu_seconds=round(machine.cpu_seconds(), 1),
            )
        progress(f"{name}: booted, {len(intruder.attempts)} passwords tried")
        for phase in phases:
            if phase == REBOOT:
                # cloud-init may write this file, which sorts after the hardening's own.
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
    """Return the plan of a phase. A bare server has no lock to disturb."""
    disturbances = {
        "systemctl restart nftables": "systemctl restart nftables.service",
        "networking restarted": f"systemctl restart {subject.distribution.networking_service}",
    }
    # Each of these two waits a minute for the timer, so each phase has one.
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
