"""The cost of a command: CPU time and peak memory, the least of several runs.

Other load on the machine only adds time, so the least run is the closest to the true cost. Commands
that are compared take turns.
"""

import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rich.progress import track

# A process is charged with the memory of its parent at the fork, so the parent has to be small.
_MEASURE: Final = """\
import os, sys
process = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=[
    (os.POSIX_SPAWN_DUP2, 1, 2),
])
_, status, usage = os.wait4(process, 0)
seconds = usage.ru_utime + usage.ru_stime
print(f"\\n{os.waitstatus_to_exitcode(status)} {seconds} {usage.ru_maxrss}")
"""


class CommandFailed(Exception):  # noqa: N818 - it names the fault
    """A command ended with an unexpected exit code, so its figures mean nothing."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """The cost of one command.

    Args:
        seconds: CPU time, user and system, of the process and the children that it waited for.
        mebibytes: Peak memory of the largest of them.
    """

    seconds: float
    mebibytes: float


def cost(command: Sequence[str], *, ends_with: Collection[int] = (0,)) -> Cost:
    """Run a command once.

    Args:
        command: The program and its arguments.
        ends_with: The exit codes of a run that counts. Default: 0.

    Returns:
        Its cost.

    Raises:
        CommandFailed: If it ends with any other code; the message has the end of its output.
    """
    done = subprocess.run(  # noqa: S603 - this project's own command
        [sys.executable, "-I", "-S", "-c", _MEASURE, *command],
        capture_output=True,
        text=True,
        errors="replace",
        check=True,
    )
    *said, figures = done.stdout.splitlines()
    code, seconds, kibibytes = figures.split()
    if int(code) not in ends_with:
        end = "\n".join(said)[-2000:]
        raise CommandFailed(f"{' '.join(command)} ended with {code}:\n{end}")
    return Cost(seconds=float(seconds), mebibytes=int(kibibytes) / 1024)


def least(
    commands: Mapping[str, Sequence[str]],
    *,
    rounds: int,
    ends_with: Collection[int] = (0,),
    what: str,
) -> dict[str, Cost]:
    """Run commands in turns and keep the least cost of each.

    Args:
        commands: The commands, by name.
        rounds: The runs of each command.
        ends_with: The exit codes of a run that counts. Default: 0.
        what: What is measured, for the progress bar.

    Returns:
        The least CPU time and the least peak memory of each, by name.
    """
    runs: dict[str, list[Cost]] = {name: [] for name in commands}
    turns = [(name, command) for _ in range(rounds) for name, command in commands.items()]
    for name, command in track(turns, description=what, transient=True):
        runs[name].append(cost(command, ends_with=ends_with))
    return {
        name: Cost(
            seconds=min(each.seconds for each in costs),
            mebibytes=min(each.mebibytes for each in costs),
        )
        for name, costs in runs.items()
    }
