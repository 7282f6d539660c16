"""A disk image of a server as a cloud vendor ships it: Debian, cloud-init, sshd, no keys yet.

Made from the packages of the mirror that this machine uses itself. The root is kept as a tar and
the disk as a raw image, each under a digest of everything that it is made from.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from lab.commands import LabError, must, progress

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hardened-ec2"
"""What may be kept between runs, of every checkout: images, and the keys that they let in."""

_VERSION = 1
"""Raise it when the way an image is made changes, so that no older image is taken for one."""

_DAY = 86_400
_DISK = "2G"
_RESOLVER = "../run/systemd/resolve/stub-resolv.conf"
_COMMON = (
    *("linux-image-cloud-amd64", "initramfs-tools", "systemd-sysv", "dbus", "libpam-systemd"),
    *("openssh-server", "cloud-init", "cloud-guest-utils", "gdisk", "sudo", "procps", "kmod"),
    *("iproute2", "netbase", "nftables", "curl", "ca-certificates"),
    # What controls are about: without it they would have nothing to do.
    *("auditd", "cron", "rpcbind", "unattended-upgrades"),
)


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """A Debian release, with the network stack that its cloud images have.

    Args:
        suite: The release's code name.
        title: What people call it.
        networking: Packages that bring up the network.
        networking_service: The unit that they restart.
        clock: The package that sets the time.
        unwanted: Packages that Debian calls important, and its cloud images do not have.
        additional: Packages of whoever made the image. Default: none.
    """

    suite: str
    title: str
    networking: tuple[str, ...]
    networking_service: str
    clock: str
    unwanted: tuple[str, ...] = ()
    additional: tuple[str, ...] = ()

    @property
    def packages(self) -> tuple[str, ...]:
        """Everything that is installed beside the essential and important packages."""
        return (*_COMMON, *self.networking, self.clock, *self.additional)


BOOKWORM = Distribution(
    suite="bookworm",
    title="Debian 12",
    networking=("ifupdown", "isc-dhcp-client"),
    networking_service="networking.service",
    clock="chrony",
)
TRIXIE = Distribution(
    suite="trixie",
    title="Debian 13",
    networking=("netplan.io", "systemd-resolved", "dhcpcd-base"),
    networking_service="systemd-networkd.service",
    clock="systemd-timesyncd",
    # Beside netplan it makes cloud-init call itself degraded.
    unwanted=("ifupdown",),
)


@dataclass(frozen=True, kw_only=True)
class File:
    """A file to put into an image.

    Args:
        text: What it holds.
        mode: Its mode; the owner is root.
    """

    text: str
    mode: int = 0o644


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What an image has beside Debian's packages.

    Args:
        files: By path; each replaces what is there.
        commands: Shell, run in the root as root, after the files are there.
    """

    files: Mapping[str, File] = field(default_factory=dict)
    commands: tuple[str, ...] = ()

    def __add__(self, other: "Recipe") -> "Recipe":
        """Return both, this one first."""
        return Recipe(
            files={**self.files, **other.files}, commands=(*self.commands, *other.commands)
        )


@dataclass(frozen=True, kw_only=True)
class Image:
    """A disk to boot from, and the kernel to boot it with. Read only: guests write to overlays."""

    disk: Path
    kernel: Path
    initrd: Path


_PATIENT = """\
[Manager]
DefaultTimeoutStartSec=15min
DefaultTimeoutStopSec=5min
DefaultDeviceTimeoutSec=15min
"""
"""A busy machine that emulates is no server on which something hangs; older ones do not know the
last line, and say so."""

# No name service until DHCP brings one: cloud-init waits 40 s, twice, for one that is not there.
_CLOUD = Recipe(
    files={
        "/etc/systemd/system.conf.d/lab.conf": File(text=_PATIENT),
        "/etc/fstab": File(text="/dev/vda / ext4 errors=remount-ro 0 1\n"),
        "/etc/hostname": File(text="localhost\n"),
        "/etc/machine-id": File(text=""),
        "/etc/cloud/cloud.cfg.d/90-lab.cfg": File(
            text="datasource_list: [Ec2]\nlocale: C.UTF-8\nmanage_etc_hosts: true\n"
        ),
    },
    commands=(
        "rm -f /etc/ssh/ssh_host_* /var/lib/dbus/machine-id /etc/apt/sources.list",
        "rm -rf /var/lib/cloud /var/log/cloud-init*",
        "rm -f /etc/resolv.conf",
        ": >/etc/resolv.conf",
        # Where there is a resolver of systemd's, it is asked.
        f"test ! -e /lib/systemd/systemd-resolved || ln -sf {_RESOLVER} /etc/resolv.conf",
    ),
)


def build_image(distribution: Distribution, recipe: Recipe) -> Image:
    """Make a disk image, or take the one that was made before from the same.

    Args:
        distribution: What it is made of.
        recipe: What it has beside.

    Returns:
        The image, in the cache.

    Raises:
        LabError: If a step failed.
    """
    recipe = _CLOUD + recipe
    with one_at_a_time("images"):
        tar = _root_tar(distribution)
        name = _digest([tar.parent.name, _DISK, *recipe.commands, *_described(recipe.files)])
        folder = CACHE / f"{distribution.suite}-{name}"
        if not folder.is_dir():
            progress(f"making a {distribution.title} disk image")
            with _beside(folder) as fresh:
                _make_disk(tar, recipe, fresh)
        folder.touch()
        _forget(f"{distribution.suite}-*")
    return Image(disk=folder / "disk", kernel=folder / "kernel", initrd=folder / "initrd")


def _make_disk(tar: Path, recipe: Recipe, folder: Path) -> None:
    root = folder / "root"
    root.mkdir()
    must("tar", "--extract", "--numeric-owner", f"--file={tar}", f"--directory={root}", timeout=300)
    for path, file in recipe.files.items():
        target = root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        target.write_text(file.text, encoding="utf-8")
        target.chmod(file.mode)
    for command in recipe.commands:
        must("chroot", str(root), "sh", "-euc", command)
    for name, pattern in (("kernel", "vmlinuz-*"), ("initrd", "initrd.img-*")):
        (found,) = (root / "boot").glob(pattern)
        shutil.copy(found, folder / name)
    must("mke2fs", "-q", "-t", "ext4", "-d", str(root), str(folder / "disk"), _DISK, timeout=300)
    shutil.rmtree(root)


def _root_tar(distribution: Distribution) -> Path:
    name = _digest([json.dumps(asdict(distribution), sort_keys=True), *distribution.packages])
    folder = CACHE / f"root-{distribution.suite}-{name}"
    if not folder.is_dir():
        progress(f"installing {distribution.title} from packages")
        with _beside(folder) as fresh:
            must(
                *("mmdebstrap", "--mode=root", "--variant=important", "--format=tar", "--quiet"),
                f"--include={','.join(distribution.packages)}",
                *(f"--aptopt={option}" for option in _apt_options()),
                *(
                    f'--customize-hook=chroot "$1" dpkg --purge {package}'
                    for package in distribution.unwanted
                ),
                *(distribution.suite, str(fresh / "root.tar"), _mirror()),
                timeout=1200,
            )
    folder.touch()
    _forget(f"root-{distribution.suite}-*")
    return folder / "root.tar"


def unpacked(suite: str, package: str) -> Path:
    """Unpack one package of a release, or take what was unpacked before.

    Args:
        suite: The release's code name.
        package: The package; nothing that it depends on.

    Returns:
        The folder, in the cache.
    """
    with one_at_a_time("images"):
        folder = CACHE / f"package-{suite}-{package}"
        if not folder.is_dir():
            progress(f"unpacking {package} of {suite}")
            with _beside(folder) as fresh:
                must(
                    *("mmdebstrap", "--mode=root", "--variant=extract", "--quiet"),
                    *(f"--include={package}", *(f"--aptopt={each}" for each in _apt_options())),
                    *(suite, str(fresh), _mirror()),
                    timeout=600,
                )
        folder.touch()
        _forget(f"package-{suite}-*")
    return folder


def _mirror() -> str:
    """Find the Debian mirror of this machine's own apt configuration."""
    listed = must(
        *("apt-get", "indextargets", "--format", "$(LABEL) $(COMPONENT) $(REPO_URI)"),
        "Created-By: Packages",
    )
    for line in listed.splitlines():
        if (words := line.split())[:2] == ["Debian", "main"]:
            return words[2]
    raise LabError("apt knows no Debian mirror here: run apt-get update, or add one to its sources")


def _apt_options() -> list[str]:
    """Find how this machine's apt reaches its mirror: mmdebstrap starts from nothing."""
    listed = must("apt-config", "dump")
    # Packages are unpacked by root in a folder that only root reads.
    return [
        'APT::Sandbox::User "root"',
        *re.findall(r"^(Acquire::https?::Proxy\S* .*);$", listed, re.MULTILINE),
    ]


@contextmanager
def _beside(folder: Path) -> Iterator[Path]:
    """Make a folder that takes its name only when it is whole."""
    CACHE.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(dir=CACHE, prefix="unfinished-") as scratch:
        fresh = Path(scratch) / "fresh"
        fresh.mkdir()
        yield fresh
        fresh.rename(folder)


def _forget(pattern: str) -> None:
    """Remove what no run has used for a day."""
    for folder in CACHE.glob(pattern):
        if folder.stat().st_mtime < time.time() - _DAY:
            shutil.rmtree(folder)


@contextmanager
def one_at_a_time(what: str) -> Iterator[None]:
    """Wait while somebody else makes what is kept: it may be the same thing.

    Args:
        what: What is made. Who makes something else is not waited for.
    """
    CACHE.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (CACHE / f"{what}.lock").open("w", encoding="ascii") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _described(files: Mapping[str, File]) -> list[str]:
    return [f"{path} {file.mode:o} {file.text}" for path, file in files.items()]


def _digest(parts: list[str]) -> str:
    text = json.dumps([_VERSION, os.uname().machine, *parts])
    return hashlib.sha256(text.encode()).hexdigest()[:16]
