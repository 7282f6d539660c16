"""One server: a QEMU machine that cloud-init identifies as an EC2 instance."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.cache import CACHE, one_at_a_time
from lab.commands import LabError, must, run, start, stop
from lab.machines.image import Image
from lab.machines.metadata_service import INSTANCE_ID
from lab.machines.network import MAC, SERVER, TAP, Client, Network

ADMIN = "debian"
"""The default user of Debian's cloud-init."""

BOOT_SECONDS = 1200
"""The limit of a boot on a busy machine; an idle one takes two minutes."""

SETTLE_SECONDS = 600
"""The limit from the first login to the end of the boot; an idle machine takes a minute."""

# cloud-init identifies EC2 by a UUID and a serial number that are equal and begin with "ec2".
_UUID = "ec2e1916-9099-7caf-fd21-012345abcdef"
_SMBIOS = (
    "type=0,vendor=Amazon EC2",
    f"type=1,manufacturer=Amazon EC2,product=t3.small,serial={_UUID},uuid={_UUID}",
    "type=3,manufacturer=Amazon EC2",
)


_KERNEL = "no_timer_check mitigations=off"
"""The kernel's timer check fails on a busy machine, and the kernel then panics. Mitigations of CPU
flaws cost time, and an emulated CPU has no such flaws."""


@dataclass(frozen=True, kw_only=True)
class Key:
    """A key pair.

    Args:
        private: The private key's file.
        public: The public key as a line of authorized_keys.
    """

    private: Path
    public: str


def key(name: str) -> Key:
    """Return a key pair from the cache, generated on first use.

    Args:
        name: The key pair's name.
    """
    file = CACHE / "keys" / name
    # Servers that boot side by side ask for the same key.
    with one_at_a_time("keys"):
        if not file.with_suffix(".pub").exists():
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            file.unlink(missing_ok=True)
            must("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(file))
    return Key(private=file, public=file.with_suffix(".pub").read_text(encoding="ascii").strip())


class Guest:
    """A server, powered off until `power_on`.

    Args:
        image: The image to boot.
        network: The network to attach to.
        folder: The folder of its disk, console log and known_hosts.
        admin_key: The administrator's key pair.
    """

    def __init__(self, image: Image, network: Network, folder: Path, admin_key: Key) -> None:
        self.network = network
        self.admin = ADMIN
        self.admin_key = admin_key
        self.console_log = folder / "console.log"
        self.powered_on = 0.0
        self.created = time.time()
        self._image = image
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._disk = folder / "disk.qcow2"
        must(
            *("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", str(image.disk)),
            str(self._disk),
        )

    def power_on(self) -> None:
        """Power the machine on."""
        self.powered_on = time.monotonic()
        with (self._folder / "qemu.log").open("ab") as log:
            self._process = start(self.network.router.command(*self._qemu()), log)

    def cpu_seconds(self) -> float:
        """Return the CPU seconds that QEMU has used so far."""
        if self._process is None:
            return 0.0
        stat = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="ascii")
        # User and system time are words 12 and 13 after the name, which may contain spaces.
        ticks = stat.rpartition(")")[2].split()[11:13]
        return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")

    def cut_power(self) -> None:
        """Cut the power: the disk keeps only what the server had synced."""
        if self._process is not None:
            # On SIGTERM QEMU stops without telling the guest, but flushes its own disk cache.
            stop(self._process)
            self._process = None

    def console(self) -> str:
        """Return the serial console's output so far."""
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
            command: The command and its arguments. Default: a login shell.
            user: The user to log in as. Default: the administrator.
            client: The client that connects. Default: the administrator's client.
            identity: The key pair. Default: the administrator's.
            stdin: The command's standard input. Default: empty.
            options: More options of ssh(1). Default: none.
            timeout: Seconds until the command is killed. Default: 120.
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
        """Return an ssh command line up to, and without, the destination."""
        client = client or self.network.admin
        return client.command(
            *("ssh", "-F", "none", "-b", client.address, "-o", "BatchMode=yes"),
            *("-o", "IdentitiesOnly=yes", "-i", str((identity or self.admin_key).private)),
            *self.known_host(),
            *options,
        )

    def known_host(self) -> tuple[str, ...]:
        """Return ssh options that trust the first host key and refuse any later change."""
        return (
            *("-o", "StrictHostKeyChecking=accept-new", "-o", "ConnectTimeout=60"),
            *("-o", f"UserKnownHostsFile={self._folder / 'known_hosts'}"),
            *("-o", "LogLevel=ERROR"),
        )

    def root(self, script: str, *, timeout: float = 300) -> str:
        """Run a shell script as root, through the administrator's sudo, and return its output.

        Args:
            script: POSIX sh, run with -eu.
            timeout: Seconds until the script is killed. Default: 300.

        Raises:
            LabError: If the script fails.
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

        Args:
            file: The file's path in the guest.
            text: The file's content.

        Raises:
            LabError: If the file cannot be written.
        """
        done = self.ssh("sudo", "sh", "-c", f"'cat >{file}'", stdin=text, timeout=600)
        if done.returncode:
            raise LabError(
                f"cannot write {file} in the guest: exit code {done.returncode}: {done.stderr}"
            )

    def wait_for_login(self, seconds: float = BOOT_SECONDS) -> float:
        """Wait until the administrator can log in by key.

        Args:
            seconds: The limit. Default: `BOOT_SECONDS`.

        Returns:
            Seconds since the machine was powered on.

        Raises:
            LabError: If the limit passes, or the machine powers off.
        """
        deadline = time.monotonic() + seconds
        while self.ssh("true", timeout=180).returncode:
            self._still_on()
            if time.monotonic() > deadline:
                raise LabError(f"no login within {seconds:.0f} s:\n{self._tail()}")
            time.sleep(1)
        return time.monotonic() - self.powered_on

    def wait_until_booted(self) -> None:
        """Wait until cloud-init and systemd have finished, for at most `SETTLE_SECONDS`.

        A boot that hangs is no error here: the observations show which units hang.
        """
        waiting = "cloud-init status --wait >/dev/null; systemctl is-system-running --wait"
        limit = str(SETTLE_SECONDS)
        self.ssh(
            *("sudo", "timeout", limit, "sh", "-c", f"'{waiting}'"), timeout=SETTLE_SECONDS + 60
        )

    def reboot(self) -> float:
        """Reboot through systemd.

        Returns:
            Seconds until the administrator could log in again.

        Raises:
            LabError: If the server does not come back within `BOOT_SECONDS`.
        """
        before = self._boot_id()
        started = time.monotonic()
        self.ssh("sudo", "systemctl", "reboot")
        while self._boot_id() in (before, ""):
            self._still_on()
            if time.monotonic() > started + BOOT_SECONDS:
                raise LabError(f"no login within {BOOT_SECONDS} s of a reboot:\n{self._tail()}")
            time.sleep(1)
        return time.monotonic() - started

    def _boot_id(self) -> str:
        return self.ssh("cat", "/proc/sys/kernel/random/boot_id", timeout=180).stdout.strip()

    def _still_on(self) -> None:
        if self._process is None or self._process.poll() is not None:
            log = (self._folder / "qemu.log").read_text(encoding="utf-8", errors="replace")
            raise LabError(f"the machine powered off:\n{log}\n{self._tail()}")

    def _tail(self) -> str:
        return "\n".join(self.console().splitlines()[-60:])

    def _qemu(self) -> tuple[str, ...]:
        return (
            # TCG: /dev/kvm may exist and hang. One CPU: with more, a kernel that patches itself can
            # hit its own breakpoints ("Oops: int3"). Five-level page tables only cost time.
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
    """Yield a server with a fresh disk, powered off before and after the block.

    Args:
        image: The image to boot.
        network: The network to attach to.
        admin_key: The administrator's key pair.
        console: The file that receives the console log.
    """
    folder = Path(tempfile.mkdtemp(dir=network.folder, prefix=f"{INSTANCE_ID}-"))
    machine = Guest(image, network, folder, admin_key)
    try:
        yield machine
    finally:
        machine.cut_power()
        if machine.console_log.exists():
            console.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(machine.console_log, console)
