"""A network namespace without a name: it hangs on one process and goes when that ends."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from lab.commands import LabError, must

# Addresses are unique here: looking for a duplicate would add a second to every first packet.
# The holder ends when its standard input does, so with whoever made it, however that ended.
_HOLD = """
set -e
echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad
ip link set lo up
echo ready
read -r _
"""


@dataclass(frozen=True, kw_only=True)
class Namespace:
    """A network of its own, on the files of this machine.

    Args:
        pid: The process that holds it.
    """

    pid: int

    def command(self, *argv: str) -> tuple[str, ...]:
        """Return the command that runs another one in here."""
        return ("nsenter", "--target", str(self.pid), "--net", *argv)

    def sh(self, script: str) -> str:
        """Run a script in here that must succeed; return what it printed."""
        return must(*self.command("sh", "-euc", script))


@contextmanager
def namespace() -> Iterator[Namespace]:
    """Make a namespace, for as long as the block runs.

    Raises:
        LabError: If the kernel makes none.
    """
    with subprocess.Popen(  # noqa: S603 - a fixed command
        ["unshare", "--net", "sh", "-c", _HOLD],  # noqa: S607 - util-linux, wherever it lies
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        try:
            if holder.stdout is None or holder.stdout.readline() != "ready\n":
                raise LabError("no network namespace could be made: is this root?")
            yield Namespace(pid=holder.pid)
        finally:
            holder.kill()
