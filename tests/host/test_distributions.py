"""Whole runs on hosts made to look like other distributions, and their branches of sshd.

Only the signs that the payload looks at are made: programs that are there or not, files that an
image brings. `docs/DISTRIBUTIONS.md` tells which distribution has which sign.
"""

from collections.abc import Callable

import pytest

from hardened_ec2.host import HostHardening
from tests.host.boot import STATUS, Run, boot, core, run
from tests.host.machine import Machine
from tests.host.ssh_host import ADMIN, SshHost, ssh_host
from tests.host.test_sshd import DROP_IN, SSHD_CONFIG, assert_hardened, sshd_step

pytestmark = pytest.mark.host

SELF = "/usr/local/sbin/hardened-ec2"
RELABELLED = "/run/relabelled"
# 50-redhat.conf, as far as it matters: it comes behind ours, and brings the policy's algorithms.
REDHAT = "Include /etc/crypto-policies/back-ends/opensshserver.config\nX11Forwarding yes\n"
TIME = "server 169.254.169.123 prefer iburst minpoll 4 maxpoll 4\n"


def without_systemd_programs(host: Machine, *names: str, add: tuple[str, ...] = ()) -> None:
    """Cover /usr/lib/systemd with what is in there, less some services or with some more."""
    host.sh("mkdir /run/lib; cp -a /usr/lib/systemd/. /run/lib/")
    for name in names:
        host.sh(f"rm -f /run/lib/{name}")
    for name in add:
        host.write(f"/run/lib/{name}", "", 0o755)
    host.sh("mount --bind /run/lib /usr/lib/systemd")


def labels(host: Machine) -> None:
    """Let there be SELinux: restorecon notes what it is given."""
    host.path("/run/sbin/restorecon").unlink()
    host.write("/run/sbin/restorecon", f'#!/bin/sh\necho "$2" >>{RELABELLED}\n', 0o755)


def red_hat(host: Machine) -> None:
    """What Amazon Linux and RHEL have in common."""
    host.sh("rm -rf /etc/apt /etc/chrony* /etc/sudoers.d/*")
    host.write("/etc/crypto-policies/back-ends/opensshserver.config", "Ciphers aes256-ctr\n")
    host.write("/etc/ssh/sshd_config.d/50-redhat.conf", REDHAT)
    host.write("/etc/dnf/automatic.conf", "[commands]\napply_updates = no\n\n[emitters]\n")
    host.write("/etc/systemd/system/dnf-automatic.timer", "[Install]\nWantedBy=timers.target\n")
    without_systemd_programs(host, "systemd-timesyncd", "systemd-resolved")


def amazon_linux_2023(host: Machine) -> None:
    """Its chrony knows Amazon's time already, and no line of sshd_config includes the drop-ins."""
    host.tools(without="unattended-upgrade snap", add="chronyd restorecon")
    labels(host)
    red_hat(host)
    host.sh(f"sed -i /^Include/d {SSHD_CONFIG}")
    host.write("/etc/chrony.conf", "sourcedir /run/chrony.d\n")
    host.write("/run/chrony.d/link-local.sources", TIME)


def rhel(host: Machine) -> None:
    host.tools(without="unattended-upgrade snap", add="chronyd restorecon")
    labels(host)
    red_hat(host)
    host.write("/etc/chrony.conf", "pool 2.rhel.pool.ntp.org iburst\n")


def ubuntu(host: Machine) -> None:
    """Snaps, resolved and timesyncd; a socket listens for sshd."""
    host.tools(without="chronyd", add="unattended-upgrade snap")
    host.sh("rm -rf /etc/dnf /etc/chrony*")
    without_systemd_programs(host, add=("systemd-resolved", "systemd-timesyncd"))
    host.write("/etc/systemd/system/ssh.socket", "[Socket]\nListenStream=22\n")


def bare(host: Machine) -> None:
    """As little as an image can have: no nftables, sudo, chrony, timesyncd, updates or auditd."""
    host.tools(without="nft visudo sudo chronyd unattended-upgrade auditctl snap")
    host.sh("rm -rf /etc/dnf /etc/chrony* /etc/audit /etc/login.defs /etc/sudoers.d")
    without_systemd_programs(host, "systemd-timesyncd", "systemd-resolved")


LIKE = {
    "Amazon Linux 2023": (amazon_linux_2023, "sshd.service"),
    "RHEL": (rhel, "sshd.service"),
    "Ubuntu": (ubuntu, "none.service"),
    "minimal images": (bare, "ssh.service"),
}


def tree(host: Machine) -> str:
    """Return every file with its mode, owner and inode: what a run that changes nothing leaves."""
    return host.sh(
        "find /etc /usr/local/sbin /var/lib /proc/sys/kernel -type f "
        "! -path '/var/lib/hardened-ec2/*' "
        "-exec stat -c '%n %a %u %i' {} + | sort; "
        "ip rule; ip -6 rule; nft -s list ruleset 2>/dev/null || :; cat /proc/self/mountinfo"
    )


def hardened(profile: str) -> HostHardening:
    return HostHardening(profile=profile, admin_users=[ADMIN])  # type: ignore[arg-type]


def on(host: Machine, make: Callable[[Machine], None], service: str, profile: str) -> Run:
    with ssh_host(host, service=service) as server:
        make(server)
        first = boot(server, hardened(profile))
        assert first.exit_code == 0, first.steps
        before = tree(server)
        second = run(server, SELF)
        assert second.exit_code == 0, second.steps
        assert "changed" not in second.outcomes.values(), second.steps
        assert tree(server) == before
        return first


@pytest.mark.parametrize("profile", ["core", "baseline", "strict"])
@pytest.mark.parametrize("like", LIKE)
def test_every_profile_applies_and_a_second_run_changes_nothing(
    host: Machine, like: str, profile: str
) -> None:
    result = on(host, *LIKE[like], profile)
    assert set(result.outcomes.values()) <= {"ok", "changed", "skipped"}
    assert result.outcomes["sshd"] == "changed"


def test_amazon_linux_keeps_its_time_its_algorithms_and_gets_the_include(host: Machine) -> None:
    with ssh_host(host, service="sshd.service") as server:
        amazon_linux_2023(server)
        before = server.read(SSHD_CONFIG)
        result = boot(server, hardened("strict"))
        assert result.outcomes["time-source"] == "ok"
        assert result.outcomes["security-updates"] == "changed"
        assert server.read(SSHD_CONFIG) == f"Include {DROP_IN}\n{before}"
        assert "Ciphers" not in server.read(DROP_IN)
        assert "reload-or-restart sshd.service" in server.read("/run/systemctl.log")
        assert_hardened(server)


def test_red_hats_own_drop_in_does_not_win(host: Machine) -> None:
    with ssh_host(host, service="sshd.service") as server:
        rhel(server)
        assert "x11forwarding yes" in server.effective()
        boot(server, hardened("baseline"))
        assert "x11forwarding no" in server.effective()
        assert "ciphers aes256-ctr" in server.effective()


def test_what_is_written_where_selinux_is_gets_its_label(host: Machine) -> None:
    with ssh_host(host, service="sshd.service") as server:
        rhel(server)
        boot(server, hardened("strict"))
        labelled = {*server.read(RELABELLED).splitlines()}
        ours = {*server.sh("find /etc /usr/local/sbin -type f -name '*hardened-ec2*'").split()}
        assert len(ours) > 15
        assert ours <= labelled
        assert STATUS in labelled


def test_a_bare_host_has_its_metadata_locked_by_ip_rules(host: Machine) -> None:
    result = on(host, bare, "ssh.service", "strict")
    assert result.steps["imds-lock"].reason == "ip rules"
    skipped = {name for name, outcome in result.outcomes.items() if outcome == "skipped"}
    assert {"host-firewall", "sudo-pty", "time-source", "security-updates", "audit-rules"} <= (
        skipped
    )


# sshd: its service, its socket, its version, its main file.


def test_the_socket_of_ubuntu_is_not_reloaded_and_its_next_sshd_is_hardened(host: Machine) -> None:
    with ssh_host(host, service="none.service") as server:
        ubuntu(server)
        assert sshd_step(boot(server)) == ("changed", "")
        assert "reload-or-restart" not in server.read("/run/systemctl.log")
        # What the socket starts reads the files anew.
        server.sh("kill $(cat /run/sshd.pid); sleep 0.3; /usr/sbin/sshd")
        try:
            assert_hardened(server)
        finally:
            server.sh("kill $(cat /run/sshd.pid)")


UNKNOWN = {
    "RequiredRSASize": "OpenSSH before 9.1",
    "PerSourcePenalties": "OpenSSH before 9.8",
    "PerSourceMaxStartups": "OpenSSH before 8.5",
    "DebianBanner": "not Debian's OpenSSH",
    "GSSAPIAuthentication": "built without Kerberos",
    "KexAlgorithms": "a list of algorithms that it refuses",
}


def refuse(server: SshHost, keyword: str) -> None:
    """Put an sshd in place of the real one that does not know a keyword."""
    server.tools(without="sshd")
    server.write(
        "/run/sbin/sshd",
        f"""#!/bin/sh
tested=/etc/ssh/sshd_config
for word; do [ "$last" != -f ] || tested=$word; last=$word; done
grep -qrsi '^{keyword} ' "$tested" "${{tested%/*}}/sshd_config.d" && {{
	echo "$tested: line 1: Bad configuration option: {keyword}" >&2
	exit 255
}}
exec /run/sbin.real/sshd "$@"
""",
        0o755,
    )


@pytest.mark.parametrize("keyword", UNKNOWN)
def test_a_setting_that_this_sshd_refuses_is_left_out_and_the_others_hold(
    host: Machine, keyword: str
) -> None:
    with ssh_host(host) as server:
        refuse(server, keyword)
        assert sshd_step(boot(server)) == ("changed", "")
        text = server.read(DROP_IN)
        assert keyword not in text
        assert {other for other in ("Ciphers", "MACs", "LogLevel") if other in text} == {
            "Ciphers",
            "MACs",
            "LogLevel",
        }
        assert_hardened(server)


def test_an_sshd_that_refuses_what_keeps_passwords_out_is_a_failure(host: Machine) -> None:
    with ssh_host(host) as server:
        refuse(server, "AuthenticationMethods")
        outcome, reason = sshd_step(boot(server))
        assert outcome == "failed"
        assert "AuthenticationMethods" in reason
        assert not server.path(DROP_IN).exists()


@pytest.mark.parametrize(
    "line",
    [
        "#Include /etc/ssh/sshd_config.d/*.conf",
        "Include /etc/ssh/other.d/*.conf",
        "Include /etc/ssh/sshd_config.d/50-cloud-init.conf",
    ],
)
def test_an_include_that_does_not_bring_ours_is_none(host: Machine, line: str) -> None:
    rest = f"{line}\nUsePAM yes\n"
    with ssh_host(host, sshd_config=rest) as server:
        assert sshd_step(boot(server)) == ("changed", "")
        assert server.read(SSHD_CONFIG) == f"Include {DROP_IN}\n{rest}"
        assert_hardened(server)
        assert sshd_step(boot(server)) == ("ok", "")


@pytest.mark.parametrize(
    "line",
    [
        "include /etc/ssh/sshd_config.d/*.conf",
        "Include sshd_config.d/*.conf",
        "  Include\t/etc/ssh/sshd_config.d/*.conf",
    ],
)
def test_an_include_in_another_spelling_is_enough(host: Machine, line: str) -> None:
    rest = f"# the distribution's\n\n{line}\nUsePAM yes\n"
    with ssh_host(host, sshd_config=rest) as server:
        assert sshd_step(boot(server)) == ("changed", "")
        assert server.read(SSHD_CONFIG) == rest
        assert_hardened(server)


def test_without_resolved_nothing_is_written_for_it(host: Machine) -> None:
    without_systemd_programs(host, "systemd-resolved")
    boot(host, HostHardening(profile="baseline"))
    assert not host.path("/etc/systemd/resolved.conf.d").exists()


def test_the_core_needs_no_program_of_systemd_that_is_optional(host: Machine) -> None:
    bare(host)
    assert boot(host, core()).exit_code == 0
