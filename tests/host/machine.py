"""A disposable machine made of namespaces: its own network, /etc, /var, /run and /dev.

The namespaces have no names: each belongs to one process and ends with it.
"""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Folders that the payload writes to are mounted over; those that it only reads (/usr) are real.
# Addresses are unique here: duplicate address detection would delay every first packet by a second.
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
# The kernel is shared: its settings are copies here, and its audit system is out of reach.
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
    """One machine; commands run inside it, as root by default."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def path(self, path: str) -> Path:
        """Return the path of a file of the machine, as seen from outside."""
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
        """Return the output of a script, which has to succeed."""
        done = self.run("sh", "-euc", script, uid=uid, timeout=timeout)
        assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
        return done.stdout

    def tools(self, *, without: str = "", add: str = "") -> None:
        """Cover /usr/sbin with links to its programs, without some and with others.

        Args:
            without: Names of programs to leave out.
            add: Names of programs to add, which do nothing and succeed.
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
    """Start a network namespace on the files of the real machine."""
    with _holder("unshare", "-n", "sh", "-c", _NETWORK + _READY) as made:
        yield made


@contextmanager
def machine(on: Machine | None = None) -> Iterator[Machine]:
    """Start a machine, on the network of another one or on its own."""
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
