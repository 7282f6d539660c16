"""A whole run: what it installs, what it reports, and what a failing step leaves of the rest."""

import socket

import pytest

from tests.host.boot import BOOTHOOK, FINISHED, STATUS, boot, boothook_of, core, run
from tests.host.machine import Machine

pytestmark = pytest.mark.host

SELF = "/usr/local/sbin/hardened-ec2"
UNITS = "/etc/systemd/system"
STEPS = ["imds-lock", "install", "imds-units", "user-data-files", "sshd"]


def tree(host: Machine) -> str:
    return host.sh("find /etc /usr/local/sbin /var/lib -type f -exec sha256sum {} + | sort -k 2")


def test_the_first_run_succeeds_and_the_second_changes_nothing(host: Machine) -> None:
    first = boot(host)
    assert first.exit_code == 0
    assert list(first.steps) == STEPS
    assert first.outcomes["install"] == "changed"
    before = tree(host)
    second = run(host, SELF)
    assert second.exit_code == 0
    assert set(second.outcomes.values()) == {"ok"}
    changed = {*tree(host).splitlines()} ^ {*before.splitlines()}
    assert {line.split()[1] for line in changed} == {STATUS}


def test_it_prints_no_complaint(host: Machine) -> None:
    assert boot(host).stderr.replace("logger: socket /dev/log: No such file or directory", "") in (
        "",
        "\n",
    )


def test_the_result_is_on_the_console_in_the_log_and_in_the_status(host: Machine) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind(str(host.path("/dev/log")))
        log.settimeout(5)
        result = boot(host)
        logged = log.recv(4096).decode()
    line = "HARDENING-RESULT ok=0 changed=5 skipped=0 failed=0"
    assert result.stdout == f"{line}\n"
    assert host.read("/dev/console") == f"{line}\n"
    assert "hardened-ec2: " in logged
    assert "ok=0 changed=5 skipped=0 failed=0" in logged
    assert host.path(STATUS).stat().st_mode & 0o7777 == 0o600
    assert host.path(STATUS).parent.stat().st_mode & 0o7777 == 0o700


def test_a_failed_step_fails_the_run_and_stops_no_other(host: Machine) -> None:
    # A directory where a file belongs: it cannot be replaced.
    host.write(f"{UNITS}/hardened-ec2-imds.service/in-the-way", "")
    result = boot(host)
    assert result.exit_code == 1
    assert result.outcomes["imds-units"] == "failed"
    assert {o for name, o in result.outcomes.items() if name != "imds-units"} <= {"ok", "changed"}
    assert "failed=1" in host.read("/dev/console")


def test_a_status_that_cannot_be_written_is_a_failure(host: Machine) -> None:
    host.write("/var/lib/hardened-ec2", "")
    host.write(BOOTHOOK, boothook_of(core().render()), 0o700)
    done = host.run(BOOTHOOK)
    assert done.returncode == 1
    assert "failed=1" in done.stdout


def test_units_that_systemd_would_load(host: Machine) -> None:
    boot(host)
    names = sorted(path.name for path in host.path(UNITS).glob("hardened-ec2*"))
    assert names == [
        "hardened-ec2-imds-closed.service",
        "hardened-ec2-imds.path",
        "hardened-ec2-imds.service",
        "hardened-ec2-imds.timer",
        "hardened-ec2.service",
    ]
    done = host.run("systemd-analyze", "verify", *(f"{UNITS}/{name}" for name in names))
    assert done.returncode == 0
    assert "hardened-ec2" not in done.stderr, done.stderr
    # Control: it does complain of units like these.
    host.write(f"{UNITS}/hardened-ec2-wrong.service", "[Service]\nTyp=oneshot\nExecStart=/none\n")
    done = host.run("systemd-analyze", "verify", f"{UNITS}/hardened-ec2-wrong.service")
    assert "hardened-ec2-wrong" in done.stderr


NETWORK_BEFORE_SYSINIT = """[Unit]
DefaultDependencies=no
After=network-pre.target
Wants=network-pre.target
Before=sysinit.target
[Service]
Type=oneshot
ExecStart=/bin/true
"""


def test_no_circle_with_a_network_that_comes_before_sysinit(host: Machine) -> None:
    """Debian's cloud-init wants the network before sysinit.target, and loses to a circle."""
    boot(host)
    host.write(f"{UNITS}/early-network.service", NETWORK_BEFORE_SYSINIT)
    for directory, name in (
        ("sysinit.target.wants", "early-network.service"),
        ("sysinit.target.wants", "hardened-ec2-imds.service"),
        ("timers.target.wants", "hardened-ec2-imds.timer"),
        ("paths.target.wants", "hardened-ec2-imds.path"),
    ):
        wants = host.path(f"{UNITS}/{directory}")
        wants.mkdir(exist_ok=True)
        (wants / name).unlink(missing_ok=True)
        (wants / name).symlink_to(f"{UNITS}/{name}")

    def circles() -> str:
        return host.run("systemd-analyze", "verify", "multi-user.target").stderr

    assert "cycle" not in circles()
    # Control: with the dependencies that a timer has by default there is one.
    timer = f"{UNITS}/hardened-ec2-imds.timer"
    host.write(timer, host.read(timer).replace("DefaultDependencies=no\n", ""))
    assert "Found ordering cycle on" in circles()


def test_units_are_enabled(host: Machine) -> None:
    boot(host)
    for unit in ("-imds.service", "-imds.timer", "-imds.path", ".service"):
        assert host.sh(f"systemctl is-enabled hardened-ec2{unit}") == "enabled\n"


def test_every_text_that_a_unit_runs_exists(host: Machine) -> None:
    boot(host)
    units = [*host.path(UNITS).glob("hardened-ec2*"), *host.path(UNITS).glob("nftables*/*")]
    programs = {
        line.split("=", 1)[1].lstrip("-").split()[0]
        for unit in units
        for line in unit.read_text().splitlines()
        if line.startswith("Exec")
    }
    assert programs == {SELF, "ip"}
    assert host.run(SELF, "imds-lock").returncode == 0


def test_nftables_service_loads_the_lock_again(host: Machine) -> None:
    boot(host)
    shown = host.sh(
        "systemd-analyze cat-config systemd/system/nftables.service.d/hardened-ec2.conf"
    )
    for moment in ("ExecStartPost", "ExecReload", "ExecStopPost"):
        assert f"{moment}=-{SELF} imds-lock" in shown


def test_the_closed_unit_closes_without_anything_of_ours(host: Machine) -> None:
    boot(host)
    host.sh(f"nft flush ruleset; rm {SELF}")
    text = host.read(f"{UNITS}/hardened-ec2-imds-closed.service")
    commands = [line.split("=-", 1)[1] for line in text.splitlines() if "ExecStart=-" in line]
    assert len(commands) == 6
    assert "denied" not in host.run("ip", "route", "get", "169.254.169.254", "uid", "1").stderr
    # "-": what is there already is no failure.
    for _ in range(2):
        for command in commands:
            host.run(*command.split())
    for address in ("169.254.169.254", "fd00:ec2::254"):
        assert "denied" in host.run("ip", "route", "get", address, "uid", "1").stderr
        assert "denied" not in host.run("ip", "route", "get", address, "uid", "0").stderr


def test_a_changed_hardening_replaces_what_was_installed(host: Machine) -> None:
    boot(host, core(imds_users=["1001"]))
    host.write(f"{UNITS}/hardened-ec2-imds.timer", "[Timer]\nOnBootSec=99d\n")
    assert "IMDS_USERS='1001'" in host.read(SELF)
    boot(host, core(imds_users=["1002"]))
    assert "IMDS_USERS='1002'" in host.read(SELF)
    assert "OnBootSec=1min" in host.read(f"{UNITS}/hardened-ec2-imds.timer")


def test_read_from_a_pipe_it_hardens_and_installs_nothing(host: Machine) -> None:
    done = host.run("sh", stdin=boothook_of(core().render()))
    assert "failed=0" in done.stdout
    install = '{"name":"install","outcome":"skipped","reason":"not run from a file"}'
    assert install in host.read(STATUS)
    assert not host.path(SELF).exists()


def test_what_cloud_init_wrote_is_on_the_disk_before_the_first_step(host: Machine) -> None:
    script = f'#!/bin/sh\nexec >>/run/synced 2>&1\necho "$*"\nls {SELF}\n'
    host.write("/run/sync", script, 0o755)
    host.sh("mount --bind /run/sync /usr/bin/sync")
    assert boot(host).exit_code == 0
    missing = f"ls: cannot access '{SELF}': No such file or directory"
    assert host.read("/run/synced") == f"-f /var/lib/cloud\n{missing}\n"
    # A boot later on has nothing of the kind to lose.
    host.write(FINISHED, "")
    assert run(host, SELF).exit_code == 0
    assert host.read("/run/synced").count("-f") == 1


def test_an_unknown_command_changes_nothing(host: Machine) -> None:
    host.write(BOOTHOOK, boothook_of(core().render()), 0o700)
    done = host.run(BOOTHOOK, "aply")
    assert done.returncode == 2
    assert "unknown command 'aply': write apply, status" in done.stderr
    assert not host.path("/var/lib/hardened-ec2").exists()


@pytest.mark.parametrize("shell", ["dash", "bash --posix"])
def test_it_runs_in_every_posix_shell(host: Machine, shell: str) -> None:
    host.write(BOOTHOOK, boothook_of(core().render()), 0o700)
    done = host.run(*shell.split(), BOOTHOOK)
    assert "failed=0" in done.stdout, host.read(STATUS)
