"""Journal, core dumps, time, updates, banner, moduli: what the programs read, and from where."""

import pytest

from tests.host.machine import Machine
from tests.host.steps import apply, assert_settles, calls, holds, stub

pytestmark = [pytest.mark.host, pytest.mark.payload]

BOTH = pytest.mark.parametrize("profile", ["baseline", "strict"])
DEBIAN_CHRONY = "pool 2.debian.pool.ntp.org iburst\nsourcedir /run/chrony-dhcp\n"
RHEL_CHRONY = "pool 2.rhel.pool.ntp.org iburst\nsourcedir /run/chrony-dhcp\n"
SOURCES = [
    "server 169.254.169.123 prefer iburst minpoll 4 maxpoll 4",
    "server fd00:ec2::123 iburst minpoll 4 maxpoll 4",
]
AUTOMATIC = """\
[commands]
#  What kind of upgrade to perform:
upgrade_type = default
apply_updates = no
# reboot = never

[emitters]
emit_via = stdio
"""


@pytest.fixture
def booted(host: Machine) -> Machine:
    """A host on which systemd runs, in the middle of a boot."""
    host.sh("mkdir -p /run/systemd/system")
    stub(host, "systemctl", "case $* in *is-enabled*) exit 1 ;; esac")
    return host


def told(host: Machine, config: str, key: str) -> str:
    """Return what systemd's own reader of drop-ins says last."""
    lines = host.sh(f"systemd-analyze cat-config systemd/{config}").splitlines()
    return [line.split("=", 1)[1] for line in lines if line.startswith(f"{key}=")][-1]


@BOTH
def test_the_journal_is_kept_and_limited(host: Machine, profile: str) -> None:
    host.write("/etc/systemd/journald.conf", "[Journal]\nStorage=volatile\n")
    assert told(host, "journald.conf", "Storage") == "volatile"
    assert_settles(host, "persistent-journal", {"PROFILE": profile})
    assert told(host, "journald.conf", "Storage") == "persistent"
    assert told(host, "journald.conf", "SystemMaxUse") == "500M"


def test_a_service_that_runs_takes_it_up_without_the_boot_waiting(booted: Machine) -> None:
    apply(booted, "persistent-journal")
    assert calls(booted) == ["systemctl --no-block try-restart systemd-journald.service"]
    apply(booted, "persistent-journal")
    assert len(calls(booted)) == 1


def test_no_core_dumps_of_logins(host: Machine) -> None:
    assert not any(holds(host, "core-dumps", "baseline").values())
    assert_settles(host, "core-dumps")
    assert all(holds(host, "core-dumps", "baseline").values())
    assert told(host, "coredump.conf", "Storage") == "none"
    assert told(host, "coredump.conf", "ProcessSizeMax") == "0"


def time_host(host: Machine, main: str, text: str) -> Machine:
    host.sh("rm -rf /etc/chrony*")
    host.write(main, text)
    stub(host, "chronyd")
    return host


def test_chrony_with_a_directory_of_sources(host: Machine) -> None:
    main = "/etc/chrony/chrony.conf"
    text = f"{DEBIAN_CHRONY}sourcedir /etc/chrony/sources.d\n"
    host = time_host(host, main, text)
    assert_settles(host, "time-source")
    assert host.read(main) == text
    assert host.read("/etc/chrony/sources.d/hardened-ec2.sources").splitlines() == SOURCES


def test_chrony_with_one_file(host: Machine) -> None:
    host = time_host(host, "/etc/chrony.conf", RHEL_CHRONY)
    assert_settles(host, "time-source")
    assert host.read("/etc/chrony.conf").splitlines() == [*RHEL_CHRONY.splitlines(), *SOURCES]


@pytest.mark.parametrize("where", ["/etc/chrony.conf", "/run/chrony.d/link-local.sources"])
def test_an_image_that_has_the_source_is_left(host: Machine, where: str) -> None:
    host = time_host(host, "/etc/chrony.conf", RHEL_CHRONY)
    host.write(where, f"{RHEL_CHRONY}server 169.254.169.123 prefer iburst\n")
    before = host.read("/etc/chrony.conf")
    assert apply(host, "time-source").outcome == "ok"
    assert host.read("/etc/chrony.conf") == before


def test_chrony_looks_again_without_the_boot_waiting(booted: Machine) -> None:
    apply(time_host(booted, "/etc/chrony.conf", RHEL_CHRONY), "time-source")
    assert calls(booted) == ["systemctl --no-block try-restart chrony.service chronyd.service"]


def test_timesyncd_where_there_is_no_chrony(host: Machine) -> None:
    host.tools(without="chronyd")
    host.sh("mkdir /run/lib; cp -a /usr/lib/systemd/. /run/lib/")
    host.write("/run/lib/systemd-timesyncd", "", 0o755)
    host.sh("mount --bind /run/lib /usr/lib/systemd")
    assert_settles(host, "time-source")
    assert told(host, "timesyncd.conf", "NTP") == "169.254.169.123 fd00:ec2::123"


def test_without_either_there_is_no_time_source_to_set(host: Machine) -> None:
    host.tools(without="chronyd")
    host.sh("mkdir /run/lib; cp -a /usr/lib/systemd/. /run/lib/; rm -f /run/lib/*timesyncd")
    host.sh("mount --bind /run/lib /usr/lib/systemd")
    step = apply(host, "time-source")
    assert (step.outcome, step.reason) == ("skipped", "neither chrony nor systemd-timesyncd")


def apt(host: Machine, key: str) -> str:
    return host.sh(f"apt-config shell value {key}").strip()


def test_unattended_upgrades_is_switched_on_and_does_not_reboot(host: Machine) -> None:
    stub(host, "unattended-upgrade")
    host.write("/etc/apt/apt.conf.d/20auto-upgrades", 'APT::Periodic::Unattended-Upgrade "0";\n')
    host.write(
        "/etc/apt/apt.conf.d/50unattended-upgrades",
        'Unattended-Upgrade::Automatic-Reboot "true";\n',
    )
    assert apt(host, "APT::Periodic::Unattended-Upgrade") == "value='0'"
    assert_settles(host, "security-updates")
    assert apt(host, "APT::Periodic::Unattended-Upgrade") == "value='1'"
    assert apt(host, "APT::Periodic::Update-Package-Lists") == "value='1'"
    assert apt(host, "Unattended-Upgrade::Automatic-Reboot") == "value='false'"


def dnf(host: Machine) -> None:
    host.write("/etc/dnf/automatic.conf", AUTOMATIC)
    host.write("/etc/systemd/system/dnf-automatic.timer", "[Install]\nWantedBy=timers.target\n")


def test_dnf_automatic_is_switched_on(host: Machine) -> None:
    dnf(host)
    assert not all(holds(host, "security-updates", "baseline").values())
    assert_settles(host, "security-updates")
    assert host.read("/etc/dnf/automatic.conf").split("\n\n") == [
        (
            "[commands]\nupgrade_type = security\napply_updates = yes\nreboot = never\n"
            "#  What kind of upgrade to perform:\n# reboot = never"
        ),
        "[emitters]\nemit_via = stdio\n",
    ]
    assert host.sh("systemctl is-enabled dnf-automatic.timer") == "enabled\n"
    assert all(holds(host, "security-updates", "baseline").values())


def test_dnf_automatic_starts_without_the_boot_waiting(booted: Machine) -> None:
    dnf(booted)
    assert apply(booted, "security-updates").outcome == "changed"
    assert calls(booted)[-1] == "systemctl --no-block start dnf-automatic.timer"


def test_no_updates_where_none_are_wanted_or_none_can_be(host: Machine) -> None:
    host.sh("rm -rf /etc/dnf")
    step = apply(host, "security-updates")
    assert step.reason == "neither unattended-upgrades nor dnf-automatic"
    assert step.outcome == "skipped"
    dnf(host)
    step = apply(host, "security-updates", {"AUTOMATIC_UPDATES": "no"})
    assert (step.outcome, step.reason) == ("skipped", "not wanted")
    assert host.read("/etc/dnf/automatic.conf") == AUTOMATIC


def test_the_banner_is_the_text_that_is_given(host: Machine) -> None:
    host.write("/etc/issue.net", "Debian GNU/Linux 12\n")
    assert apply(host, "login-banner").outcome == "skipped"
    assert host.read("/etc/issue.net") == "Debian GNU/Linux 12\n"
    assert_settles(host, "login-banner", {"BANNER": "Authorised use only.\nLogged."})
    for path in ("/etc/issue.net", "/etc/issue"):
        assert host.read(path) == "Authorised use only.\nLogged.\n"


MODULI = """\
# Time Type Tests Tries Size Generator Modulus
20220101000000 2 6 100 2047 2 AAAA
20220101000000 2 6 100 3071 2 BBBB
20220101000000 2 6 100 4095 2 CCCC
"""


@pytest.fixture
def offering(host: Machine) -> Machine:
    stub(host, "sshd", "echo kexalgorithms curve25519,diffie-hellman-group-exchange-sha256")
    host.write("/etc/ssh/moduli", MODULI)
    return host


def test_small_groups_go_where_sshd_offers_groups(offering: Machine) -> None:
    assert_settles(offering, "sshd-moduli")
    lines = offering.read("/etc/ssh/moduli").splitlines()
    assert lines == [line for line in MODULI.splitlines() if " 2047 " not in line]


def test_moduli_stay_where_sshd_does_not_offer_groups(offering: Machine) -> None:
    stub(offering, "sshd", "echo kexalgorithms curve25519-sha256")
    step = apply(offering, "sshd-moduli")
    assert (step.outcome, step.reason) == ("skipped", "no group exchange")
    assert offering.read("/etc/ssh/moduli") == MODULI


def test_moduli_of_small_groups_only_are_left(offering: Machine) -> None:
    offering.write("/etc/ssh/moduli", "".join(MODULI.splitlines(keepends=True)[:2]))
    before = offering.read("/etc/ssh/moduli")
    assert apply(offering, "sshd-moduli").outcome == "failed"
    assert offering.read("/etc/ssh/moduli") == before
