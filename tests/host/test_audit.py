"""The audit trail: rules that auditctl understands, and a server that it never stops."""

import os
import shutil
import subprocess

import pytest

from tests.host.machine import Machine
from tests.host.steps import apply, assert_settles, calls, holds, stub

pytestmark = [pytest.mark.host, pytest.mark.payload]

STEP = "audit-rules"
STRICT = {"PROFILE": "strict"}
RULES = "/etc/audit/rules.d/zz-hardened-ec2.rules"
CONFIG = "/etc/audit/auditd.conf"
HALTING = """\
# what a hardened image brings
max_log_file_action = keep_logs
space_left_action = email
##admin_space_left_action = x
admin_space_left_action = HALT
disk_full_action = HALT
disk_error_action = SINGLE
"""


@pytest.fixture
def audited(host: Machine) -> Machine:
    """A host with auditd; the kernel that everybody shares gets no rules."""
    stub(host, "auditctl", 'case $1 in -s) echo "enabled 1" ;; esac')
    stub(host, "augenrules")
    host.write(CONFIG, HALTING)
    host.sh("mkdir -p /etc/audit/rules.d; rm -f /etc/audit/rules.d/*")
    return host


def rules(host: Machine) -> list[str]:
    return host.read(RULES).splitlines()


def understood(rule: str) -> str:
    """Return what auditctl has against a rule, asked where it may only parse it."""
    auditctl = shutil.which("auditctl", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    assert auditctl is not None
    argv = ["unshare", "--user", "--map-root-user", "--net", auditctl, *rule.split()]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).replace("The audit system is disabled\n", "")


def test_every_rule_is_one_that_auditctl_understands(audited: Machine) -> None:
    apply(audited, STEP, STRICT)
    written = rules(audited)
    assert len(written) >= 20
    assert {rule: understood(rule) for rule in written} == dict.fromkeys(written, "")
    # Control: what it does not understand it says.
    for wrong in ("-S nosuchcall", "-F nosuchfield=1", "-C uid!=nosuchfield"):
        assert understood(f"-a always,exit -F arch=b64 {wrong} -k x")


def test_it_is_loaded_once_and_auditd_reads_its_settings(audited: Machine) -> None:
    audited.sh("mkdir -p /run/systemd/system")
    stub(audited, "systemctl")
    assert_settles(audited, STEP, STRICT)
    acted = [call for call in calls(audited) if call != "auditctl -s"]
    assert acted == ["augenrules --load", "systemctl --no-block kill -s HUP auditd.service"]


def test_a_full_disk_stops_records_and_never_the_server(audited: Machine) -> None:
    assert not any(
        right
        for command, right in holds(audited, STEP, "strict").items()
        if "auditd.conf" in command
    )
    apply(audited, STEP, STRICT)
    text = audited.read(CONFIG)
    assert "halt" not in text.lower()
    assert "single" not in text.lower()
    assert "##admin_space_left_action = x\n" in text
    settings = {c: r for c, r in holds(audited, STEP, "strict").items() if "auditd.conf" in c}
    assert len(settings) == 5
    assert all(settings.values()), settings
    # Neither a panic, whatever other files say, nor rules that only a reboot could mend.
    assert "-f 1" in rules(audited)
    assert not any(rule.startswith("-e") for rule in rules(audited))


def test_what_is_not_there_is_not_watched(audited: Machine) -> None:
    audited.sh("rm -rf /etc/sudoers.d /etc/crontab")
    apply(audited, STEP, STRICT)
    watched = {word.split("=", 1)[1] for rule in rules(audited) for word in rule.split()
               if word.startswith(("path=", "dir="))}  # fmt: skip
    assert "/etc/shadow" in watched
    assert not {"/etc/sudoers.d", "/etc/crontab"} & watched
    assert all(audited.path(path).exists() for path in watched - {"/var/lib/cloud"})


def test_arm_has_no_old_system_calls(audited: Machine) -> None:
    stub(audited, "uname", "echo aarch64")
    apply(audited, STEP, STRICT)
    text = audited.read(RULES)
    assert "arch=b32" not in text
    called = {
        call
        for rule in rules(audited)
        if "-S" in rule
        for call in rule.split("-S ")[1].split()[0].split(",")
    }
    assert len(called) >= 15
    for call in called:
        # Every name has a number there; "chmod" would not.
        found = subprocess.run(
            ["ausyscall", "aarch64", call, "--exact"], capture_output=True, text=True, check=False
        )
        assert found.stdout.strip().isdigit(), call
    assert "chmod" not in called


def test_rules_that_are_locked_wait_for_the_next_boot(audited: Machine) -> None:
    stub(audited, "auditctl", "echo enabled 2")
    step = apply(audited, STEP, STRICT)
    assert (step.outcome, step.reason) == ("changed", "the rules are locked until the next boot")
    assert "augenrules --load" not in calls(audited)


def test_rules_that_are_refused_are_a_failure_with_a_reason(audited: Machine) -> None:
    stub(audited, "augenrules", "echo 'There was an error in line 3 of audit.rules'; exit 1")
    step = apply(audited, STEP, STRICT)
    assert step.outcome == "failed"
    assert step.reason == "There was an error in line 3 of audit.rules"


@pytest.mark.parametrize(
    ("options", "reason"),
    [(STRICT | {"AUDIT": "no"}, "not wanted"), (STRICT, "no auditd")],
)
def test_nothing_is_written_where_there_is_no_audit(
    host: Machine, options: dict[str, str], reason: str
) -> None:
    stub(host, "auditctl", "exit 1")
    step = apply(host, STEP, options)
    assert (step.outcome, step.reason) == ("skipped", reason)
    assert not host.path(RULES).exists()
