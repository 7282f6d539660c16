"""Control and Check: one step of the hardening, and a command that shows whether it is in force."""

from dataclasses import dataclass
from typing import Literal

Profile = Literal["core", "baseline", "strict"]
"""core covers metadata, user data and SSH; baseline adds controls that break nothing on a
general-purpose server; strict is comparable to CIS level 2 or a STIG."""

EVERY: frozenset[Profile] = frozenset({"core", "baseline", "strict"})
BOTH: frozenset[Profile] = frozenset({"baseline", "strict"})
STRICT: frozenset[Profile] = frozenset({"strict"})


@dataclass(frozen=True, kw_only=True)
class Check:
    """A command, and what it prints on a hardened server.

    Args:
        command: POSIX sh, run as root. Its whole output is compared, without leading and trailing
            white space.
        expected: the output.
        profile: the only profile that expects this output. Default: every profile of the control.
        when: POSIX sh that succeeds on servers to which the check applies. Default: every server.

    """

    command: str
    expected: str
    profile: Profile | None = None
    when: str = ""


@dataclass(frozen=True, kw_only=True)
class Control:
    """A control: one step of the hardening, its profiles, its reason and its checks.

    Args:
        name: identifies it in `HostHardening(without=[...])` and in the status report.
        title: what it does, in a few words.
        step: the shell function of the payload that applies it.
        profiles: the profiles that include it.
        why: the attack that it prevents, and what it deliberately leaves alone.
        references: sections of published guides that require it.
        verify: checks that pass on a server where it is in force.
        core: whether it belongs to the core, which cannot be left out. Default: False.

    Source:
        CIS Amazon Linux 2023 Benchmark; DISA STIG for Amazon Linux 2023; ANSSI-BP-028 v2;
        dev-sec linux-baseline and ssh-baseline.

    Example:
        >>> Control(
        ...     name="core-dumps",
        ...     title="No core dumps",
        ...     step="core_dumps",
        ...     profiles=BOTH,
        ...     why="A core dump is a copy of a process's secrets on disk.",
        ...     references=("CIS Amazon Linux 2023 1.5.4",),
        ...     verify=(Check(command="ulimit -Hc", expected="0"),),
        ... ).core
        False

    """

    name: str
    title: str
    step: str
    profiles: frozenset[Profile]
    why: str
    references: tuple[str, ...]
    verify: tuple[Check, ...]
    core: bool = False
