"""Faults in the middle of a run: the metadata stay locked, it is told, and the next run is well."""

import socket

import pytest

from hardened_ec2.host import HostHardening
from tests.host.boot import BOOTHOOK, STATUS, boot, boothook_of, run
from tests.host.machine import Machine
from tests.host.ssh_host import ADMIN, SshHost, ssh_host

pytestmark = pytest.mark.host

SELF = "/usr/local/sbin/hardened-ec2"
STRICT = HostHardening(profile="strict", admin_users=[ADMIN])
CANARY = "canary-5d1e77"
# What a run has written, for the next one to know; empty where nothing could be.
WRITTEN = "/var/lib/hardened-ec2/written"


def files(host: Machine, *where: str) -> set[str]:
    """Return every file with its checksum, and with its mode."""
    look = "-type f -exec sha256sum {} + -exec stat -c '%n %a' {} +"
    return {*host.sh(f"find {' '.join(where)} {look}").splitlines()}


def locked(host: Machine) -> bool:
    return "skuid" in host.run("nft", "list", "table", "inet", "hardened_ec2_imds").stdout


def fill(host: Machine, directory: str) -> None:
    """Put a directory on a file system of its own that is full."""
    host.sh(
        f"mkdir -p /run/full{directory}; cp -a {directory}/. /run/full{directory}; "
        f"mount -t tmpfs -o size=12m tmpfs {directory}; cp -a /run/full{directory}/. {directory}; "
        f"cat /dev/zero >{directory}/zero 2>/dev/null || :"
    )


def test_a_full_disk_leaves_every_file_whole_and_the_metadata_locked(host: Machine) -> None:
    with ssh_host(host) as server:
        for directory in ("/etc", "/usr/local/sbin", "/var/lib"):
            fill(server, directory)
        before = files(server, "/etc", "/usr/local/sbin", "/var/lib")
        server.write("/run/boothook", boothook_of(STRICT.render()), 0o700)
        done = server.run("/run/boothook")
        assert done.returncode == 1
        assert "HARDENING-RESULT" in done.stdout
        assert "failed=0" not in done.stdout
        assert locked(server)
        # Nothing half-written, no file left over, and the administrator gets in as before.
        # A mode needs no space.
        after = files(server, "/etc", "/usr/local/sbin", "/var/lib")
        besides = (WRITTEN, "/etc/ssh/sshd_config 6")
        assert [line for line in after ^ before if not any(each in line for each in besides)] == []
        assert server.key_logs_in()
        # With space again it is as if nothing had been.
        server.sh("rm /etc/zero /usr/local/sbin/zero /var/lib/zero")
        assert boot(server, STRICT).exit_code == 0
        assert not server.password_logs_in()


def test_a_disk_that_is_full_later_takes_no_hardening_away(host: Machine) -> None:
    with ssh_host(host) as server:
        assert boot(server, STRICT).exit_code == 0
        fill(server, "/etc")
        changed = HostHardening(profile="strict", admin_users=[ADMIN], x11_forwarding=True)
        for hardening, outcome in ((STRICT, "ok"), (changed, "failed")):
            assert boot(server, hardening).outcomes["sshd"] == outcome
            assert not server.password_logs_in()
            assert server.key_logs_in()
        server.sh("rm /etc/zero")
        assert boot(server, changed).outcomes["sshd"] == "changed"


# Killed when it renames its Nth file, or when it reloads sshd.
_MV = """#!/bin/sh
echo >>/run/moves
[ "$(wc -l </run/moves)" != "$(cat /run/die)" ] || { kill -9 "$(cat /run/main.pid)"; exit 1; }
exec /run/mv "$@"
"""


def kill_at(server: SshHost, rename: int) -> None:
    server.sh("cp /usr/bin/mv /run/mv")
    server.write("/run/mv.sh", _MV, 0o755)
    server.write("/run/die", str(rename))
    server.sh("mount --bind /run/mv.sh /usr/bin/mv")
    server.write(BOOTHOOK, boothook_of(STRICT.render()), 0o700)
    done = server.run("sh", "-c", f"echo $$ >/run/main.pid; exec {BOOTHOOK}")
    assert done.returncode < 0 or done.returncode == 137
    server.sh("umount /usr/bin/mv; sleep 0.2")


@pytest.mark.parametrize("rename", [1, 4, 9, 10, 15, 24])
def test_a_run_that_is_killed_leaves_the_metadata_locked_and_the_next_one_is_well(
    host: Machine, rename: int
) -> None:
    with ssh_host(host) as server:
        kill_at(server, rename)
        assert locked(server)
        assert server.key_logs_in()
        assert not server.path(STATUS).exists()
        result = boot(server, STRICT)
        assert result.exit_code == 0, result.steps
        assert not server.password_logs_in()
        assert server.key_logs_in()
        again = run(server, SELF)
        assert "changed" not in again.outcomes.values(), again.steps


def test_a_step_that_dies_is_failed_and_the_others_go_on(host: Machine) -> None:
    """Not a step's own refusal: its shell is killed."""
    host.sh("touch /run/die; cp /usr/bin/awk /run/awk.real")
    host.write("/run/awk", '#!/bin/sh\nkill -9 "$PPID"\n', 0o755)
    host.sh("mount --bind /run/awk /usr/bin/awk")
    result = boot(host, HostHardening(profile="strict"))
    assert result.exit_code == 1
    failed = {name for name, outcome in result.outcomes.items() if outcome == "failed"}
    assert "password-ageing" in failed
    assert {"imds-lock", "sysctl-kernel", "host-firewall", "persistent-journal"}.isdisjoint(failed)
    assert locked(host)
    assert f"failed={len(failed)}\n" in host.read("/dev/console")


def test_no_secret_of_the_host_is_told_anywhere(host: Machine) -> None:
    """Steps read accounts, sudoers, keys and user data; what they tell holds nothing of it."""
    with ssh_host(host) as server:
        server.sh(
            f"usermod -p '$6${CANARY}$hash' root; echo '# {CANARY}' >>/etc/sudoers; "
            f"echo 'ssh-ed25519 {CANARY}' >>/home/{ADMIN}/.ssh/authorized_keys; "
            f"echo '* * * * * root x --password={CANARY}' >>/etc/crontab"
        )
        commands = f"#!/bin/sh\nexport PASSWORD={CANARY}\n"
        server.write("/var/lib/cloud/instances/i-1/user-data.txt", STRICT.render(commands), 0o644)
        server.write("/var/lib/cloud/instances/i-1/scripts/part-002", commands, 0o755)
        # What fails is told with a reason, so let something fail that reads them.
        server.write("/etc/sudoers.d/broken", f"nonsense {CANARY}\n", 0o440)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
            log.bind(str(server.path("/dev/log")))
            log.settimeout(5)
            result = boot(server, STRICT)
            logged = log.recv(9999).decode()
        assert result.outcomes["sudo-pty"] == "failed"
        for told in (
            result.stdout,
            result.stderr,
            logged,
            server.read("/dev/console"),
            server.read(STATUS),
        ):
            assert CANARY not in told
        # Nor is a copy of it left where others can read.
        searched = "/etc /home /run /usr/local/sbin /var/lib /var/log"
        done = server.run("sh", "-c", f"grep -rlsF {CANARY} {searched}", uid=65534)
        assert done.stdout == ""
