"""A throw-away machine made of namespaces: its own network, its own /etc, /var, /run and /dev.

Nothing has a name outside: the namespaces hang on one process each, and go when it is ended.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

# What the payload writes to is mounted over; what it only reads (/usr) is the real thing.
_PRIVATE = "/etc /home /root /run /dev /var/lib /var/log /usr/local/sbin /tmp"

_PREPARE = """
set -e
work=$1
mount --make-rprivate /
mount -t tmpfs -o mode=700 tmpfs "$work"
cp -a /etc "$work/etc"
for node in null zero full random urandom tty; do
	mkdir -p "$work/dev" && cp -a "/dev/$node" "$work/dev/$node"
done
mount -t tmpfs -o mode=755 tmpfs /dev
cp -a "$work/dev/." /dev/
ln -s /proc/self/fd /dev/fd
mkdir -m 1777 /dev/shm
: >/dev/console
for directory in /home /root /run /var/lib /var/log /usr/local/sbin; do
	mount -t tmpfs -o mode=755 tmpfs "$directory"
done
chmod 700 /root
mount --bind "$work/etc" /etc
rm -f /etc/ssh/sshd_config.d/*
ip link set lo up
echo ready
exec sleep infinity
"""


class Machine:
    """One machine; commands run inside as root unless said otherwise."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def path(self, path: str) -> Path:
        """Return where a file of the machine is seen from outside."""
        return Path(f"/proc/{self.pid}/root{path}")

    def command(self, *argv: str, uid: int = 0) -> list[str]:
        enter = ["nsenter", "-t", str(self.pid), "-n", "-m", "-w"]
        if uid:
            enter += ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
        return [*enter, *argv]

    def run(
        self, *argv: str, uid: int = 0, stdin: str = "", timeout: float = 60
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self.command(*argv, uid=uid),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def sh(self, script: str, *, uid: int = 0, timeout: float = 60) -> str:
        """Return what a script prints; it must succeed."""
        done = self.run("sh", "-euc", script, uid=uid, timeout=timeout)
        assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
        return done.stdout

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        target = self.path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(mode)

    def read(self, path: str) -> str:
        return self.path(path).read_text()


@contextmanager
def machine(*, mounts: bool = True) -> Iterator[Machine]:
    """Start a machine; without `mounts` only its network is its own."""
    with ExitStack() as stack:
        work = Path(tempfile.mkdtemp(prefix="hardened-ec2-"))
        stack.callback(shutil.rmtree, work)
        if mounts:
            argv = ["unshare", "-n", "-m", "sh", "-c", _PREPARE, "machine", str(work)]
        else:
            argv = [
                "unshare",
                "-n",
                "sh",
                "-c",
                "ip link set lo up; echo ready; exec sleep infinity",
            ]
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd="/")
        stack.callback(process.wait)
        stack.callback(process.kill)
        assert process.stdout is not None
        stack.callback(process.stdout.close)
        assert process.stdout.readline() == "ready\n", "the namespaces could not be made"
        yield Machine(process.pid)
