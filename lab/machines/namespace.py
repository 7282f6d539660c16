"""Anonymous network namespaces: each lives as long as the process that holds it."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from lab.commands import LabError, must

# Duplicate address detection would delay every first packet by a second, and addresses are unique.
# The holder reads its standard input, so it ends with its parent, even if that is killed.
_HOLD = """
set -e
echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad
ip link set lo up
echo ready
read -r _
"""


@dataclass(frozen=True, kw_only=True)
class Namespace:
    """A network namespace that shares this machine's file system.

    Args:
        pid: The process that holds the namespace.
    """

    pid: int

    def command(self, *argv: str) -> tuple[str, ...]:
        """Return the command line that runs a program in this namespace."""
        return ("nsenter", "--target", str(self.pid), "--net", *argv)

    def sh(self, script: str) -> str:
        """Run a shell script in this namespace and return its output.

        Raises:
            LabError: If the script fails.
        """
        return must(*self.command("sh", "-euc", script))


@contextmanager
def namespace() -> Iterator[Namespace]:
    """Create a network namespace that exists while the block runs.

    Raises:
        LabError: If the kernel refuses.
    """
    with subprocess.Popen(  # noqa: S603 - a fixed command
        ["unshare", "--net", "sh", "-c", _HOLD],  # noqa: S607 - util-linux, wherever it lies
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        try:
            if holder.stdout is None or holder.stdout.readline() != "ready\n":
                raise LabError("cannot create a network namespace: run the lab as root")
            yield Namespace(pid=holder.pid)
        finally:
            holder.kill()
