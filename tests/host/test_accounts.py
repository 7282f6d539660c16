"""Logins: their new files, their expiry, and root's timetables."""

import pytest

from tests.host.machine import Machine
from tests.host.steps import apply, assert_settles, holds

pytestmark = [pytest.mark.host, pytest.mark.payload]

STRICT = {"PROFILE": "strict"}
HASH = "'$6$salt$hash'"


def umask(host: Machine, *arguments: str) -> str:
    return host.run("su", "-s", "/bin/sh", *arguments, "nobody", "-c", "umask").stdout.strip()


def shadow(host: Machine, user: str) -> list[str]:
    return host.sh(f"getent shadow {user}").strip().split(":")


@pytest.mark.parametrize("profile", ["baseline", "strict"])
def test_the_umask_of_logins(host: Machine, profile: str) -> None:
    host.sh("sed -i 's/^UMASK.*/UMASK 022/' /etc/login.defs")
    assert not any(holds(host, "login-umask", profile).values())
    assert umask(host, "-") == "0022"
    assert_settles(host, "login-umask", {"PROFILE": profile})
    assert umask(host, "-") == "0027"
    after = holds(host, "login-umask", profile)
    assert len(after) == {"baseline": 1, "strict": 2}[profile]
    assert all(after.values())


def test_what_is_no_login_keeps_its_umask(host: Machine) -> None:
    apply(host, "login-umask")
    assert umask(host) == "0022"


def test_new_homes_are_closed_in_strict_and_the_rest_of_the_file_stays(host: Machine) -> None:
    host.sh("sed -i 's/^UMASK.*/UMASK 022/' /etc/login.defs")
    before = host.read("/etc/login.defs")
    apply(host, "login-umask")
    assert host.read("/etc/login.defs") == before
    host.sh("useradd -m open")
    apply(host, "login-umask", STRICT)
    host.sh("useradd -m closed")
    assert host.path("/home/open").stat().st_mode & 0o777 == 0o755
    assert host.path("/home/closed").stat().st_mode & 0o777 == 0o750
    changed = {*before.splitlines()} ^ {*host.read("/etc/login.defs").splitlines()}
    assert changed == {"UMASK 022", "UMASK 027"}


def test_keys_do_not_expire_with_passwords_that_nobody_has(host: Machine) -> None:
    host.sh("useradd -m keyed; useradd -m empty; passwd -q -d empty; chage -M 60 -I 7 empty")
    host.sh("chage -M 60 -I 7 -d 2020-01-01 keyed")
    # The account module of PAM asks the same of a key login.
    assert "Password expires\t\t\t\t\t: Mar 01, 2020" in host.sh("chage -l keyed")
    assert not all(holds(host, "password-ageing", "baseline").values())
    assert_settles(host, "password-ageing")
    assert "Password expires\t\t\t\t\t: never" in host.sh("chage -l keyed")
    assert "Password inactive\t\t\t\t\t: never" in host.sh("chage -l keyed")
    assert all(holds(host, "password-ageing", "baseline").values())


def test_passwords_and_the_last_day_of_an_account_keep_their_ageing(host: Machine) -> None:
    host.sh(f"useradd -m -p {HASH} worded; chage -M 60 -I 7 worded")
    host.sh("useradd -m guest; chage -M 60 -E 2031-01-01 guest")
    before = shadow(host, "worded")
    assert apply(host, "password-ageing").outcome == "changed"
    assert shadow(host, "worded") == before
    assert "Account expires\t\t\t\t\t\t: Jan 01, 2031" in host.sh("chage -l guest")
    assert "Password expires\t\t\t\t\t: never" in host.sh("chage -l guest")


def test_nobody_reads_roots_timetables(host: Machine) -> None:
    host.sh(
        "rm -rf /etc/cron* /etc/ssh; mkdir -m 755 /etc/cron.d /etc/cron.daily; "
        "mkdir /run/elsewhere; chmod 755 /run/elsewhere; ln -s /run/elsewhere /etc/cron.weekly; "
        "chown 1000 /etc/cron.d"
    )
    host.write("/etc/crontab", "* * * * * root backup --password=x\n")
    host.write("/etc/cron.daily/job", "#!/bin/sh\n", 0o755)
    assert host.run("cat", "/etc/crontab", uid=65534).returncode == 0
    assert not any(holds(host, "cron-permissions", "baseline").values())
    assert_settles(host, "cron-permissions")
    assert host.run("cat", "/etc/crontab", uid=65534).returncode == 1
    assert host.run("ls", "/etc/cron.daily", uid=65534).returncode == 2
    held = holds(host, "cron-permissions", "baseline")
    assert len([right for right in held.values() if right]) == 3
    # A link is not followed, and a job still runs.
    assert host.path("/run/elsewhere").stat().st_mode & 0o777 == 0o755
    assert host.run("/etc/cron.daily/job").returncode == 0


def test_nobody_reads_who_may_log_in(host: Machine) -> None:
    host.write("/etc/ssh/sshd_config", "AllowUsers admin@192.0.2.1\n")
    assert host.run("cat", "/etc/ssh/sshd_config", uid=65534).returncode == 0
    assert_settles(host, "cron-permissions")
    assert host.run("cat", "/etc/ssh/sshd_config", uid=65534).returncode == 1


def test_a_shell_that_was_left_alone_ends(host: Machine) -> None:
    assert not any(holds(host, "idle-shells", "strict").values())
    assert_settles(host, "idle-shells", STRICT)
    assert all(holds(host, "idle-shells", "strict").values())
    # What a shell has already may be read-only there, and dash has no such thing.
    assert host.sh("TMOUT=5 bash -lc 'echo $TMOUT'") == "5\n"
    done = host.run("dash", "-lc", "echo in")
    assert (done.stdout, done.stderr) == ("in\n", "")
    # Read a second time it is no error.
    done = host.run("bash", "-lc", ". /etc/profile; echo in")
    assert (done.stdout, done.stderr) == ("in\n", "")


PWQUALITY = "/etc/security/pwquality.conf"


def test_passwords_are_long_and_hashed_alike(host: Machine) -> None:
    host.write("/etc/pam.d/common-password", "password sufficient pam_unix.so yescrypt\n")
    host.write(PWQUALITY, "# minlen = 8\nminlen = 8\ndcredit = 1\nretry = 3\n")
    host.sh("sed -i 's/^ENCRYPT_METHOD.*/ENCRYPT_METHOD SHA512/' /etc/login.defs")
    assert not any(holds(host, "password-rules", "strict").values())
    assert_settles(host, "password-rules", STRICT)
    assert all(holds(host, "password-rules", "strict").values())
    rules = [line for line in host.read(PWQUALITY).splitlines() if "credit" not in line]
    assert rules == ["# minlen = 8", "retry = 3", "minlen = 15", "minclass = 4"]


def test_nothing_is_said_of_passwords_where_nobody_asks(host: Machine) -> None:
    host.write("/etc/pam.d/common-password", "password sufficient pam_unix.so sha512\n")
    host.sh(f"rm -f {PWQUALITY}")
    before = host.read("/etc/login.defs")
    assert apply(host, "password-rules", STRICT).outcome == "ok"
    assert host.read("/etc/login.defs") == before
    assert not host.path(PWQUALITY).exists()


def test_two_steps_with_lines_in_one_file_both_settle(host: Machine) -> None:
    host.write("/etc/pam.d/common-password", "password sufficient pam_unix.so yescrypt\n")
    for name in ("login-umask", "password-rules"):
        apply(host, name, STRICT)
    for name in ("login-umask", "password-rules"):
        assert apply(host, name, STRICT).outcome == "ok"
