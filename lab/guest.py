"""One server: a machine under QEMU that takes itself for an EC2 instance."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.commands import LabError, must, run, start, stop
from lab.image import CACHE, Image, one_at_a_time
from lab.metadata import INSTANCE_ID
from lab.network import MAC, SERVER, TAP, Client, Network

ADMIN = "debian"
"""The default user of Debian's cloud-init."""

BOOT_SECONDS = 1200
"""As long as a slow machine may need; it takes two minutes on an idle one."""

SETTLE_SECONDS = 600
"""From the first login to the end of the boot; it takes a minute."""

# cloud-init takes a machine for AWS's when uuid and serial are the same and begin with "ec2".
_UUID = "ec2e1916-9099-7caf-fd21-012345abcdef"
_SMBIOS = (
    "type=0,vendor=Amazon EC2",
    f"type=1,manufacturer=Amazon EC2,product=t3.small,serial={_UUID},uuid={_UUID}",
    "type=3,manufacturer=Amazon EC2",
)


_KERNEL = "no_timer_check mitigations=off"
"""On a busy machine the test of the timer fails, and the kernel stops there. What keeps processors
from leaking has nothing to keep on an emulated one, and costs."""


@dataclass(frozen=True, kw_only=True)
class Key:
    """A key pair.

    Args:
        private: The file with the private half.
        public: The public half as sshd reads it.
    """

    private: Path
    public: str


def key(name: str) -> Key:
    """Return a key pair of the lab's, made when it is first asked for."""
    file = CACHE / "keys" / name
    # The first servers of a machine all ask for it at once.
    with one_at_a_time("keys"):
        if not file.with_suffix(".pub").exists():
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            file.unlink(missing_ok=True)
            must("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(file))
    return Key(private=file, public=file.with_suffix(".pub").read_text(encoding="ascii").strip())


class Guest:
    """A server that is switched on.

    Args:
        image: What it boots.
        network: Where it is plugged in.
        folder: For its disk, console and host key.
        admin_key: The key of its administrator.
    """

    def __init__(self, image: Image, network: Network, folder: Path, admin_key: Key) -> None:
        self.network = network
        self.admin = ADMIN
        self.admin_key = admin_key
        self.console_log = folder / "console.log"
        self.switched_on = 0.0
        self.made = time.time()
        self._image = image
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._disk = folder / "disk.qcow2"
        must(
            *("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", str(image.disk)),
            str(self._disk),
        )

    def switch_on(self) -> None:
        """Start the machine."""
        self.switched_on = time.monotonic()
        with (self._folder / "qemu.log").open("ab") as log:
            self._process = start(self.network.router.command(*self._qemu()), log)

    def cpu_seconds(self) -> float:
        """Return the processor's time that the machine took so far, of this computer's."""
        if self._process is None:
            return 0.0
        stat = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="ascii")
        # Behind the name, which may have spaces, the 12th and 13th word: user and system time.
        ticks = stat.rpartition(")")[2].split()[11:13]
        return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")

    def switch_off(self) -> None:
        """Take the power away: the disk keeps what the server had synced, and nothing more."""
        if self._process is not None:
            # Asked, QEMU ends without telling the guest, but writes down what it holds of the disk.
            stop(self._process)
            self._process = None

    def console(self) -> str:
        """Return everything that the serial console showed."""
        if not self.console_log.exists():
            return ""
        return self.console_log.read_text(encoding="utf-8", errors="replace")

    def ssh(
        self,
        *command: str,
        user: str | None = None,
        client: Client | None = None,
        identity: Key | None = None,
        stdin: str | None = None,
        options: tuple[str, ...] = (),
        timeout: float = 120,
    ) -> "subprocess.CompletedProcess[str]":
        """Log in with a key and run a command.

        Args:
            command: What to run; nothing is a shell.
            user: The login. Default: the administrator.
            client: From where. Default: the administrator's place.
            identity: The key. Default: the administrator's.
            stdin: What the command reads.
            options: More options of ssh(1).
            timeout: Seconds until it counts as hanging.
        """
        return run(
            *self.ssh_command(*options, client=client, identity=identity),
            f"{user or self.admin}@{SERVER}",
            *command,
            stdin=stdin,
            timeout=timeout,
        )

    def ssh_command(
        self, *options: str, client: Client | None = None, identity: Key | None = None
    ) -> tuple[str, ...]:
        """Return the beginning of an ssh command, up to the destination."""
        client = client or self.network.admin
        return client.command(
            *("ssh", "-F", "none", "-b", client.address, "-o", "BatchMode=yes"),
            *("-o", "IdentitiesOnly=yes", "-i", str((identity or self.admin_key).private)),
            *self.known_host(),
            *options,
        )

    def known_host(self) -> tuple[str, ...]:
        """Return options of ssh: the first host key is taken, any other one later refused."""
        return (
            *("-o", "StrictHostKeyChecking=accept-new", "-o", "ConnectTimeout=60"),
            *("-o", f"UserKnownHostsFile={self._folder / 'known_hosts'}"),
            *("-o", "LogLevel=ERROR"),
        )

    def root(self, script: str, *, timeout: float = 300) -> str:
        """Run a script as root, through the administrator's sudo; it must succeed.

        Raises:
            LabError: If it did not.
        """
        done = self.ssh("sudo", "sh", "-eu", stdin=script, timeout=timeout)
        if done.returncode:
            raise LabError(
                f"exit code {done.returncode} in the guest from\n{script}\n"
                f"{done.stdout}{done.stderr}"
            )
        return done.stdout

    def put(self, file: str, text: str) -> None:
        """Write a file as root.

        Raises:
            LabError: If it could not be written.
        """
        done = self.ssh("sudo", "sh", "-c", f"'cat >{file}'", stdin=text, timeout=600)
        if done.returncode:
            raise LabError(f"{file} could not be written in the guest: {done.stderr}")

    def wait_for_login(self, seconds: float = BOOT_SECONDS) -> float:
        """Wait until the administrator's key opens a session.

        Returns:
            The seconds since the machine was switched on.

        Raises:
            LabError: If it does not in time, or the machine is gone.
        """
        deadline = time.monotonic() + seconds
        while self.ssh("true", timeout=180).returncode:
            self._still_on()
            if time.monotonic() > deadline:
                raise LabError(f"nobody could log in after {seconds:.0f} s:\n{self._tail()}")
            time.sleep(1)
        return time.monotonic() - self.switched_on

    def wait_until_booted(self) -> None:
        """Wait until cloud-init is done and systemd has nothing left to start.

        Not for ever: a boot that hangs has to be seen, with all that hangs in it.
        """
        waiting = "cloud-init status --wait >/dev/null; systemctl is-system-running --wait"
        limit = str(SETTLE_SECONDS)
        self.ssh(
            *("sudo", "timeout", limit, "sh", "-c", f"'{waiting}'"), timeout=SETTLE_SECONDS + 60
        )

    def reboot(self) -> float:
        """Reboot in an orderly way.

        Returns:
            The seconds until the administrator was in again.
        """
        before = self._boot_id()
        started = time.monotonic()
        self.ssh("sudo", "systemctl", "reboot")
        while self._boot_id() in (before, ""):
            self._still_on()
            if time.monotonic() > started + BOOT_SECONDS:
                raise LabError(f"it did not come back from a reboot:\n{self._tail()}")
            time.sleep(1)
        return time.monotonic() - started

    def _boot_id(self) -> str:
        return self.ssh("cat", "/proc/sys/kernel/random/boot_id", timeout=180).stdout.strip()

    def _still_on(self) -> None:
        if self._process is None or self._process.poll() is not None:
            log = (self._folder / "qemu.log").read_text(encoding="utf-8", errors="replace")
            raise LabError(f"the machine is off:\n{log}\n{self._tail()}")

    def _tail(self) -> str:
        return "\n".join(self.console().splitlines()[-60:])

    def _qemu(self) -> tuple[str, ...]:
        return (
            # Software emulation: /dev/kvm may exist and hang, and a proof must run anywhere. One
            # processor, because with more a kernel that patches itself can trip over its own
            # breakpoints ("Oops: int3"); no fifth level of page tables, which only costs time.
            *("qemu-system-x86_64", "-machine", "q35", "-accel", "tcg,tb-size=512"),
            *("-cpu", "max,la57=off", "-smp", "1", "-m", "1024", "-nodefaults", "-display", "none"),
            *("-drive", f"file={self._disk},if=virtio,format=qcow2,cache=unsafe"),
            *("-netdev", f"tap,id=net,ifname={TAP},script=no,downscript=no"),
            *("-device", f"virtio-net-pci,netdev=net,mac={MAC}", "-device", "virtio-rng-pci"),
            *("-chardev", f"file,id=console,path={self.console_log},append=on"),
            *("-serial", "chardev:console"),
            *("-kernel", str(self._image.kernel), "-initrd", str(self._image.initrd)),
            *("-append", f"root=/dev/vda rw console=ttyS0 net.ifnames=0 {_KERNEL} quiet"),
            *(word for value in _SMBIOS for word in ("-smbios", value)),
        )


@contextmanager
def guest(image: Image, network: Network, admin_key: Key, console: Path) -> Iterator[Guest]:
    """Give a server with a fresh disk, still switched off; it is switched off in the end.

    Args:
        image: What it boots.
        network: Where it is plugged in.
        admin_key: The key of its administrator.
        console: Where the log of its console is left.
    """
    folder = Path(tempfile.mkdtemp(dir=network.folder, prefix=f"{INSTANCE_ID}-"))
    machine = Guest(image, network, folder, admin_key)
    try:
        yield machine
    finally:
        machine.switch_off()
        if machine.console_log.exists():
            console.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(machine.console_log, console)
