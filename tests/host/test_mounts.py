"""Mount options of shared directories: what a program in them can do, before and after."""

import pytest

from tests.host.machine import Machine
from tests.host.steps import apply, assert_settles, holds, stub

pytestmark = [pytest.mark.host, pytest.mark.payload]

STRICT = {"PROFILE": "strict"}
NOBODY = 65534


@pytest.fixture
def mounted(host: Machine) -> Machine:
    """A host with file systems of their own there, as systemd mounts them."""
    host.sh("mount -t tmpfs -o mode=1777 tmpfs /tmp; mount -t tmpfs -o mode=1777 tmpfs /dev/shm")
    return host


def options(host: Machine, path: str) -> set[str]:
    done = host.run("findmnt", "-nro", "VFS-OPTIONS", "-M", path)
    return {*done.stdout.strip().split(",")} - {"relatime", ""}


def becomes_root(host: Machine, directory: str) -> bool:
    """Return whether a set-uid program in there makes root of nobody."""
    host.sh(f"cp /usr/bin/id {directory}/id.hardened-ec2; chmod 4755 {directory}/id.hardened-ec2")
    try:
        done = host.run(f"{directory}/id.hardened-ec2", "-u", uid=NOBODY)
    finally:
        host.sh(f"rm {directory}/id.hardened-ec2")
    assert done.returncode in (0, 126), done.stderr
    return done.stdout == "0\n"


def runs(host: Machine, directory: str) -> bool:
    host.sh(f"cp /usr/bin/true {directory}/true.hardened-ec2")
    try:
        return host.run(f"{directory}/true.hardened-ec2").returncode == 0
    finally:
        host.sh(f"rm {directory}/true.hardened-ec2")


@pytest.mark.parametrize("profile", ["baseline", "strict"])
def test_every_option_is_set(mounted: Machine, profile: str) -> None:
    before = holds(mounted, "mount-options", profile)
    assert not any(before.values())
    assert_settles(mounted, "mount-options", {"PROFILE": profile})
    after = holds(mounted, "mount-options", profile)
    assert after.keys() == before.keys()
    assert all(after.values()), after


def test_what_programs_there_can_do(mounted: Machine) -> None:
    for directory in ("/tmp", "/dev/shm"):  # noqa: S108
        assert becomes_root(mounted, directory)
        assert runs(mounted, directory)
    apply(mounted, "mount-options")
    assert not becomes_root(mounted, "/tmp")  # noqa: S108
    assert runs(mounted, "/tmp")  # noqa: S108
    assert not runs(mounted, "/dev/shm")  # noqa: S108
    apply(mounted, "mount-options", STRICT)
    assert not runs(mounted, "/tmp")  # noqa: S108


def test_a_directory_that_is_no_mount_becomes_one_with_the_same_files(host: Machine) -> None:
    # Under /dev lies a covered /dev/shm that a plain list of mounts still shows.
    host.sh("umount -l /tmp 2>/dev/null || :; mount --bind / /mnt")
    host.write("/tmp/kept.hardened-ec2", "kept\n")  # noqa: S108
    try:
        assert becomes_root(host, "/tmp")  # noqa: S108
        assert runs(host, "/dev/shm")  # noqa: S108
        assert_settles(host, "mount-options")
        assert host.read("/tmp/kept.hardened-ec2") == "kept\n"  # noqa: S108
    finally:
        host.sh("rm /tmp/kept.hardened-ec2")
    assert not becomes_root(host, "/tmp")  # noqa: S108
    assert not runs(host, "/dev/shm")  # noqa: S108
    # The file system that it is a part of keeps its own options.
    assert "nodev" not in options(host, "/mnt")


def test_options_that_a_mount_has_are_kept(mounted: Machine) -> None:
    mounted.sh("mount -o remount,bind,noexec,ro /tmp")
    assert_settles(mounted, "mount-options")
    assert options(mounted, "/tmp") == {"ro", "nosuid", "nodev", "noexec"}  # noqa: S108


def test_a_link_is_left(mounted: Machine) -> None:
    mounted.sh("umount /dev/shm; rmdir /dev/shm; ln -s /run /dev/shm")
    before = options(mounted, "/run")
    assert apply(mounted, "mount-options").outcome == "changed"
    assert options(mounted, "/run") == before


def test_a_mount_that_cannot_be_changed_is_a_failure(mounted: Machine) -> None:
    stub(mounted, "mount", "exit 32")
    assert apply(mounted, "mount-options").outcome == "failed"


def test_nothing_is_left_that_could_stop_a_boot(mounted: Machine) -> None:
    before = mounted.sh("find /etc -type f -exec sha256sum {} + | sort")
    apply(mounted, "mount-options", STRICT)
    assert mounted.sh("find /etc -type f -exec sha256sum {} + | sort") == before
