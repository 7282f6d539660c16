"""User data and its copies: what an unprivileged user can read before, and after."""

import pytest

from tests.host.boot import INSTANCE, boot, run
from tests.host.machine import Machine

pytestmark = [pytest.mark.host, pytest.mark.payload]

CANARY = "canary-3f9c1e"
NOBODY = 65534
SEARCHED = ("/etc", "/home", "/run", "/usr/local/sbin", "/var/lib", "/var/log")
SELF = "/usr/local/sbin/hardened-ec2"

# Path to the mode that is wanted. Those before are wide open: the worst that can be found.
FILES = {
    f"{INSTANCE}/user-data.txt": 0o400,
    f"{INSTANCE}/user-data.txt.i": 0o400,
    f"{INSTANCE}/vendor-data.txt": 0o400,
    f"{INSTANCE}/vendor-data2.txt.i": 0o400,
    f"{INSTANCE}/cloud-config.txt": 0o400,
    f"{INSTANCE}/vendor-cloud-config.txt": 0o400,
    f"{INSTANCE}/obj.pkl": 0o400,
    f"{INSTANCE}/network-config.json": 0o600,
    f"{INSTANCE}/scripts/part-002": 0o500,
    f"{INSTANCE}/scripts/runcmd": 0o500,
    f"{INSTANCE}/boothooks/part-009": 0o500,
    f"{INSTANCE}/data/urlcache/0a1b": None,  # behind its directory
    "/var/lib/cloud/seed/nocloud/user-data": None,
    "/var/lib/cloud/scripts/per-boot/10-app": 0o500,
    "/run/cloud-init/instance-data-sensitive.json": 0o600,
    "/run/cloud-init/combined-cloud-config.json": 0o600,
    "/run/cloud-init/instance-data.json": 0o640,
    "/var/log/cloud-init-output.log": 0o600,
    "/var/log/cloud-init-output.log.1": 0o600,
    "/var/log/cloud-init.log": 0o640,
    "/var/lib/amazon/ssm/credentials": 0o600,
    "/var/lib/amazon/ssm/i-0/document/orchestration/out": None,
}
DIRECTORIES = {
    f"{INSTANCE}/scripts": 0o700,
    f"{INSTANCE}/boothooks": 0o700,
    f"{INSTANCE}/data": 0o700,
    "/var/lib/cloud/seed": 0o700,
    "/var/lib/amazon/ssm/i-0/document/orchestration": 0o700,
}
# What ordinary users wait on.
PUBLIC = (f"{INSTANCE}/boot-finished", "/var/lib/cloud/data/status.json")


@pytest.fixture
def server(host: Machine) -> Machine:
    for path in FILES:
        host.write(path, f"{CANARY}\n")
    for path in PUBLIC:
        host.write(path, "{}\n")
    host.sh(
        "chmod -R u=rwX,go=rX /var/lib/cloud /var/lib/amazon; "
        f"ln -s {INSTANCE} /var/lib/cloud/instance; "
        "ln -s ../../var/lib/cloud/data/status.json /run/cloud-init/status.json; "
        "chown 100:4 /var/log/cloud-init.log; chown 1000:4 /var/log/cloud-init-output.log"
    )
    return host


def readable(server: Machine) -> set[str]:
    """Return every file in which an unprivileged user finds the secret."""
    done = server.run("grep", "-rlsF", CANARY, *SEARCHED, uid=NOBODY)
    return {*done.stdout.split()}


def modes(server: Machine, wanted: dict[str, int]) -> dict[str, int]:
    return {path: server.path(path).stat().st_mode & 0o7777 for path in wanted}


def test_before_the_secret_is_everywhere(server: Machine) -> None:
    assert readable(server) >= set(FILES)


def test_after_the_secret_is_nowhere(server: Machine) -> None:
    assert boot(server).outcomes["user-data-files"] == "changed"
    assert readable(server) == set()


def test_modes_are_exact(server: Machine) -> None:
    boot(server)
    wanted = {path: mode for path, mode in FILES.items() if mode is not None} | DIRECTORIES
    assert modes(server, wanted) == wanted


def test_owners_are_root_but_for_the_log_of_syslog(server: Machine) -> None:
    boot(server)
    assert server.path("/var/log/cloud-init-output.log").stat().st_uid == 0
    assert server.path("/var/log/cloud-init.log").stat().st_uid == 100


def test_what_users_wait_on_stays_readable(server: Machine) -> None:
    boot(server)
    for path in (*PUBLIC, "/run/cloud-init/status.json", "/var/lib/cloud/instance/boot-finished"):
        assert server.run("cat", path, uid=NOBODY).returncode == 0, path


def test_nothing_is_deleted_or_rewritten(server: Machine) -> None:
    before = server.sh("cd /var/lib/cloud && find . | sort")
    boot(server)
    after = server.sh("cd /var/lib/cloud && find . | sort")
    assert set(after.split()) - set(before.split()) == {
        "./instances/i-0123456789abcdef0/boothooks/part-001"
    }
    assert set(before.split()) <= set(after.split())
    assert server.read(f"{INSTANCE}/user-data.txt") == f"{CANARY}\n"


def test_a_second_run_changes_nothing_and_files_written_since_are_closed(server: Machine) -> None:
    boot(server)
    assert run(server, SELF).outcomes["user-data-files"] == "ok"
    # cloud-init writes its files again at every boot, with its own modes.
    server.write(f"{INSTANCE}/user-data.txt", f"{CANARY}\n", 0o644)
    assert readable(server) == {f"{INSTANCE}/user-data.txt"}
    assert run(server, SELF).outcomes["user-data-files"] == "changed"
    assert readable(server) == set()


def test_a_link_is_not_followed(server: Machine) -> None:
    server.write("/etc/precious", "public\n")
    server.path(f"{INSTANCE}/user-data-link").symlink_to("/etc/precious")
    server.path(f"{INSTANCE}/scripts/link").symlink_to("/etc/precious")
    boot(server)
    assert server.path("/etc/precious").stat().st_mode & 0o7777 == 0o644


def test_names_with_spaces_and_wildcards_are_names(server: Machine) -> None:
    server.write(f"{INSTANCE}/scripts/part * 7", CANARY)
    boot(server)
    assert readable(server) == set()


def test_systemd_sets_the_same_modes_at_boot(server: Machine) -> None:
    boot(server)
    server.sh(f"chmod 644 {INSTANCE}/user-data.txt /var/log/cloud-init-output.log")
    assert readable(server) == {f"{INSTANCE}/user-data.txt", "/var/log/cloud-init-output.log"}
    server.sh("systemd-tmpfiles --create /etc/tmpfiles.d/hardened-ec2.conf")
    wanted = {path: mode for path, mode in FILES.items() if mode is not None} | DIRECTORIES
    assert modes(server, wanted) == wanted
    assert readable(server) == set()


def test_a_machine_without_cloud_init_has_nothing_to_close(host: Machine) -> None:
    boot(host)
    assert run(host, SELF).outcomes["user-data-files"] == "ok"
