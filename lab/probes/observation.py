"""The observation of a running server: what clients see, and what the server says of itself."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.commands import progress
from lab.machines.guest import ADMIN, Guest, Key
from lab.probes.clients import (
    Forwarding,
    forwarding,
    key_login,
    open_ports,
    password_login,
    settled,
    ssh_audit,
)
from lab.probes.control_checks import Outcome, Question, check
from lab.probes.disturbances import Disturbance, disturb
from lab.probes.metadata_requests import NOBODY, Attempt, later_user, survey
from lab.probes.programs import ask

MODES = (
    *("/var/lib/cloud/**", "/run/cloud-init/**", "/var/log/cloud-init*", "/etc/ssh/**"),
    *("/var/lib/hardened-ec2/**", "/etc/sudoers.d/*", "/usr/local/sbin/hardened-ec2"),
)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to observe.

    Args:
        name: The server's name in progress messages.
        canary: The secret in the user's own commands.
        password_user: A user with a known password.
        password: The password of that user and of root.
        root_key: The key pair in root's authorized_keys.
        ssh_audit: The path of ssh-audit.
        disturbances: Name to the shell command that removes the lock. Default: none.
        checks: Checks of controls. Default: none.
    """

    name: str
    canary: str
    password_user: str
    password: str
    root_key: Key
    ssh_audit: Path
    disturbances: Mapping[str, str] = field(default_factory=dict)
    checks: Sequence[Question] = ()


@dataclass(frozen=True, kw_only=True)
class Observation:
    """The observation of one server in one phase.

    Args:
        outside: Open TCP ports, from outside the whitelist.
        inside: Open TCP ports, from inside the whitelist.
        logins: Kind of login to outcome.
        forwarding: Targets of SSH forwarding.
        audit: ssh-audit's levels, each with its algorithms.
        metadata: Requests of users in the guest.
        container: Requests from a forwarded network.
        session: Requests of root in the administrator's login session, through sudo.
        later_user: Requests of an allowed user that was added a moment ago.
        canary: Searching user to the readable places that hold the secret.
        facts: The system's own state, from `lab.inside.facts`.
        checks: Outcomes of the checks of controls.
        disturbances: Name to removal of the lock.
        console: The serial console's output.
    """

    outside: tuple[int, ...]
    inside: tuple[int, ...]
    logins: Mapping[str, str]
    forwarding: Forwarding
    audit: Mapping[str, tuple[str, ...]]
    metadata: tuple[Attempt, ...]
    container: tuple[Attempt, ...]
    session: tuple[Attempt, ...]
    later_user: tuple[Attempt, ...]
    canary: Mapping[str, tuple[str, ...]]
    facts: Mapping[str, Any]
    checks: tuple[Outcome, ...]
    disturbances: Mapping[str, Disturbance]
    console: str


def observe(guest: Guest, plan: Plan) -> Observation:
    """Observe a server once.

    Args:
        guest: A server that has booted.
        plan: What to observe.

    Raises:
        LabError: If the administrator cannot log in, or a probe fails.
    """
    with ThreadPoolExecutor() as pool:
        # A scan through a filter mostly waits for timeouts, so the other probes run beside it.
        outside = pool.submit(open_ports, guest.network.outside)
        inside = pool.submit(open_ports, guest.network.intruder)
        progress(f"{plan.name}: facts")
        facts = ask(guest, "facts", _questions(plan))
        progress(f"{plan.name}: controls")
        checks = check(guest, plan.checks)
        progress(f"{plan.name}: metadata")
        metadata, container = survey(guest)
        session, _ = survey(guest, [0], in_session=True)
        progress(f"{plan.name}: logins")
        logins = _logins(guest, plan)
        tunnels = forwarding(guest)
        progress(f"{plan.name}: canary")
        canary = ask(
            guest,
            "search",
            {"secret": plan.canary, "users": _searchers(guest, plan), "since": guest.created},
        )
        progress(f"{plan.name}: an allowed user, added now")
        later = later_user(guest)
        progress(f"{plan.name}: ssh-audit")
        audit = ssh_audit(plan.ssh_audit, guest.network.admin)
        if plan.disturbances:
            progress(f"{plan.name}: disturbances")
        disturbed = disturb(guest, plan.disturbances)
        progress(f"{plan.name}: scans")
        return Observation(
            outside=outside.result(),
            inside=inside.result(),
            logins=logins,
            forwarding=tunnels,
            audit=audit,
            metadata=metadata,
            container=container,
            session=session,
            later_user=later,
            canary={name: tuple(paths) for name, paths in canary.items()},
            facts=facts,
            checks=checks,
            disturbances=disturbed,
            console=guest.console(),
        )


def _questions(plan: Plan) -> dict[str, Any]:
    return {
        "logins": [ADMIN, plan.password_user, "root"],
        "client": "192.0.2.1",
        "modes": MODES,
    }


def _logins(guest: Guest, plan: Plan) -> dict[str, str]:
    intruder = guest.network.intruder
    return {
        "administrator, key": settled(lambda: key_login(guest, ADMIN)),
        "root, key": settled(lambda: key_login(guest, "root", identity=plan.root_key)),
        "user, password": settled(
            lambda: password_login(guest, intruder, plan.password_user, plan.password)
        ),
        "root, password": settled(lambda: password_login(guest, intruder, "root", plan.password)),
    }


def _searchers(guest: Guest, plan: Plan) -> dict[str, int]:
    uid = int(guest.ssh("id", "-u", plan.password_user).stdout)
    return {plan.password_user: uid, "nobody": NOBODY}
