"""sudo: a terminal of its own, proven by what it prints, and never a sudo that works no more."""

import pytest

from tests.host.machine import Machine
from tests.host.steps import apply, assert_settles, holds, stub

pytestmark = [pytest.mark.host, pytest.mark.payload]

STRICT = {"PROFILE": "strict"}
FILE = "/etc/sudoers.d/00-hardened-ec2"


def works(host: Machine) -> bool:
    return host.run("sudo", "-n", "-u", "nobody", "id", "-un").stdout == "nobody\n"


def own_terminal(host: Machine) -> bool:
    done = host.run("script", "-qec", "tty; sudo -n tty", "/dev/null")
    terminals = done.stdout.split()
    assert len(terminals) == 2, done
    return terminals[0] != terminals[1]


@pytest.mark.parametrize("profile", ["baseline", "strict"])
def test_sudo_has_a_terminal_of_its_own(host: Machine, profile: str) -> None:
    host.sh("sed -i /use_pty/d /etc/sudoers")
    assert not own_terminal(host)
    assert not all(holds(host, "sudo-pty", profile).values())
    assert_settles(host, "sudo-pty", {"PROFILE": profile})
    assert own_terminal(host)
    assert all(holds(host, "sudo-pty", profile).values())
    assert host.path(FILE).stat().st_mode & 0o7777 == 0o440


def test_strict_has_a_log_of_sudos_own(host: Machine) -> None:
    apply(host, "sudo-pty")
    assert works(host)
    assert not host.path("/var/log/sudo.log").exists()
    apply(host, "sudo-pty", STRICT)
    assert works(host)
    assert "USER=nobody" in host.read("/var/log/sudo.log")


def starts_from_here(host: Machine) -> bool:
    """Whether sudo starts a program that only the current directory has."""
    host.write("/home/here/anything", "#!/bin/sh\necho started\n", 0o755)
    return host.run("sh", "-c", "cd /home/here; PATH=.:$PATH sudo -n anything").returncode == 0


def test_strict_starts_nothing_from_the_current_directory(host: Machine) -> None:
    host.sh("sed -i /secure_path/d /etc/sudoers")
    apply(host, "sudo-pty")
    assert starts_from_here(host)
    assert_settles(host, "sudo-pty", STRICT)
    assert all(holds(host, "sudo-pty", "strict").values())
    assert not starts_from_here(host)


def test_a_sudo_that_knows_no_log_gets_none(host: Machine) -> None:
    """Like sudo-rs, whose visudo refuses a file with a setting that it does not know."""
    stub(
        host,
        "visudo",
        'for file; do :; done\n! grep -qsE "logfile|ignore_dot" "$file" /etc/sudoers.d/*',
    )
    assert_settles(host, "sudo-pty", STRICT)
    assert host.read(FILE) == "Defaults use_pty\n"


def test_sudoers_that_is_not_valid_is_left_as_found(host: Machine) -> None:
    host.write("/etc/sudoers.d/broken", "nonsense here\n", 0o440)
    step = apply(host, "sudo-pty")
    assert step.outcome == "failed"
    assert step.reason == "sudoers is not valid, left as found"
    assert not host.path(FILE).exists()


def test_a_file_of_the_image_that_everybody_may_read_is_no_reason_to_fail(host: Machine) -> None:
    host.write("/etc/sudoers.d/clerk", "clerk ALL=(ALL) NOPASSWD: ALL\n", 0o644)
    assert host.run("visudo", "-c").returncode == 1
    assert apply(host, "sudo-pty").outcome == "changed"
    assert all(holds(host, "sudo-pty", "baseline").values())


def test_sudoers_that_includes_nothing_is_a_failure(host: Machine) -> None:
    host.sh("sed -i /includedir/d /etc/sudoers")
    assert apply(host, "sudo-pty").outcome == "failed"
    assert not host.path(FILE).exists()


def test_without_sudo_there_is_nothing_to_do(host: Machine) -> None:
    host.tools(without="visudo")
    step = apply(host, "sudo-pty")
    assert (step.outcome, step.reason) == ("skipped", "no sudo")
    assert not host.path(FILE).exists()
