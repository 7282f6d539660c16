"""What a control is: one thing that the hardening does to a server, and how to see that it did."""

from dataclasses import dataclass
from typing import Literal

Profile = Literal["core", "baseline", "strict"]
"""core is metadata, user data and SSH; baseline breaks nothing that a general server needs beside
it; strict is like CIS level 2 or a STIG."""

EVERY: frozenset[Profile] = frozenset({"core", "baseline", "strict"})
BOTH: frozenset[Profile] = frozenset({"baseline", "strict"})
STRICT: frozenset[Profile] = frozenset({"strict"})


@dataclass(frozen=True, kw_only=True)
class Check:
    """What a command prints on a hardened server.

    Args:
        command: POSIX sh, run as root; what it prints is compared whole, without the white space
            around it.
        expected: what it prints.
        profile: the profile of which this is expected. Default: every one that has the control.
        when: POSIX sh that succeeds on a server that the expectation is for. Default: every one.

    Source:
        Each control names the documents that it follows.

    Example:
        >>> Check(command="sysctl -n fs.suid_dumpable", expected="0").expected
        '0'

    """

    command: str
    expected: str
    profile: Profile | None = None
    when: str = ""


@dataclass(frozen=True, kw_only=True)
class Control:
    """One control: a step of the payload, who gets it, why, and how to see it in force.

    Args:
        name: by which a user switches it off, and under which its outcome is reported.
        title: what it does, in a few words.
        step: the function of the payload that applies it.
        profiles: the profiles that have it.
        why: the attack that it takes away, and what it leaves alone on purpose.
        references: the sections of published guides that ask for it.
        verify: what is seen on a server where it is in force.
        core: whether it can not be switched off.

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
