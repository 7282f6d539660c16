"""The dead-man switch: a run on a live host that does not end well is taken back."""

from collections.abc import Iterator

import pytest

from hardened_ec2.host import CONTROLS, HostHardening
from tests.host.boot import BOOTHOOK, FINISHED, Run, boot, boothook_of, core, run
from tests.host.machine import Machine
from tests.host.ssh_host import SshHost, ssh_host

pytestmark = pytest.mark.host

SELF = "/usr/local/sbin/hardened-ec2"
DROP_IN = "/etc/ssh/sshd_config.d/00-hardened-ec2.conf"
ARMED = "/run/armed"
FIREWALL = "inet hardened_ec2_firewall"
RULES = "/etc/hardened-ec2/firewall.nft"

# systemd is not there; these two stand for what is asked of it. A timer is a file that says what
# it would run.
_SYSTEMD_RUN = f"""#!/bin/sh
echo "systemd-run $*" >>/run/systemctl.log
echo "$*" >{ARMED}
"""
_SYSTEMCTL = f"""#!/bin/sh
echo "$*" >>/run/systemctl.log
[ ! -e /run/on-systemctl ] || . /run/on-systemctl
case "$*" in
'-q is-active ssh.service') kill -0 "$(cat /run/sshd.pid)" ;;
*is-active*) exit 3 ;;
'reload-or-restart ssh.service') kill -HUP "$(cat /run/sshd.pid)" ;;
'stop hardened-ec2-revert.timer') rm -f {ARMED} ;;
esac
"""


@pytest.fixture
def server(host: Machine) -> Iterator[SshHost]:
    """A hardened host that is up: cloud-init is done, and sshd runs."""
    with ssh_host(host) as made:
        assert boot(made).exit_code == 0
        made.write("/run/systemctl.sh", _SYSTEMCTL, 0o755)
        made.write("/run/systemd-run.sh", _SYSTEMD_RUN, 0o755)
        made.sh(
            "mkdir -p /run/systemd/system; mount --bind /run/systemd-run.sh /usr/bin/systemd-run; "
            ": >/run/systemctl.log"
        )
        yield made


def log(server: SshHost) -> list[str]:
    return server.read("/run/systemctl.log").splitlines()


def die_in_the_middle(
    server: SshHost, hardening: HostHardening, *, when: str = '[ "$1" = reload-or-restart ]'
) -> None:
    """Apply another hardening, and be killed when sshd has just taken it."""
    server.write(
        "/run/on-systemctl", f'! {{ {when}; }} || {{ kill -9 "$(cat /run/main.pid)"; exit; }}\n'
    )
    server.write(BOOTHOOK, boothook_of(hardening.render()), 0o700)
    done = server.run("sh", "-c", f"echo $$ >/run/main.pid; exec {BOOTHOOK}")
    assert done.returncode not in (0, 1)
    server.path("/run/on-systemctl").unlink()


def fire(server: SshHost) -> Run:
    """Let five minutes pass: run what the timer would."""
    command = server.read(ARMED).split()
    assert command[:4] == [
        "--quiet",
        "--collect",
        "--unit=hardened-ec2-revert",
        "--on-active=5min",
    ]
    return run(server, *command[4:])


def test_a_run_that_ends_well_is_armed_and_disarmed(server: SshHost) -> None:
    assert run(server, SELF).exit_code == 0
    said = log(server)
    armed = said.index(
        f"systemd-run --quiet --collect --unit=hardened-ec2-revert --on-active=5min {SELF} revert"
    )
    assert said.index("stop hardened-ec2-revert.timer", armed) > armed
    assert not server.path(ARMED).exists()


def test_a_run_that_dies_is_taken_back_to_what_was_before(server: SshHost) -> None:
    before = server.read(DROP_IN)
    die_in_the_middle(server, core(allow_tcp_forwarding="no"))
    assert "allowtcpforwarding no" in server.effective()
    result = fire(server)
    assert result.exit_code == 1
    assert result.outcomes == {"dead-man-switch": "failed"}
    assert server.read(DROP_IN) == before
    assert "allowtcpforwarding yes" in server.effective()
    # Back to the hardening that was there, not to none.
    assert server.key_logs_in()
    assert not server.password_logs_in()


def test_where_there_was_no_hardening_there_is_none_again(server: SshHost) -> None:
    server.path(DROP_IN).unlink()
    server.sh("kill -HUP $(cat /run/sshd.pid)")
    die_in_the_middle(server, core())
    assert server.path(DROP_IN).exists()
    fire(server)
    assert not server.path(DROP_IN).exists()
    assert server.password_logs_in()


def firewalled(*ports: str) -> HostHardening:
    rest = [each.name for each in CONTROLS if not each.core and each.name != "host-firewall"]
    return HostHardening(profile="strict", without=rest, open_ports=ports)


def listed(server: SshHost) -> str:
    return server.run("nft", "list", "table", *FIREWALL.split()).stdout


@pytest.mark.parametrize("hardened", [True, False])
def test_the_firewall_is_taken_back_too_and_at_the_next_boot(
    server: SshHost,
    *,
    hardened: bool,
) -> None:
    if hardened:
        assert boot(server, firewalled("443/tcp")).exit_code == 0
        before = server.read(RULES)
    # Killed when all is done but the last: the switch is still armed.
    die_in_the_middle(server, firewalled("8080/tcp"), when=f'[ "$1" = stop ] && [ -e {ARMED} ]')
    assert "dport 8080" in listed(server)
    fire(server)
    assert ("dport 443" in listed(server)) == hardened
    assert "8080" not in listed(server)
    # What the unit loads at the next boot is the same.
    if hardened:
        assert server.read(RULES) == before
    now = listed(server)
    server.sh(f"nft -f {RULES}")
    assert listed(server) == now
    # Ours alone: the metadata stay locked.
    assert "skuid" in server.sh("nft list table inet hardened_ec2_imds")


def test_an_sshd_that_answers_no_more_is_noticed_at_the_end(server: SshHost) -> None:
    server.write(
        "/run/on-systemctl",
        'case "$*" in *" start "*) kill "$(cat /run/sshd.pid)"; sleep 1 ;; esac\n',
    )
    server.path(FINISHED).unlink()
    server.path(FINISHED).touch()
    result = run(server, SELF)
    assert result.outcomes["dead-man-switch"] == "failed"
    assert "sshd answers no more" in result.steps["dead-man-switch"].reason
    assert result.exit_code == 1


def test_an_sshd_that_did_not_answer_before_is_no_alarm(server: SshHost) -> None:
    server.sh("kill $(cat /run/sshd.pid); sleep 1")
    assert not server.listens()
    result = run(server, SELF)
    assert "dead-man-switch" not in result.outcomes
    assert not server.path(ARMED).exists()


def test_a_timer_that_cannot_be_set_is_said(server: SshHost) -> None:
    server.write("/run/systemd-run.sh", "#!/bin/sh\nexit 1\n", 0o755)
    result = run(server, SELF)
    assert result.steps["dead-man-switch"].outcome == "failed"
    assert "systemd-run failed" in result.steps["dead-man-switch"].reason
    assert {o for n, o in result.outcomes.items() if n != "dead-man-switch"} <= {"ok", "changed"}


@pytest.mark.parametrize("lacks", ["/run/systemd/system", FINISHED])
def test_at_first_boot_and_without_systemd_nothing_is_armed(server: SshHost, lacks: str) -> None:
    server.sh(f"rm -r {lacks}")
    assert "dead-man-switch" not in run(server, SELF).outcomes
    assert not any(line.startswith("systemd-run") for line in log(server))
