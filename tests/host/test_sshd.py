"""The sshd drop-in, against a real sshd: who gets in before, and who after."""

from collections.abc import Iterator

import pytest

from tests.host.boot import FINISHED, Run, boot, core
from tests.host.machine import Machine
from tests.host.ssh_host import ADMIN, CLOUD_INIT, SshHost, ssh_host

pytestmark = [pytest.mark.host, pytest.mark.payload]

DROP_IN = "/etc/ssh/sshd_config.d/00-hardened-ec2.conf"
SSHD_CONFIG = "/etc/ssh/sshd_config"
KEYS_ONLY = {
    "authenticationmethods publickey",
    "kbdinteractiveauthentication no",
    "passwordauthentication no",
    "permitemptypasswords no",
    "permitrootlogin no",
    "pubkeyauthentication yes",
}


@pytest.fixture
def server(host: Machine) -> Iterator[SshHost]:
    with ssh_host(host) as made:
        yield made


@pytest.fixture
def stopped(host: Machine) -> Iterator[SshHost]:
    """As in a boothook: sshd has not been started yet."""
    with ssh_host(host, running=False) as made:
        yield made


def sshd_step(result: Run) -> tuple[str, str]:
    step = result.steps["sshd"]
    return step.outcome, step.reason


def files(server: SshHost) -> dict[str, str]:
    directory = server.path("/etc/ssh")
    return {
        str(path.relative_to(directory)): path.read_text()
        for path in [directory / "sshd_config", *directory.glob("sshd_config.d/*")]
    }


def assert_hardened(server: SshHost) -> None:
    assert set(server.effective()) >= KEYS_ONLY
    assert server.key_logs_in()
    assert not server.password_logs_in()
    assert not server.key_logs_in("root")


def assert_refused(server: SshHost, result: Run, before: dict[str, str], reason: str) -> None:
    """Nothing of ours is left, it was reported, and sshd answers."""
    outcome, said = sshd_step(result)
    assert outcome == "failed"
    assert reason in said
    assert result.exit_code == 1
    assert "failed=1" in result.stdout
    assert files(server) == before
    assert server.listens()


def test_before_passwords_and_root_get_in(server: SshHost) -> None:
    assert server.password_logs_in()
    assert server.password_logs_in("root")
    assert server.key_logs_in()
    assert server.key_logs_in("root")


def test_after_only_the_key_of_a_user_gets_in(server: SshHost) -> None:
    assert sshd_step(boot(server)) == ("changed", "")
    assert_hardened(server)
    assert not server.password_logs_in("root")
    assert server.path(DROP_IN).stat().st_mode & 0o7777 == 0o600
    assert "reload-or-restart ssh.service" in server.read("/run/systemctl.log")


def test_nothing_else_is_changed(server: SshHost) -> None:
    before = files(server)
    boot(server)
    after = files(server)
    del after["sshd_config.d/00-hardened-ec2.conf"]
    assert after == before


def test_a_second_run_changes_nothing_and_does_not_reload(server: SshHost) -> None:
    boot(server)
    server.path("/run/systemctl.log").unlink()
    assert sshd_step(boot(server)) == ("ok", "")
    assert "reload" not in server.read("/run/systemctl.log")


def test_a_changed_hardening_is_applied(server: SshHost) -> None:
    boot(server)
    assert "allowtcpforwarding yes" in server.effective()
    result = boot(server, core(allow_tcp_forwarding="no"))
    assert sshd_step(result) == ("changed", "")
    assert "allowtcpforwarding no" in server.effective()
    assert_hardened(server)


def test_weak_algorithms_are_gone_and_enough_is_left(server: SshHost) -> None:
    weak = ("ecdh-sha2-nistp256", "hmac-sha1", "umac-64@openssh.com", "group14", "ecdsa-sha2")
    algorithms = ("kexalgorithms", "ciphers", "macs", "hostkeyalgorithms")

    def offered() -> str:
        return "\n".join(line for line in server.effective() if line.startswith(algorithms))

    assert all(name in offered() for name in weak)
    boot(server)
    assert not any(name in offered() for name in weak)
    for strong in ("sntrup761x25519-sha512@openssh.com", "curve25519-sha256", "ssh-ed25519"):
        assert strong in offered()
    assert "hmac-sha2-512-etm@openssh.com" in offered()


def test_explicit_ecdsa_host_keys_are_kept(server: SshHost) -> None:
    server.write(CLOUD_INIT, "HostKey /etc/ssh/ssh_host_ecdsa_key\n")
    assert sshd_step(boot(server)) == ("changed", "")
    assert_hardened(server)


@pytest.mark.parametrize("sign", ["crypto-policies", "FIPS"])
def test_a_policy_of_the_system_for_algorithms_stands(server: SshHost, sign: str) -> None:
    if sign == "FIPS":
        server.write("/run/crypto/fips_enabled", "1\n")
        # The kernel of this machine may have no such file: /proc/sys is covered as a whole.
        server.sh(
            "mount --bind /proc/sys /mnt && mount -t tmpfs tmpfs /proc/sys && "
            "cp -r /run/crypto /proc/sys/crypto"
        )
    else:
        server.write("/etc/crypto-policies/back-ends/opensshserver.config", "")
    boot(server)
    assert "KexAlgorithms" not in server.read(DROP_IN)
    assert set(server.effective()) >= KEYS_ONLY


def test_a_host_with_ecdsa_keys_only_keeps_them(server: SshHost) -> None:
    server.sh("rm /etc/ssh/ssh_host_ed25519_key* /etc/ssh/ssh_host_rsa_key*")
    assert sshd_step(boot(server)) == ("changed", "")
    assert_hardened(server)


def test_what_this_sshd_does_not_know_is_left_out(server: SshHost) -> None:
    """OpenSSH 9.2 has no PerSourcePenalties; newer ones do."""
    knows = server.run("sshd", "-t", "-o", "PerSourcePenalties=yes").returncode == 0
    boot(server)
    assert ("PerSourcePenalties" in server.read(DROP_IN)) == knows
    assert "persourcemaxstartups 10" in server.effective()


def test_a_match_block_cannot_let_passwords_in_again(server: SshHost) -> None:
    server.write(CLOUD_INIT, "Match User alice\n\tPasswordAuthentication yes\n")
    assert server.sh("kill -HUP $(cat /run/sshd.pid)") == ""
    boot(server)
    assert_hardened(server)


@pytest.mark.parametrize("before", ["", "Port 22\nPasswordAuthentication yes\n"])
def test_a_missing_or_late_include_is_put_first(host: Machine, before: str) -> None:
    rest = f"{before}UsePAM yes\n" + ("Include /etc/ssh/sshd_config.d/*.conf\n" if before else "")
    with ssh_host(host, sshd_config=rest) as server:
        boot(server)
        assert_hardened(server)
        assert server.read(SSHD_CONFIG) == f"Include {DROP_IN}\n{rest}"
        assert sshd_step(boot(server)) == ("ok", "")
        assert server.read(SSHD_CONFIG) == f"Include {DROP_IN}\n{rest}"


# Each of these leaves the configuration as it was, says why, and sshd answers.


def test_a_distribution_that_is_broken_already_is_left_as_found(server: SshHost) -> None:
    server.write(CLOUD_INIT, "KexAlgorithms no-such-kex\n")
    before = files(server)
    assert_refused(server, boot(server), before, "invalid before the hardening, left as found")
    assert server.key_logs_in()


def test_a_second_subsystem_is_left_as_found(server: SshHost) -> None:
    server.write(CLOUD_INIT, "Subsystem sftp /bin/false\n")
    before = files(server)
    assert_refused(server, boot(server), before, "invalid before the hardening")


@pytest.mark.parametrize(
    "planted",
    [
        "AllowGroups nosuchgroup\n",
        "AllowUsers bob carol@192.0.2.7\n",
        "DenyUsers ali*\n",
        f"DenyGroups {ADMIN}\n",
    ],
)
def test_an_administrator_who_is_not_admitted(server: SshHost, planted: str) -> None:
    server.write(CLOUD_INIT, planted)
    before = files(server)
    result = boot(server, core(admin_users=[ADMIN]))
    assert_refused(server, result, before, "alice could not log in by key")


@pytest.mark.parametrize(
    "planted",
    [
        "AllowGroups wheel alice\n",
        "AllowUsers bob al?ce@192.0.2.*\n",
        "DenyUsers alice@192.0.2.7\n",
    ],
)
def test_an_administrator_who_is_admitted(server: SshHost, planted: str) -> None:
    server.write(CLOUD_INIT, planted)
    assert sshd_step(boot(server, core(admin_users=[ADMIN]))) == ("changed", "")


def test_an_administrator_without_a_key(server: SshHost) -> None:
    server.write("/home/alice/.ssh/authorized_keys", "# none yet\n\n")
    before = files(server)
    assert_refused(server, boot(server), before, "nobody could log in by key")
    assert server.password_logs_in()


def test_an_administrator_whose_key_strict_modes_would_refuse(server: SshHost) -> None:
    server.sh("chmod 777 /home/alice/.ssh")
    assert not server.key_logs_in()
    before = files(server)
    assert_refused(server, boot(server), before, "nobody could log in by key")


def test_an_administrator_who_does_not_exist(server: SshHost) -> None:
    before = files(server)
    result = boot(server, core(admin_users=[ADMIN, "mallory"]))
    assert_refused(server, result, before, "mallory could not log in by key")


KEYLESS = {
    "EC2 Instance Connect": "useradd -r ec2-instance-connect",
    "Session Manager": "",
    "Session Manager from a snap": (
        "touch /etc/systemd/system/snap.amazon-ssm-agent.amazon-ssm-agent.service"
    ),
    "a key command": (
        "printf 'AuthorizedKeysCommand /bin/true\nAuthorizedKeysCommandUser nobody\n' "
        f">>{CLOUD_INIT}"
    ),
}


@pytest.mark.parametrize("way", KEYLESS)
def test_a_way_in_without_a_key_on_disk_counts(server: SshHost, way: str) -> None:
    server.sh("rm /home/alice/.ssh/authorized_keys")
    if way == "Session Manager":
        server.tools(add="amazon-ssm-agent")
    server.sh(KEYLESS[way])
    assert sshd_step(boot(server)) == ("changed", "")


def test_where_no_account_has_a_password_nothing_can_be_lost(server: SshHost) -> None:
    server.sh("rm /home/alice/.ssh/authorized_keys; passwd -q -l alice; passwd -q -l root")
    assert sshd_step(boot(server)) == ("changed", "")


def test_a_hardening_that_would_now_lock_out_is_taken_back(server: SshHost) -> None:
    boot(server)
    assert_hardened(server)
    server.sh("rm /home/alice/.ssh/authorized_keys")
    assert sshd_step(boot(server))[0] == "failed"
    assert not server.path(DROP_IN).exists()
    assert server.password_logs_in()


def test_an_sshd_that_does_not_answer_any_more_is_given_back(server: SshHost) -> None:
    """A reload that goes wrong once: the service dies with the new configuration."""
    stub = server.read("/run/systemctl.sh")
    server.write(
        "/run/systemctl.sh",
        stub.replace(
            "'reload-or-restart ssh.service') kill -HUP",
            "'reload-or-restart ssh.service') [ ! -e /etc/ssh/sshd_config.d/00-hardened-ec2.conf ]"
            " || { kill $(cat /run/sshd.pid); exit 0; }; /usr/sbin/sshd; exit; : kill -HUP",
        ),
        0o755,
    )
    before = files(server)
    result = boot(server)
    try:
        assert_refused(server, result, before, "sshd did not come up")
        assert server.password_logs_in()
    finally:
        server.sh("kill $(cat /run/sshd.pid)")


def test_a_link_planted_in_place_of_the_drop_in_is_not_followed(server: SshHost) -> None:
    server.write("/etc/precious", "kept\n")
    server.path(DROP_IN).symlink_to("/etc/precious")
    boot(server)
    assert server.read("/etc/precious") == "kept\n"
    assert not server.path(DROP_IN).is_symlink()
    assert_hardened(server)


def test_a_full_disk_leaves_sshd_as_it_was(server: SshHost) -> None:
    server.sh(
        "mkdir /run/small; cp -a /etc/ssh/. /run/small/; mount -t tmpfs -o size=600k tmpfs "
        "/etc/ssh; cp -a /run/small/. /etc/ssh/; cat /dev/zero >/etc/ssh/full || :"
    )
    before = files(server)
    assert_refused(server, boot(server), before, "the drop-in cannot be written, left as found")
    assert server.key_logs_in()


# At first boot: no sshd runs, there are no host keys, no users, no /run/sshd.


def test_first_boot_hardens_before_users_and_host_keys_exist(stopped: SshHost) -> None:
    stopped.sh("rm -f /etc/ssh/ssh_host_*; rmdir /run/sshd; userdel -rf alice")
    stopped.path(FINISHED).unlink()
    result = boot(stopped, core(admin_users=["ec2-user"]))
    assert sshd_step(result) == ("changed", "")
    assert set(stopped.effective()) >= KEYS_ONLY
    assert not stopped.listens()
    assert "reload" not in stopped.read("/run/systemctl.log")


def test_first_boot_still_sees_what_forbids(stopped: SshHost) -> None:
    stopped.path(FINISHED).unlink()
    stopped.write(CLOUD_INIT, "AllowUsers bob\n")
    result = boot(stopped, core(admin_users=["ec2-user"]))
    assert sshd_step(result) == ("failed", "not hardened: ec2-user could not log in by key")


def test_no_sshd_is_nothing_to_do(host: Machine) -> None:
    host.tools(without="sshd")
    assert sshd_step(boot(host)) == ("skipped", "no sshd")
