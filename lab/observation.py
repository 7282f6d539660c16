"""Everything that is seen of one running server: what clients see, and what it says itself."""

import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.checks import Outcome, Question, outcomes
from lab.clients import (
    Forwarding,
    forwarding,
    key_login,
    open_ports,
    password_login,
    settled,
    ssh_audit,
)
from lab.commands import LabError, progress
from lab.guest import ADMIN, Guest, Key
from lab.metadata import METADATA, NAMES, TIME
from lab.server_image import LATER_USER

INSIDE = Path(__file__).parent / "inside"

NOBODY = 65534
STRANGERS = (1, 4321, NOBODY, 2**31, 2**32 - 3)
"""Uids to try as, beside every account that there is: of no account, up to the highest."""

REPAIR_SECONDS = 120.0
"""Once a minute the lock is looked after; the rest is what a slow machine may take."""

MODES = (
    *("/var/lib/cloud/**", "/run/cloud-init/**", "/var/log/cloud-init*", "/etc/ssh/**"),
    *("/var/lib/hardened-ec2/**", "/etc/sudoers.d/*", "/usr/local/sbin/hardened-ec2"),
)

_RESULT = "/run/lab-disturb.json"


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """Somebody in the guest asked for something.

    Args:
        user: Their name, or the uid of who has none.
        address: Where they asked.
        answer: "open", or how it ended: "refused", "prohibited", "connected", "silent", ...
        seconds: How long it took to end.
    """

    user: str
    address: str
    answer: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Disturbance:
    """The lock was undone, as others might.

    Args:
        exit_code: Of the command that undid it.
        said: What that command printed.
        seconds_open: After how many seconds the lock held again; None if it did not.
    """

    exit_code: int
    said: str
    seconds_open: float | None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to look at.

    Args:
        name: What the server is called.
        canary: The secret in the user's own commands.
        password_user: A login with a known password.
        password: It.
        root_key: The key in root's authorized_keys.
        ssh_audit: The program.
        disturbances: Name to shell command. Default: none.
        checks: The checks of the controls. Default: none.
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
    """What was seen.

    Args:
        outside: Open ports, from outside the whitelist.
        inside: Open ports, from inside.
        logins: Kind of login to how it ended.
        forwarding: What ssh forwarding reaches.
        audit: ssh-audit's notes.
        metadata: What users in the guest reached.
        container: What a forwarded network reached.
        session: What root of the administrator's login session reached, through sudo.
        later_user: What an allowed user reached who was made just now.
        canary: Searcher to everything readable that holds the secret.
        facts: What the system says of itself.
        checks: What became of the checks of the controls.
        disturbances: How the lock came back.
        console: The serial console.
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
    """Look at everything, once.

    Args:
        guest: A server that has booted.
        plan: What to look at.

    Returns:
        What was seen.

    Raises:
        LabError: If the administrator cannot look.
    """
    with ThreadPoolExecutor() as pool:
        # Scanning a filter is waiting for what does not come: the rest is done meanwhile.
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
            {"secret": plan.canary, "users": _searchers(guest, plan), "since": guest.made},
        )
        progress(f"{plan.name}: a user who is allowed, made now")
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

    As a service: a login session may be kept from what root of the system reaches.

    Args:
        guest: Where.
        program: Its name.
        question: What it reads.
        in_session: Whether the administrator's own session runs it, through sudo.

    Returns:
        What it answered.

    Raises:
        LabError: If it failed.
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
    """Do checks of controls.

    Args:
        guest: Where.
        asked: Which ones.

    Returns:
        What became of them, in the same order.
    """
    wanted = [{"when": each.check.when, "command": each.check.command} for each in asked]
    return outcomes(asked, ask(guest, "checks", {"checks": wanted})["outcomes"])


def put(guest: Guest, program: str) -> None:
    """Put a program of `lab.inside` where root of the guest finds it."""
    text = (INSIDE / f"{program}.py").read_text(encoding="utf-8")
    done = guest.ssh("sudo", "tee", f"/run/lab-{program}.py", stdin=text)
    if done.returncode:
        raise LabError(f"{program}.py did not get into the guest: {done.stderr}")


def survey(
    guest: Guest, uids: Sequence[int] | None = None, *, in_session: bool = False
) -> tuple[tuple[Attempt, ...], tuple[Attempt, ...]]:
    """Try the link-local services.

    Args:
        guest: Where.
        uids: Who tries. Default: every account, some uids without one, and a container.
        in_session: Whether they do so from the administrator's login session.

    Returns:
        The attempts of users, and those of the container.
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
    """Undo the lock in several ways, and wait each time until it holds again.

    Args:
        guest: Where.
        disturbances: Name to shell command.

    Returns:
        How the lock came back.

    Raises:
        LabError: If the guest does not come back.
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
    # A unit of its own: it goes on while the network, and with it this session, is away.
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
            raise LabError(f"the guest did not come back: {done.stderr}")
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
    """Make a user who is allowed, and wait until they are let in, but not long."""
    guest.root(f"id {LATER_USER} >/dev/null 2>&1 || useradd --system {LATER_USER}")
    uid = int(guest.ssh("id", "-u", LATER_USER).stdout)
    deadline = time.monotonic() + REPAIR_SECONDS
    while True:
        seen = tuple(a for a in survey(guest, [uid])[0] if a.address in METADATA)
        if all(each.answer == "open" for each in seen) or time.monotonic() > deadline:
            return seen
