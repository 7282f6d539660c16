"""Modules that are not loaded, as modprobe tells, and those that must be."""

import pytest

from tests.host.machine import Machine
from tests.host.steps import apply, assert_settles, holds, stub

pytestmark = [pytest.mark.host, pytest.mark.payload]

STRICT = {"PROFILE": "strict"}
FILE = "/etc/modprobe.d/hardened-ec2.conf"


def denied(host: Machine, module: str) -> bool:
    return host.run("modprobe", "-n", "-v", module).stdout.strip() == "install /bin/false"


@pytest.fixture
def without_squashfs(host: Machine) -> Machine:
    host.write("/run/filesystems", "nodev\ttmpfs\n\text4\n")
    host.sh("mount --bind /run/filesystems /proc/filesystems")
    return host


@pytest.mark.parametrize("profile", ["baseline", "strict"])
def test_every_module_of_the_list_is_denied(without_squashfs: Machine, profile: str) -> None:
    host = without_squashfs
    before = holds(host, "kernel-modules", profile)
    assert len(before) == {"baseline": 11, "strict": 12}[profile]
    assert not any(before.values())
    assert_settles(host, "kernel-modules", {"PROFILE": profile})
    assert all(holds(host, "kernel-modules", profile).values())


def test_what_boots_and_what_containers_use_stays(without_squashfs: Machine) -> None:
    apply(without_squashfs, "kernel-modules", STRICT)
    for module in ("vfat", "overlay", "br_netfilter", "ext4", "xfs", "nf_tables", "ena", "nvme"):
        assert not denied(without_squashfs, module)


def test_squashfs_stays_in_baseline(without_squashfs: Machine) -> None:
    apply(without_squashfs, "kernel-modules")
    assert not denied(without_squashfs, "squashfs")


def test_squashfs_stays_where_snaps_are(without_squashfs: Machine) -> None:
    stub(without_squashfs, "snap")
    apply(without_squashfs, "kernel-modules", STRICT)
    assert not denied(without_squashfs, "squashfs")
    assert denied(without_squashfs, "cramfs")


def test_squashfs_stays_where_the_kernel_has_it(without_squashfs: Machine) -> None:
    without_squashfs.write("/run/filesystems", "\tsquashfs\n")
    apply(without_squashfs, "kernel-modules", STRICT)
    assert "squashfs" not in without_squashfs.read(FILE)
