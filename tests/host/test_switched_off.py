"""A control that is switched off later: what it wrote goes, at once or at the next boot."""

import pytest

from hardened_ec2.host import CONTROLS, HostHardening
from tests.host.boot import Run, boot
from tests.host.machine import Machine

pytestmark = pytest.mark.host

FIREWALL = "/etc/hardened-ec2/firewall.nft"
UNIT = "/etc/systemd/system/hardened-ec2-firewall.service"
WANTED = "/etc/systemd/system/sysinit.target.wants/hardened-ec2-firewall.service"
MODULES = "/etc/modprobe.d/hardened-ec2.conf"
NAMED = {"host-firewall", "kernel-modules", "sysctl-kernel", "sudo-pty", "login-umask"}


def hardening(*names: str) -> HostHardening:
    """Return strict with the core and these controls alone."""
    rest = [each.name for each in CONTROLS if not each.core and each.name not in names]
    return HostHardening(profile="strict", without=rest)


def ours(host: Machine) -> set[str]:
    return {*host.sh("find /etc -path '*hardened-ec2*' ! -type d").split()}


def well(run: Run) -> Run:
    assert run.exit_code == 0, run.steps
    return run


def test_a_control_that_is_switched_off_loses_its_files(host: Machine) -> None:
    well(boot(host, hardening()))
    core = ours(host)
    well(boot(host, hardening(*NAMED)))
    assert ours(host) - core >= {FIREWALL, UNIT, WANTED, MODULES}
    result = well(boot(host, hardening(*(NAMED - {"kernel-modules"}))))
    assert not host.path(MODULES).exists()
    assert host.path(FIREWALL).exists()
    assert result.outcomes["switched-off"] == "changed"
    assert result.steps["switched-off"].reason == MODULES
    well(boot(host, hardening()))
    assert ours(host) == core


def test_a_lower_profile_leaves_what_it_has_itself(host: Machine) -> None:
    well(boot(host, HostHardening(profile="strict")))
    assert "policy drop" in host.sh("nft list table inet hardened_ec2_firewall")
    well(boot(host, HostHardening(profile="baseline")))
    assert host.run("nft", "list", "table", "inet", "hardened_ec2_firewall").returncode == 1
    assert not [path for path in ours(host) if "firewall" in path]
    assert host.path(MODULES).exists()
    # The metadata lock is not of the controls that go.
    assert "skuid" in host.sh("nft list table inet hardened_ec2_imds")
    well(boot(host, HostHardening(profile="core")))
    assert not host.path(MODULES).exists()


def test_nothing_goes_when_nothing_was_switched_off(host: Machine) -> None:
    well(boot(host, HostHardening(profile="strict")))
    before = ours(host)
    result = well(boot(host, HostHardening(profile="strict")))
    assert "switched-off" not in result.outcomes
    assert ours(host) == before


def test_after_a_failure_nothing_goes_until_a_run_is_well(host: Machine) -> None:
    well(boot(host, hardening("kernel-modules")))
    blocked = "/etc/systemd/system/hardened-ec2-imds.timer"
    host.path(blocked).unlink()
    host.write(f"{blocked}/in-the-way", "")
    assert boot(host, hardening()).exit_code == 1
    assert host.path(MODULES).exists()
    host.sh(f"rm -r {blocked}")
    result = well(boot(host, hardening()))
    assert not host.path(MODULES).exists()
    assert result.steps["switched-off"].reason == MODULES


def test_files_of_others_stay_whatever_their_name(host: Machine) -> None:
    theirs = "/etc/sysctl.d/10-hardened-ec2-by-hand.conf"
    host.write(theirs, "# ours\n")
    host.sh("cp /etc/login.defs /run/before")
    well(boot(host, HostHardening(profile="strict")))
    well(boot(host, hardening()))
    assert host.path(theirs).exists()
    # What was set in a package's file is not undone; the docs say so.
    assert "UMASK 027" in host.read("/etc/login.defs")


def test_a_user_who_is_not_named_any_more_is_denied_the_metadata_again(host: Machine) -> None:
    host.sh("mount -t tmpfs tmpfs /sys/fs/cgroup; echo cpu >/sys/fs/cgroup/cgroup.controllers")
    kept = [each.name for each in CONTROLS if not each.core and each.name != "imds-sessions"]
    slice_of = "/etc/systemd/system/user-1001.slice.d/hardened-ec2.conf"
    well(boot(host, HostHardening(profile="strict", without=kept, imds_users=["1001"])))
    assert host.path(slice_of).exists()
    well(boot(host, HostHardening(profile="strict", without=kept)))
    assert not host.path(slice_of).exists()
