"""The slices of login sessions: denied, but for root's own and those of the named users."""

import pytest

from tests.host.machine import Machine
from tests.host.steps import apply, assert_settles, calls, stub

pytestmark = [pytest.mark.host, pytest.mark.payload]

UNITS = "/etc/systemd/system"
ADDRESSES = "169.254.169.254 fd00:ec2::254"


@pytest.fixture
def unified(host: Machine) -> Machine:
    """A host with unified control groups, as every current distribution has."""
    host.sh("mount -t tmpfs tmpfs /sys/fs/cgroup; echo cpu >/sys/fs/cgroup/cgroup.controllers")
    return host


def slices(host: Machine) -> dict[str, str]:
    return {
        path.parent.name.removesuffix(".slice.d"): path.read_text()
        for path in host.path(UNITS).glob("*.slice.d/hardened-ec2.conf")
    }


def test_sessions_are_denied_and_root_and_named_users_are_not(unified: Machine) -> None:
    assert slices(unified) == {}
    assert_settles(unified, "imds-sessions", {"IMDS_USERS": "1001 games"})
    allow = f"[Slice]\nIPAddressAllow={ADDRESSES}\n"
    assert slices(unified) == {
        "user": f"[Slice]\nIPAddressDeny={ADDRESSES}\n",
        "user-0": allow,
        "user-5": allow,
        "user-1001": allow,
    }


def test_systemd_understands_it(unified: Machine) -> None:
    apply(unified, "imds-sessions")
    unified.write(f"{UNITS}/probe.service", "[Service]\nSlice=user.slice\nExecStart=/bin/true\n")
    done = unified.run("systemd-analyze", "verify", f"{UNITS}/probe.service", "user.slice")
    assert "IPAddress" not in done.stderr
    # Control: what it does not understand it says.
    unified.sh(f"sed -i s/169/999/ {UNITS}/user.slice.d/hardened-ec2.conf")
    done = unified.run("systemd-analyze", "verify", f"{UNITS}/probe.service", "user.slice")
    assert "IPAddress" in done.stderr or "999" in done.stderr


def test_slices_that_are_there_take_it_up(unified: Machine) -> None:
    unified.sh("mkdir -p /run/systemd/system")
    stub(unified, "systemctl")
    apply(unified, "imds-sessions")
    assert calls(unified) == ["systemctl --no-block daemon-reload"]
    apply(unified, "imds-sessions")
    assert len(calls(unified)) == 1


def test_without_unified_control_groups_there_is_nothing_to_deny_with(host: Machine) -> None:
    host.sh("mount -t tmpfs tmpfs /sys/fs/cgroup")
    step = apply(host, "imds-sessions")
    assert (step.outcome, step.reason) == ("skipped", "no unified control groups")
    assert slices(host) == {}
