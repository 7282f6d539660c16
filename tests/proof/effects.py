"""The effects that every hardened server shows: one effect, one line of the table.

A bare server must not show an effect that is `undone` without the hardening: the negative control
asserts that, so no probe passes that would say the same of every server.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from hardened_ec2.host.controls.types import Profile
from lab.machines.careless_image import ALLOWED_USER, CLERK, LATER_USER
from lab.machines.metadata_service import METADATA, NAMES, TIME
from lab.probes.metadata_requests import Attempt
from lab.probes.observation import Observation
from lab.proof.proof import CANARY

AT_ONCE = 3.0
"""Seconds. A refusal takes milliseconds, or a second on a busy machine; a client without an answer
waits longer than this."""


@dataclass(frozen=True, kw_only=True)
class Effect:
    """One effect of the hardening, or one property that the hardening must not break.

    Args:
        title: The effect's name in the table.
        seen: Returns the value in an observation.
        expected: The value of a hardened server.
        undone: Whether a bare server, behind an open security group, shows another value. Default:
            True; False for a property that the hardening must not break.
    """

    title: str
    seen: Callable[[Observation], Any]
    expected: Any
    undone: bool = True


def _who(attempts: Iterable[Attempt], addresses: Iterable[str], answer: str = "open") -> list[str]:
    """Return the users with a given answer at any of some addresses."""
    wanted = set(addresses)
    return sorted({a.user for a in attempts if a.address in wanted and a.answer == answer})


def _refusals(attempts: Iterable[Attempt]) -> list[str]:
    """Return the kinds of refusal of metadata requests, and "slow" if one was not immediate."""
    refused = [a for a in attempts if a.address in METADATA and a.answer != "open"]
    slow = any(a.seconds > AT_ONCE for a in refused)
    return sorted({a.answer for a in refused} | ({"slow"} if slow else set()))


def _everybody(observation: Observation) -> list[str]:
    return sorted({attempt.user for attempt in observation.metadata})


def _silent(attempts: Iterable[Attempt], addresses: Iterable[str]) -> list[str]:
    """Return the users that do not reach one of some addresses."""
    wanted = set(addresses)
    return sorted(
        {f"{a.user} {a.address}" for a in attempts if a.address in wanted}
        - {f"{a.user} {a.address}" for a in attempts if a.answer == "open"}
    )


def _allowed(address: str) -> Callable[[Observation], list[str]]:
    """Return the users that reach metadata at an address, without the one added later."""

    def seen(observation: Observation) -> list[str]:
        reached = _who(observation.metadata, [address])
        return [user for user in reached if user != LATER_USER]

    return seen


def _finds(user: str) -> Callable[[Observation], list[str]]:
    return lambda observation: list(observation.canary[user])


def _sshd(login: str, *keywords: str) -> Callable[[Observation], dict[str, str]]:
    def seen(observation: Observation) -> dict[str, str]:
        settings = dict(
            line.split(" ", 1) for line in observation.facts["sshd"][login] if " " in line
        )
        return {keyword: settings.get(keyword, "") for keyword in keywords}

    return seen


def _readable_copies(observation: Observation) -> dict[str, str]:
    """Return the copies of user data that other users can open, with their modes."""
    modes = observation.facts["modes"]
    return {
        path: modes[path]
        for path in observation.canary["root"]
        if path in modes and not (modes[path].endswith("00 0:0"))
    }


def _own_modes(observation: Observation) -> set[str]:
    """Return the modes of the files that hold user data as cloud-init fetched it."""
    return {
        mode
        for path, mode in observation.facts["modes"].items()
        if path.rsplit("/", 1)[-1] in ("user-data.txt", "user-data.txt.i")
    }


def _left_out(observation: Observation) -> list[str]:
    """Return the units that systemd dropped to break an ordering cycle.

    systemd reports such a boot as a success, on the console only: the journal starts later.
    """
    lines = observation.console.splitlines()
    return [line.strip() for line in lines if "to break ordering cycle" in line]


def _outcomes(observation: Observation) -> list[str]:
    """Return the steps of the hardening that failed."""
    return [
        line
        for line in observation.facts["hardening"].splitlines()
        if not line.startswith(("ok ", "changed ", "skipped "))
    ]


def _open(attempt: Attempt) -> bool:
    return attempt.answer == "open"


def _in_session(observation: Observation) -> list[str]:
    """Return the addresses at which root of a login session reaches the metadata service."""
    return [a.address for a in observation.session if a.address in METADATA and _open(a)]


def _cloud_init(observation: Observation) -> tuple[str, list[str], dict[str, list[str]]]:
    """Return cloud-init's status; older releases know neither "degraded" nor warnings."""
    said = observation.facts["cloud_init"]
    status = said.get("extended_status", said["status"])
    return status, said.get("errors", []), said.get("recoverable_errors", {})


_KEYS_ONLY = {
    "passwordauthentication": "no",
    "kbdinteractiveauthentication": "no",
    "permitemptypasswords": "no",
    "permitrootlogin": "no",
    "authenticationmethods": "publickey",
    "pubkeyauthentication": "yes",
}

_ALWAYS = (
    Effect(
        title="open ports, from outside the whitelist",
        seen=lambda o: o.outside,
        expected=(),
    ),
    Effect(
        title="open ports, from inside the whitelist",
        seen=lambda o: o.inside,
        expected=(22,),
        undone=False,
    ),
    Effect(
        title="login of the administrator with the key",
        seen=lambda o: o.logins["administrator, key"],
        expected="in",
        undone=False,
    ),
    Effect(
        title="login with the right password",
        seen=lambda o: o.logins["user, password"],
        expected="refused",
    ),
    Effect(
        title="login of root with a valid key",
        seen=lambda o: o.logins["root, key"],
        expected="refused",
    ),
    Effect(
        title="login of root with the right password",
        seen=lambda o: o.logins["root, password"],
        expected="refused",
        undone=False,  # Debian's sshd accepts only keys for root by default
    ),
    *(
        Effect(
            title=f"sshd's effective configuration for {login}",
            seen=_sshd(login, *_KEYS_ONLY),
            expected=_KEYS_ONLY,
        )
        for login in ("debian", CLERK, "root")
    ),
    Effect(
        title="ssh-audit: fails",
        seen=lambda o: o.audit["fail"],
        expected=(),
    ),
    Effect(
        title="ssh -L to the metadata service",
        seen=lambda o: o.forwarding.local,
        expected="closed",
    ),
    Effect(
        title="ssh -D to the metadata service",
        seen=lambda o: o.forwarding.dynamic,
        expected="closed",
    ),
    *(
        Effect(
            title=f"users that reach {address}",
            seen=_allowed(address),
            expected=sorted(["root", ALLOWED_USER]),
        )
        for address in METADATA
    ),
    Effect(
        title="an allowed user added a moment ago reaches metadata",
        seen=lambda o: {a.address: a.answer for a in o.later_user},
        expected=dict.fromkeys(METADATA, "open"),
        undone=False,
    ),
    Effect(
        title="all other users are refused at once",
        seen=lambda o: _refusals(o.metadata),
        expected=["refused"],
    ),
    Effect(
        title="a container's network is refused at once",
        seen=lambda o: [(a.address, a.answer) for a in o.container if a.address in METADATA],
        expected=[(address, "refused") for address in METADATA],
    ),
    Effect(
        title="users that do not reach the DNS service",
        seen=lambda o: _silent((*o.metadata, *o.container), NAMES),
        expected=[],
        undone=False,
    ),
    Effect(
        title="users that do not reach the time service",
        seen=lambda o: _silent((*o.metadata, *o.container), TIME),
        expected=[],
        undone=False,
    ),
    Effect(
        title="copies of user data that other users can read",
        seen=_readable_copies,
        expected={},
        undone=False,  # cloud-init's own modes are sound and have to stay so
    ),
    Effect(
        title="modes of cloud-init's user data files",
        seen=_own_modes,
        expected={"0400 0:0"},
    ),
    *(
        Effect(
            title=f"places where {user} can read the secret in user data",
            seen=_finds(user),
            expected=[],
            undone=False,
        )
        for user in (CLERK, "nobody")
    ),
    Effect(
        title="root finds the secret in its known places, so the search works",
        seen=lambda o: (
            {"/etc/application.conf"} <= set(o.canary["root"])
            and any("user-data.txt" in path for path in o.canary["root"])
        ),
        expected=True,
        undone=False,
    ),
    Effect(
        title="the secret in the journal and in logs",
        seen=lambda o: [
            path for path in o.canary["root"] if path == "journal" or path.startswith("/var/log/")
        ],
        expected=[],
        undone=False,
    ),
    Effect(
        title="the secret on the console",
        seen=lambda o: CANARY in o.console,
        expected=False,
        undone=False,
    ),
    Effect(
        title="failed steps in the hardening's own report",
        seen=lambda o: _outcomes(o) if o.facts["hardening"] else "no report",
        expected=[],
    ),
    Effect(
        title="the result on the console",
        seen=lambda o: "HARDENING-RESULT" in o.console and " failed=0" in o.console,
        expected=True,
    ),
    Effect(
        title="failed units",
        seen=lambda o: o.facts["failed_units"],
        expected=[],
        undone=False,
    ),
    Effect(
        title="systemd's state of the system",
        seen=lambda o: o.facts["state"],
        expected="running",
        undone=False,
    ),
    Effect(
        title="units dropped from an ordering cycle",
        seen=_left_out,
        expected=[],
        undone=False,
    ),
    Effect(
        title="the state of hardened-ec2.service",
        seen=lambda o: o.facts["service"],
        expected={"Result": "success", "ExecMainStatus": "0"},
        undone=False,  # systemd says so of a missing service too
    ),
    Effect(
        title="cloud-init's status, errors and recoverable errors",
        seen=_cloud_init,
        expected=("done", [], {}),
        undone=False,
    ),
)

_FORWARDING = "ssh -L to sshd itself"
_SESSION = "root in a login session reaches metadata"

_BY_PROFILE: dict[Profile, tuple[Effect, ...]] = {
    "core": (
        Effect(
            title=_FORWARDING, seen=lambda o: o.forwarding.control, expected="open", undone=False
        ),
        Effect(title=_SESSION, seen=_in_session, expected=list(METADATA), undone=False),
    ),
    "strict": (
        Effect(title=_FORWARDING, seen=lambda o: o.forwarding.control, expected="closed"),
        Effect(title=_SESSION, seen=_in_session, expected=[]),
        Effect(
            title="root in a login session reaches the time service",
            seen=lambda o: [a.address for a in o.session if a.address in TIME and _open(a)],
            expected=list(TIME),
            undone=False,
        ),
    ),
}


def effects(profile: Profile) -> tuple[Effect, ...]:
    """Return the effects of a hardening profile, the same at every boot."""
    return (*_ALWAYS, *_BY_PROFILE["strict" if profile == "strict" else "core"])


def disturbed(observation: Observation) -> dict[str, str]:
    """Return each disturbance's outcome: "locked" again, or the disturbance itself."""
    return {
        name: "locked" if each.seconds_open is not None and not each.exit_code else repr(each)
        for name, each in observation.disturbances.items()
    }


def everybody_reaches(observation: Observation) -> list[str]:
    """Return the users that do not reach the metadata service, none on a bare server."""
    return sorted(set(_everybody(observation)) - set(_who(observation.metadata, METADATA)))
