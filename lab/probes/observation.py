"""The observation of a running server: what clients see, and what the server says of itself."""

import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from lab.commands import LabError, progress
from lab.machines.careless_image import LATER_USER
from lab.machines.guest import ADMIN, Guest, Key
from lab.machines.metadata_service import METADATA, NAMES, TIME
from lab.probes.clients import (
    Forwarding,
    forwarding,
    key_login,
    open_ports,
    password_login,
    settled,
    ssh_audit,
)
from lab.probes.control_checks import Outcome, Question, outcomes

NOBODY = 65534
STRANGERS = (1, 4321, NOBODY, 2**31, 2**32 - 3)
"""Uids without an account, up to the highest, tried in addition to every account."""

REPAIR_SECONDS = 120.0
"""The limit of a repair: the lock is checked once a minute, and a busy machine takes longer."""

MODES = (
    *("/var/lib/cloud/**", "/run/cloud-init/**", "/var/log/cloud-init*", "/etc/ssh/**"),
    *("/var/lib/hardened-ec2/**", "/etc/sudoers.d/*", "/usr/local/sbin/hardened-ec2"),
)

_RESULT = "/run/lab-disturb.json"


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One request from inside the guest.

    Args:
        user: The user's name, or the uid if it has no account.
        address: The address that was asked.
        answer: "open", or the failure: "refused", "prohibited", "connected", "silent", ...
        seconds: The duration of the request.
    """

    user: str
    address: str
    answer: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Disturbance:
    """One removal of the metadata lock, as other programs may cause it.

    Args:
        exit_code: The exit code of the command that removed the lock.
        said: The command's output.
        seconds_open: Seconds until the lock held again; None if it did not.
    """

    exit_code: int
    said: str
    seconds_open: float | None


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
        later = _later_user(guest)
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


def ask(
    guest: Guest, program: str, question: Mapping[str, Any], *, in_session: bool = False
) -> dict[str, Any]:
    """Run a program of `lab.inside` in a guest, as root.

    The program runs as a service, because the hardening may keep login sessions from metadata.

    Args:
        guest: The server.
        program: The module's name.
        question: The program's input.
        in_session: Whether to run it in the administrator's login session, through sudo, instead.
            Default: False.

    Returns:
        The program's output.

    Raises:
        LabError: If the program fails.
    """
    put(guest, program)
    service = () if in_session else ("systemd-run", "--quiet", "--collect", "--wait", "--pipe")
    done = guest.ssh(
        *("sudo", *service, "python3", f"/run/lab-{program}.py"),
        stdin=json.dumps(question),
        timeout=900,
    )
    if done.returncode:
        raise LabError(f"{program}.py: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return dict(json.loads(done.stdout))


def check(guest: Guest, asked: Sequence[Question]) -> tuple[Outcome, ...]:
    """Run checks of controls.

    Args:
        guest: The server.
        asked: The checks.

    Returns:
        The outcomes, in the same order.

    Raises:
        LabError: If the checks cannot be run.
    """
    wanted = [{"when": each.check.when, "command": each.check.command} for each in asked]
    return outcomes(asked, ask(guest, "checks", {"checks": wanted})["outcomes"])


def put(guest: Guest, program: str) -> None:
    """Copy a program of `lab.inside` into a guest.

    Args:
        guest: The server.
        program: The module's name.

    Raises:
        LabError: If the file cannot be written.
    """
    text = (files("lab.inside") / f"{program}.py").read_text(encoding="utf-8")
    done = guest.ssh("sudo", "tee", f"/run/lab-{program}.py", stdin=text)
    if done.returncode:
        raise LabError(f"cannot copy {program}.py into the guest: {done.stderr}")


def survey(
    guest: Guest, uids: Sequence[int] | None = None, *, in_session: bool = False
) -> tuple[tuple[Attempt, ...], tuple[Attempt, ...]]:
    """Request the link-local services from inside a guest.

    Args:
        guest: The server.
        uids: The uids to try as. Default: every account, `STRANGERS`, and a container.
        in_session: Whether to try from the administrator's login session. Default: False.

    Returns:
        The requests of users, and those of the container.

    Raises:
        LabError: If the probe fails.
    """
    question = {
        "uids": STRANGERS if uids is None else uids,
        "everybody": uids is None,
        "addresses": METADATA,
        "names": NAMES,
        "times": TIME,
    }
    found = ask(guest, "metadata", question, in_session=in_session)
    users, container = (
        tuple(Attempt(**each) for each in found[who]) for who in ("users", "container")
    )
    return users, container


def disturb(guest: Guest, disturbances: Mapping[str, str]) -> dict[str, Disturbance]:
    """Remove the metadata lock in several ways, and wait each time until it holds again.

    Args:
        guest: The server.
        disturbances: Name to the shell command that removes the lock.

    Returns:
        Name to removal of the lock.

    Raises:
        LabError: If the guest is not reachable afterwards.
    """
    if not disturbances:
        return {}
    put(guest, "disturb")
    question = {
        "address": METADATA[0],
        "uid": NOBODY,
        "patience": REPAIR_SECONDS,
        "disturbances": dict(disturbances),
        "result": _RESULT,
    }
    # A transient unit keeps running while the network, and this SSH session with it, is down.
    guest.root(
        f"rm -f {_RESULT}; cat >/run/lab-question.json <<'END'\n{json.dumps(question)}\nEND\n"
        "systemd-run --quiet --collect --property=StandardInput=file:/run/lab-question.json "
        "python3 /run/lab-disturb.py"
    )
    deadline = time.monotonic() + len(disturbances) * REPAIR_SECONDS + 300
    while True:
        done = guest.ssh("sudo", "cat", _RESULT, timeout=180)
        if done.returncode == 0:
            found = json.loads(done.stdout)
            return {name: Disturbance(**each) for name, each in found.items()}
        if time.monotonic() > deadline:
            raise LabError(f"the guest is not reachable after the disturbances: {done.stderr}")
        time.sleep(2)


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


def _later_user(guest: Guest) -> tuple[Attempt, ...]:
    """Add an allowed user, and wait up to `REPAIR_SECONDS` until IMDS answers that user."""
    guest.root(f"id {LATER_USER} >/dev/null 2>&1 || useradd --system {LATER_USER}")
    uid = int(guest.ssh("id", "-u", LATER_USER).stdout)
    deadline = time.monotonic() + REPAIR_SECONDS
    while True:
        seen = tuple(a for a in survey(guest, [uid])[0] if a.address in METADATA)
        if all(each.answer == "open" for each in seen) or time.monotonic() > deadline:
            return seen
