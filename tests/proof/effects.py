"""What must be seen of a hardened server, as data: one effect, one line of the table.

An effect of the hardening is `undone` on a server without it: the negative control asserts that,
so no effect is proven by a probe that would say the same of any server.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from hardened_ec2.host.controls.types import Profile
from lab.machines.careless_image import ALLOWED_USER, CLERK, LATER_USER
from lab.machines.metadata_service import METADATA, NAMES, TIME
from lab.probes.observation import Attempt, Observation
from lab.proof.proof import CANARY

AT_ONCE = 3.0
"""A client that hangs is a service that stalls. A refusal takes milliseconds, on a busy machine a
second; who is left without an answer gives up later than this."""


@dataclass(frozen=True, kw_only=True)
class Effect:
    """One thing to be seen.

    Args:
        title: What it says, as one reads it in a table.
        seen: Takes it out of an observation.
        expected: What a hardened server shows.
        undone: Whether a server without the hardening, behind an open security group, shows
            something else. False for what a hardened server must not break.
    """

    title: str
    seen: Callable[[Observation], Any]
    expected: Any
    undone: bool = True


def _who(attempts: Iterable[Attempt], addresses: Iterable[str], answer: str = "open") -> list[str]:
    """Return who got an answer at any of some addresses."""
    wanted = set(addresses)
    return sorted({a.user for a in attempts if a.address in wanted and a.answer == answer})


def _refusals(attempts: Iterable[Attempt]) -> list[str]:
    """Return in which ways the metadata service was out of reach, and whether at once."""
    refused = [a for a in attempts if a.address in METADATA and a.answer != "open"]
    slow = any(a.seconds > AT_ONCE for a in refused)
    return sorted({a.answer for a in refused} | ({"slow"} if slow else set()))


def _everybody(observation: Observation) -> list[str]:
    return sorted({attempt.user for attempt in observation.metadata})


def _silent(attempts: Iterable[Attempt], addresses: Iterable[str]) -> list[str]:
    """Return who does not reach one of some addresses."""
    wanted = set(addresses)
    return sorted(
        {f"{a.user} {a.address}" for a in attempts if a.address in wanted}
        - {f"{a.user} {a.address}" for a in attempts if a.answer == "open"}
    )


def _allowed(address: str) -> Callable[[Observation], list[str]]:
    """Who reaches the metadata at an address, without the allowed user who came later."""

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
    """Return copies of the user data that are not root's alone, whatever folder they are in."""
    modes = observation.facts["modes"]
    return {
        path: modes[path]
        for path in observation.canary["root"]
        if path in modes and not (modes[path].endswith("00 0:0"))
    }


def _own_modes(observation: Observation) -> set[str]:
    """Return the modes that are found on the files that hold the user data as it was fetched."""
    return {
        mode
        for path, mode in observation.facts["modes"].items()
        if path.rsplit("/", 1)[-1] in ("user-data.txt", "user-data.txt.i")
    }


def _left_out(observation: Observation) -> list[str]:
    """Return units that systemd dropped to get out of a circle of orderings.

    It calls such a boot a success. The console has it in every case: the journal starts later.
    """
    lines = observation.console.splitlines()
    return [line.strip() for line in lines if "to break ordering cycle" in line]


def _outcomes(observation: Observation) -> list[str]:
    """Return the steps that did not end well."""
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
    """Return what cloud-init says of itself; older ones know neither "degraded" nor warnings."""
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
        undone=False,  # Debian lets root in with keys only, by itself
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
            title=f"users who reach {address}",
            seen=_allowed(address),
            expected=sorted(["root", ALLOWED_USER]),
        )
        for address in METADATA
    ),
    Effect(
        title="an allowed user made a moment ago reaches the metadata",
        seen=lambda o: {a.address: a.answer for a in o.later_user},
        expected=dict.fromkeys(METADATA, "open"),
        undone=False,
    ),
    Effect(
        title="all others are refused at once",
        seen=lambda o: _refusals(o.metadata),
        expected=["refused"],
    ),
    Effect(
        title="a container's network is refused at once",
        seen=lambda o: [(a.address, a.answer) for a in o.container if a.address in METADATA],
        expected=[(address, "refused") for address in METADATA],
    ),
    Effect(
        title="who does not reach the name servers",
        seen=lambda o: _silent((*o.metadata, *o.container), NAMES),
        expected=[],
        undone=False,
    ),
    Effect(
        title="who does not reach the time servers",
        seen=lambda o: _silent((*o.metadata, *o.container), TIME),
        expected=[],
        undone=False,
    ),
    Effect(
        title="copies of user data that others may read",
        seen=_readable_copies,
        expected={},
        undone=False,  # cloud-init's own modes are sound: they have to stay so
    ),
    Effect(
        title="modes of the user data's own files",
        seen=_own_modes,
        expected={"0400 0:0"},
    ),
    *(
        Effect(
            title=f"where {user} finds the secret of the user data",
            seen=_finds(user),
            expected=[],
            undone=False,
        )
        for user in (CLERK, "nobody")
    ),
    Effect(
        title="the secret is where root looks for it, so the search finds it",
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
        title="the hardening's own report: what failed",
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
        title="the boot, as systemd sees it",
        seen=lambda o: o.facts["state"],
        expected="running",
        undone=False,
    ),
    Effect(
        title="units that the boot left out",
        seen=_left_out,
        expected=[],
        undone=False,
    ),
    Effect(
        title="the state of hardened-ec2.service",
        seen=lambda o: o.facts["service"],
        expected={"Result": "success", "ExecMainStatus": "0"},
        undone=False,  # systemd says so of a service that there is none of
    ),
    Effect(
        title="cloud-init: its status, errors, and what it recovered from",
        seen=_cloud_init,
        expected=("done", [], {}),
        undone=False,
    ),
)

_FORWARDING = "ssh -L to sshd itself"
_SESSION = "root of a login session reaches the metadata"

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
            title="root of a login session reaches the time servers",
            seen=lambda o: [a.address for a in o.session if a.address in TIME and _open(a)],
            expected=list(TIME),
            undone=False,
        ),
    ),
}


def effects(profile: Profile) -> tuple[Effect, ...]:
    """Return what a server of a profile shows, at the first boot and after each other one."""
    return (*_ALWAYS, *_BY_PROFILE["strict" if profile == "strict" else "core"])


def disturbed(observation: Observation) -> dict[str, str]:
    """Return what became of each disturbance: "locked" again, or for how long it was open."""
    return {
        name: "locked" if each.seconds_open is not None and not each.exit_code else repr(each)
        for name, each in observation.disturbances.items()
    }


def everybody_reaches(observation: Observation) -> list[str]:
    """Return who does not reach the metadata service: on a bare server nobody."""
    return sorted(set(_everybody(observation)) - set(_who(observation.metadata, METADATA)))
