"""A throw-away machine made of namespaces: its own network, its own /etc, /var, /run and /dev.

Nothing has a name outside: the namespaces hang on one process each, and go when it is ended.
"""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# What the payload writes to is mounted over; what it only reads (/usr) is the real thing.
# Addresses are unique here; waiting a second to find out would be added to every first packet.
_NETWORK = """
set -e
echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad
ip link set lo up
"""

_PREPARE = """
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
mkdir /dev/pts && mount -t devpts -o newinstance,ptmxmode=666 devpts /dev/pts
ln -s pts/ptmx /dev/ptmx
: >/dev/console
for directory in /home /root /run /var/lib /var/log /usr/local/sbin; do
	mount -t tmpfs -o mode=755 tmpfs "$directory"
done
chmod 700 /root
mount --bind "$work/etc" /etc
# There is one kernel for all: its settings are copies here, and its audit is out of reach.
for directory in kernel fs dev vm; do
	mkdir -p "$work/sys"
	cp -r "/proc/sys/$directory" "$work/sys" 2>/dev/null || :
	mount --bind "$work/sys/$directory" "/proc/sys/$directory"
done
[ ! -e /usr/sbin/auditctl ] || mount --bind /dev/null /usr/sbin/auditctl
rm -f /etc/ssh/sshd_config.d/*
"""


_READY = """
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
        enter = ["nsenter", "-t", str(self.pid), "-n", "-m", "-u", "-w"]
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

    def tools(self, *, without: str = "", add: str = "") -> None:
        """Cover /usr/sbin with links to what is in there, less some tools or with some more.

        Args:
            without: names of tools that this host does not have.
            add: names of tools that it has, and that succeed; write a script in their place for
                more.
        """
        self.sh(
            "mkdir /run/sbin /run/sbin.real; mount --rbind /usr/sbin /run/sbin.real; "
            "ln -s /run/sbin.real/* /run/sbin/; cd /run/sbin; "
            f"for name in {without}; do rm -f $name; done; "
            f"for name in {add}; do ln -sf /bin/true $name; done; mount --bind /run/sbin /usr/sbin"
        )

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        target = self.path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(mode)

    def read(self, path: str) -> str:
        return self.path(path).read_text()


@contextmanager
def network() -> Iterator[Machine]:
    """Start a network of its own, on the files of the real machine."""
    with _holder("unshare", "-n", "sh", "-c", _NETWORK + _READY) as made:
        yield made


@contextmanager
def machine(on: Machine | None = None) -> Iterator[Machine]:
    """Start a machine, on a network that exists or on one of its own."""
    enter = ["unshare", "-n"] if on is None else ["nsenter", "-t", str(on.pid), "-n"]
    with tempfile.TemporaryDirectory(prefix="hardened-ec2-") as work:
        script = (_NETWORK if on is None else "set -e\n") + _PREPARE + _READY
        with _holder(*enter, "unshare", "-m", "-u", "sh", "-c", script, "machine", work) as made:
            yield made


@contextmanager
def _holder(*argv: str) -> Iterator[Machine]:
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd="/") as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n", "the namespaces could not be made"
            yield Machine(process.pid)
        finally:
            process.kill()
