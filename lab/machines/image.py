"""A server's disk image as a cloud vendor ships it: Debian, cloud-init, sshd, no host keys.

Built from the packages of this machine's own Debian mirror. The root file system is cached as a tar
and the disk as a raw image, each under a digest of everything it is built from.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from lab.cache import CACHE, complete, one_at_a_time, remove_unused
from lab.commands import LabError, must, progress
from lab.machines.distribution import Distribution

_VERSION = 1
"""Raise it when the recipe below changes, so that no older image is reused."""

_DISK = "2G"
_RESOLVER = "../run/systemd/resolve/stub-resolv.conf"


@dataclass(frozen=True, kw_only=True)
class File:
    """A file of an image, owned by root.

    Args:
        text: The file's content.
        mode: The file's mode. Default: 0644.
    """

    text: str
    mode: int = 0o644


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Files and commands that an image has on top of Debian's packages.

    Args:
        files: Absolute path to file; each replaces an existing one. Default: none.
        commands: Shell commands, run as root in the image after the files are written.
            Default: none.
    """

    files: Mapping[str, File] = field(default_factory=dict)
    commands: tuple[str, ...] = ()

    def __add__(self, other: "Recipe") -> "Recipe":
        """Return both recipes as one, this one first."""
        return Recipe(
            files={**self.files, **other.files}, commands=(*self.commands, *other.commands)
        )


@dataclass(frozen=True, kw_only=True)
class Image:
    """A disk and the kernel that boots it. Read-only: guests write to overlays."""

    disk: Path
    kernel: Path
    initrd: Path


_PATIENT = """\
[Manager]
DefaultTimeoutStartSec=15min
DefaultTimeoutStopSec=5min
DefaultDeviceTimeoutSec=15min
"""
"""Emulation on a busy machine exceeds systemd's own timeouts. Debian 12's systemd warns about the
last line, which it does not know."""

# resolv.conf stays empty until DHCP fills it: cloud-init waits 40 s, twice, for an absent resolver.
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
        # systemd-resolved answers where it is installed.
        f"test ! -e /lib/systemd/systemd-resolved || ln -sf {_RESOLVER} /etc/resolv.conf",
    ),
)


def build_image(distribution: Distribution, recipe: Recipe) -> Image:
    """Build a disk image, or return the cached one with the same digest.

    Args:
        distribution: The Debian release.
        recipe: Files and commands on top of its packages.

    Returns:
        The image, in the cache.

    Raises:
        LabError: If a step of the build fails.
    """
    recipe = _CLOUD + recipe
    with one_at_a_time("images"):
        tar = _root_tar(distribution)
        name = _digest([tar.parent.name, _DISK, *recipe.commands, *_described(recipe.files)])
        folder = CACHE / f"{distribution.suite}-{name}"
        if not folder.is_dir():
            progress(f"building a {distribution.title} disk image")
            with complete(folder) as fresh:
                _make_disk(tar, recipe, fresh)
        folder.touch()
        remove_unused(f"{distribution.suite}-*")
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
        with complete(folder) as fresh:
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
    remove_unused(f"root-{distribution.suite}-*")
    return folder / "root.tar"


def unpacked(suite: str, package: str) -> Path:
    """Unpack one package of a release, without its dependencies, or return the cached folder.

    Args:
        suite: The release's code name.
        package: The package's name.

    Returns:
        The folder, in the cache.

    Raises:
        LabError: If the package cannot be unpacked.
    """
    with one_at_a_time("images"):
        folder = CACHE / f"package-{suite}-{package}"
        if not folder.is_dir():
            progress(f"unpacking {package} of {suite}")
            with complete(folder) as fresh:
                must(
                    *("mmdebstrap", "--mode=root", "--variant=extract", "--quiet"),
                    *(f"--include={package}", *(f"--aptopt={each}" for each in _apt_options())),
                    *(suite, str(fresh), _mirror()),
                    timeout=600,
                )
        folder.touch()
        remove_unused(f"package-{suite}-*")
    return folder


def _mirror() -> str:
    """Return the Debian mirror in this machine's apt configuration."""
    listed = must(
        *("apt-get", "indextargets", "--format", "$(LABEL) $(COMPONENT) $(REPO_URI)"),
        "Created-By: Packages",
    )
    for line in listed.splitlines():
        if (words := line.split())[:2] == ["Debian", "main"]:
            return words[2]
    raise LabError(
        "apt has no Debian mirror on this machine: run apt-get update, or add one to its sources"
    )


def _apt_options() -> list[str]:
    """Return this machine's apt options for its mirror: mmdebstrap starts without them."""
    listed = must("apt-config", "dump")
    # The cache is readable by root only, so the sandbox user _apt cannot unpack there.
    return [
        'APT::Sandbox::User "root"',
        *re.findall(r"^(Acquire::https?::Proxy\S* .*);$", listed, re.MULTILINE),
    ]


def _described(files: Mapping[str, File]) -> list[str]:
    return [f"{path} {file.mode:o} {file.text}" for path, file in files.items()]


def _digest(parts: list[str]) -> str:
    text = json.dumps([_VERSION, os.uname().machine, *parts])
    return hashlib.sha256(text.encode()).hexdigest()[:16]
