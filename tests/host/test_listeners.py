"""Services that nobody asked for: masked where they are installed, and only there."""

import pytest

from tests.host.machine import Machine
from tests.host.steps import apply, assert_settles, calls, holds, stub

pytestmark = [pytest.mark.host, pytest.mark.payload]

STEP = "unneeded-listeners"
UNITS = (
    "rpcbind.socket",
    "rpcbind.service",
    "cups.socket",
    "cups.service",
    "avahi-daemon.service",
    "telnet.socket",
)
SERVICE = "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n"
SOCKET = "[Socket]\nListenStream=1\n[Install]\nWantedBy=sockets.target\n"


@pytest.fixture
def server(host: Machine) -> Machine:
    """A server with services that an image brought, and one that somebody wants."""
    host.sh("mount -t tmpfs tmpfs /usr/local/lib")
    for unit in (*UNITS, "nginx.service"):
        host.write(f"/usr/local/lib/systemd/system/{unit}", SOCKET if "socket" in unit else SERVICE)
    host.sh(f"systemctl -q enable {' '.join(UNITS)} nginx.service")
    return host


def state(host: Machine, unit: str) -> str:
    return host.run("systemctl", "is-enabled", unit).stdout.strip()


def states(host: Machine) -> dict[str, str]:
    return {unit: state(host, unit) for unit in UNITS}


def test_what_nobody_asked_for_is_masked(server: Machine) -> None:
    assert set(states(server).values()) == {"enabled"}
    assert_settles(server, STEP)
    assert set(states(server).values()) == {"masked"}
    assert state(server, "nginx.service") == "enabled"


def test_what_is_not_installed_is_named_nowhere(host: Machine) -> None:
    assert apply(host, STEP).outcome in ("ok", "changed")
    assert not list(host.path("/etc/systemd/system").glob("*cups*"))


def test_a_port_that_is_declared_is_wanted(server: Machine) -> None:
    apply(server, STEP, {"OPEN_PORTS": "443/tcp 631/tcp"})
    assert state(server, "cups.socket") == "enabled"
    assert state(server, "cups.service") == "enabled"
    assert state(server, "telnet.socket") == "masked"


@pytest.mark.parametrize("use", ["fstab", "server"])
def test_the_portmapper_stays_for_nfs(server: Machine, use: str) -> None:
    if use == "fstab":
        server.write("/etc/fstab", "filer:/home /home nfs vers=3 0 0\n")
    else:
        server.write("/usr/local/lib/systemd/system/nfs-server.service", SERVICE)
        server.sh("systemctl -q enable nfs-server.service")
    apply(server, STEP)
    assert state(server, "rpcbind.socket") == "enabled"
    assert state(server, "avahi-daemon.service") == "masked"


def test_nfs_4_needs_no_portmapper(server: Machine) -> None:
    server.write("/etc/fstab", "# a:/ /b nfs\nfs-1.efs:/ /data nfs4 _netdev 0 0\n")
    apply(server, STEP)
    assert state(server, "rpcbind.socket") == "masked"


def test_a_unit_that_cannot_be_masked_is_told(server: Machine) -> None:
    server.write("/etc/systemd/system/telnet.socket", SOCKET)
    step = apply(server, STEP)
    assert (step.outcome, step.reason) == ("failed", "telnet.socket cannot be masked")


def test_what_runs_is_stopped_without_the_boot_waiting(host: Machine) -> None:
    host.sh("mkdir -p /run/systemd/system")
    stub(host, "systemctl", 'case $* in "is-enabled avahi-daemon.service") echo enabled ;; esac')
    apply(host, STEP)
    assert [call for call in calls(host) if "is-enabled" not in call][:3] == [
        "systemctl -q disable avahi-daemon.service",
        "systemctl -q mask avahi-daemon.service",
        "systemctl --no-block stop avahi-daemon.service",
    ]
    # Whatever works on jobs does not wait for them.
    assert all(
        "--no-block" in call
        for call in calls(host)
        if any(word in call for word in (" stop ", "restart ", " start "))
    )


def test_resolved_asks_no_neighbour(host: Machine) -> None:
    host.sh("mkdir /run/lib; cp -a /usr/lib/systemd/. /run/lib/")
    host.write("/run/lib/systemd-resolved", "", 0o755)
    host.sh("mount --bind /run/lib /usr/lib/systemd")
    assert_settles(host, STEP)
    told = host.sh("systemd-analyze cat-config systemd/resolved.conf").splitlines()
    assert {"LLMNR=no", "MulticastDNS=no"} <= {*told}


def test_the_checks_tell_a_masked_unit_from_one_that_is_on(server: Machine) -> None:
    # "systemctl cat" asks a running systemd; here the unit's file answers for it.
    server.write(
        "/run/stubs/systemctl",
        '#!/bin/sh\n[ "$1" != cat ] || exec test -e "/usr/local/lib/systemd/system/$2"\n'
        'exec /usr/bin/systemctl "$@"\n',
        0o755,
    )
    server.sh("touch /run/here; mount --bind /usr/bin/systemctl /run/here")
    server.sh("sed -i s,/usr/bin/systemctl,/run/here, /run/stubs/systemctl")
    server.sh("mount --bind /run/stubs/systemctl /usr/bin/systemctl")
    before = {c: right for c, right in holds(server, STEP, "baseline").items() if "is-en" in c}
    assert len(before) == 5
    assert not any(before.values())
    apply(server, STEP)
    after = {c: right for c, right in holds(server, STEP, "baseline").items() if "is-en" in c}
    assert after.keys() == before.keys()
    assert all(after.values()), after
