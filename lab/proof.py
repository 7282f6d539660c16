"""One proof: a server is booted, looked at, rebooted and looked at again."""

import json
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from lab.assembly import Server, synthesize
from lab.clients import Intruder, PasswordAttempt
from lab.commands import progress
from lab.guest import Guest, guest, key
from lab.image import CACHE, Distribution, Recipe, build_image
from lab.network import WHITELIST, network
from lab.observation import Observation, Plan, observe
from lab.requirements import SSH_AUDIT
from lab.security_group import Rule
from lab.server_image import CLERK, PASSWORD, careless

EVIDENCE = CACHE / "evidence"
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
class Proof:
    """What one server showed.

    Args:
        distribution: What it runs.
        seconds_to_login: From the switch to the administrator's first session.
        attempts: What the intruder tried from the first second on.
        observations: Phase to what was seen in it.
    """

    distribution: Distribution
    seconds_to_login: float
    attempts: tuple[PasswordAttempt, ...]
    observations: dict[str, Observation]


def hardened_server() -> Server:
    """Synthesize the reference app, with `COMMANDS` on its bastion, and return that bastion."""
    progress("synthesizing the reference app")
    with tempfile.TemporaryDirectory(prefix="hardened-ec2-") as folder:
        return synthesize(WHITELIST, COMMANDS, Path(folder) / "cdk.out")


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
        requests = stack.enter_context(
            net.services(
                user_data=server.user_data, public_key=admin.public, hop_limit=server.hop_limit
            )
        )
        yield stack.enter_context(
            guest(image, net, admin, requests, EVIDENCE / f"{name}.console.log")
        )


def prove(
    name: str, distribution: Distribution, server: Server, *, phases: tuple[str, ...]
) -> Proof:
    """Boot a server and look at it.

    Args:
        name: What the evidence is called.
        distribution: What it runs.
        server: Its user data and its security group.
        phases: `FIRST_BOOT`, and `REBOOT` after it if wanted.

    Returns:
        What it showed.
    """
    observations = {}
    EVIDENCE.mkdir(parents=True, exist_ok=True)
    with running(name, distribution, server) as machine:
        intruder = Intruder(machine, CLERK, PASSWORD)
        progress(f"{name}: switched on")
        machine.switch_on()
        with intruder.at_work():
            seconds = machine.wait_for_login()
            progress(f"{name}: the administrator is in after {seconds:.0f} s")
            machine.wait_until_booted()
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
            observations[phase] = observe(machine, _plan(name, distribution, server, phase))
            evidence = EVIDENCE / f"{name}, {phase}.json"
            evidence.write_text(json.dumps(asdict(observations[phase]), indent=1), encoding="utf-8")
    return Proof(
        distribution=distribution,
        seconds_to_login=seconds,
        attempts=tuple(intruder.attempts),
        observations=observations,
    )


def _plan(name: str, distribution: Distribution, server: Server, phase: str) -> Plan:
    """Say what to look at: without a lock there is nothing to undo."""
    disturbances = {
        "nft flush ruleset": "nft flush ruleset",
        "systemctl restart nftables": "systemctl restart nftables.service",
        "networking restarted": f"systemctl restart {distribution.networking_service}",
    }
    if phase == REBOOT:
        disturbances["our table deleted"] = "nft delete table inet hardened_ec2_imds"
    return Plan(
        name=name,
        canary=CANARY,
        password_user=CLERK,
        password=PASSWORD,
        root_key=key("root"),
        ssh_audit=SSH_AUDIT,
        disturbances={} if server.user_data == UNHARDENED else disturbances,
    )
