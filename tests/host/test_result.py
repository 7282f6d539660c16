"""What a run says of itself, whatever a reason contains; and that what is damaged is not run."""

import base64
import gzip
import json
import re
import subprocess

import pytest

from hardened_ec2.host import CONTROLS
from hardened_ec2.host.program import program, source
from tests.host.boot import BOOTHOOK, FINISHED, STATUS, boot, boothook_of, core, run
from tests.host.machine import Machine

pytestmark = pytest.mark.host

SELF = "/usr/local/sbin/hardened-ec2"
SIGNAL = "--stack Shop --resource Server --region eu-west-1"
RESULT = "/run/cloud-init/result.json"


def status(host: Machine) -> dict[str, object]:
    found = json.loads(host.read(STATUS))
    assert isinstance(found, dict)
    return found


def test_the_status_says_version_profile_time_and_steps(host: Machine) -> None:
    boot(host)
    found = status(host)
    assert found["profile"] == "core"
    assert re.fullmatch(r"[0-9a-f]{12}", str(found["version"]))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", str(found["time"]))
    assert found["failed"] == 0
    steps = found["steps"]
    assert isinstance(steps, list)
    assert [set(step) for step in steps] == [{"name", "outcome", "reason"}] * len(steps)
    assert [step["name"] for step in steps] == [each.name for each in CONTROLS if each.core]


HOSTILE = [
    'quotes " and \\ and \\" and \\\\',
    '"},{"name":"sshd","outcome":"ok',
    "a\nfailed nothing invented",
    "tab\tbell\x07 escape\x1b[2J nul-less",
    "$(id) `id` ${HOME} %s %d \\n \\x41",
    "ünïcödé → 漢",
    "&\\1 /",
    "x" * 5000,
    "",
]


@pytest.mark.parametrize("reason", HOSTILE)
def test_no_reason_can_spoil_the_status(reason: str) -> None:
    script = f"""
STATE=/nowhere SHA256=0123456789abcdef PROFILE=baseline changed=0
{source("report.sh")}
hostile() {{ cat; return 1; }}
step first true
step second hostile
step third true
status_json
"""
    done = subprocess.run(
        ["sh", "-c", script], input=reason.encode(), capture_output=True, check=True
    )
    found = json.loads(done.stdout.decode("ascii"))
    outcomes = [(step["name"], step["outcome"]) for step in found["steps"]]
    assert outcomes == [("first", "ok"), ("second", "failed"), ("third", "ok")]
    assert found["failed"] == 1
    said = found["steps"][1]["reason"]
    if reason.isprintable() and reason.isascii() and len(reason) < 300:
        assert said == reason
    assert len(said) <= 300


def test_the_command_prints_the_status_and_says_whether_it_is_well(host: Machine) -> None:
    assert boot(host).exit_code == 0
    done = host.run(SELF, "status")
    assert (done.returncode, done.stdout) == (0, host.read(STATUS))
    host.write("/etc/systemd/system/hardened-ec2-imds.timer.d/x", "")
    host.sh("rm /etc/systemd/system/hardened-ec2-imds.timer")
    host.write("/etc/systemd/system/hardened-ec2-imds.timer/in-the-way", "")
    assert run(host, SELF, "apply").exit_code == 1
    assert host.run(SELF, "status").returncode == 1


def test_without_a_status_there_is_nothing_well(host: Machine) -> None:
    boot(host)
    host.path(STATUS).unlink()
    assert host.run(SELF, "status").returncode == 1


def test_the_host_prints_what_it_runs(host: Machine) -> None:
    boot(host)
    assert host.run(SELF, "program").stdout == program("core")


# A program that does not arrive as it was sent.


def damaged(text: str, how: str) -> str:
    (packed,) = re.findall(r"base64 -d <<EOF \| gzip -dc\n(.*)EOF\n}", text, re.DOTALL)
    if how == "truncated":
        return text.replace(packed, f"{packed[:996]}\n")
    if how == "another program":
        other = base64.b64encode(gzip.compress(b"touch /run/owned\n")).decode()
        return text.replace(packed, f"{other}\n")
    return text.replace(packed, "")


@pytest.mark.parametrize("how", ["truncated", "another program", "empty"])
def test_a_damaged_program_is_not_run_and_the_metadata_are_locked(host: Machine, how: str) -> None:
    host.write(BOOTHOOK, damaged(boothook_of(core().render()), how), 0o700)
    done = host.run(BOOTHOOK)
    assert done.returncode == 1
    assert not host.path("/run/owned").exists()
    assert not host.path(SELF).exists()
    assert "skuid" in host.sh("nft list table inet hardened_ec2_imds")
    assert status(host)["failed"] == 1
    assert "HARDENING-RESULT failed=1 unpack" in host.read("/dev/console")
    assert host.path(STATUS).stat().st_mode & 0o7777 == 0o600


@pytest.mark.parametrize("tool", ["gzip", "base64", "sha256sum"])
def test_a_host_without_a_tool_to_unpack_is_locked(host: Machine, tool: str) -> None:
    host.sh(f"mount --bind /dev/null /usr/bin/{tool}")
    host.write(BOOTHOOK, boothook_of(core().render()), 0o700)
    assert host.run(BOOTHOOK).returncode == 1
    assert "skuid" in host.sh("nft list table inet hardened_ec2_imds")
    assert "unpack" in host.read(STATUS)


def test_a_damaged_program_without_nftables_leaves_root_alone(host: Machine) -> None:
    host.tools(without="nft")
    host.write(BOOTHOOK, damaged(boothook_of(core().render()), "empty"), 0o700)
    assert host.run(BOOTHOOK).returncode == 1
    for address in ("169.254.169.254", "fd00:ec2::254"):
        assert "denied" in host.run("ip", "route", "get", address, "uid", "1").stderr
        assert "denied" not in host.run("ip", "route", "get", address, "uid", "0").stderr


# The signal, to a cfn-signal that writes down what it is told.


def finish(host: Machine, *, script: str = "", errors: str = "[]", first: bool = True) -> str:
    """Boot, let cloud-init finish, and return what CloudFormation was told."""
    if script:
        host.write("/run/opt/aws/bin/cfn-signal", f"#!/bin/sh\n{script}\n", 0o755)
        host.sh("mkdir -p /opt && mount --bind /run/opt /opt")
    host.sh(f"mkdir -p {FINISHED.rsplit('/', 1)[0]}")
    if not first:
        host.write(FINISHED, "")
    text = core().render()
    head, rest = boothook_of(text).split("SHA256=", 1)
    host.write(BOOTHOOK, f"{head}SIGNAL='{SIGNAL}'\n{source('signal.sh')}SHA256={rest}", 0o700)
    host.run(BOOTHOOK)
    host.write(FINISHED, "")
    if errors:
        host.write(RESULT, f'{{\n "v1": {{\n  "datasource": "x",\n  "errors": {errors}\n }}\n}}\n')
    run(host, SELF, "finish")
    told = host.path("/run/told")
    return told.read_text() if told.exists() else ""


TELL = 'echo "$*" >>/run/told'


def test_success_is_signalled_once(host: Machine) -> None:
    assert finish(host, script=TELL) == f"--success true {SIGNAL}\n"
    assert outcome(host) == ("changed", "success=true")
    run(host, SELF, "finish")
    assert host.read("/run/told").count("\n") == 1
    assert outcome(host) == ("skipped", "not the first boot")


def outcome(host: Machine) -> tuple[str, str]:
    steps = status(host)["steps"]
    assert isinstance(steps, list)
    (found,) = [(s["outcome"], s["reason"]) for s in steps if s["name"] == "signal"]
    return found


def test_a_failed_step_is_signalled_as_failure(host: Machine) -> None:
    host.write("/etc/systemd/system/hardened-ec2-imds.timer/in-the-way", "")
    assert finish(host, script=TELL) == f"--success false {SIGNAL}\n"
    assert outcome(host) == ("changed", "success=false: the hardening")


@pytest.mark.parametrize("errors", ["[\"('scripts_user', RuntimeError(1))\"]", ""])
def test_commands_that_failed_or_never_ended_are_signalled_as_failure(
    host: Machine, errors: str
) -> None:
    assert finish(host, script=TELL, errors=errors) == f"--success false {SIGNAL}\n"
    assert outcome(host) == ("changed", "success=false: cloud-init")


def test_another_boot_signals_nothing(host: Machine) -> None:
    assert finish(host, script=TELL, first=False) == ""
    assert outcome(host) == ("skipped", "not the first boot")


def test_without_cfn_signal_the_stack_is_left_to_its_timeout(host: Machine) -> None:
    assert finish(host) == ""
    result, reason = outcome(host)
    assert result == "failed"
    assert "no cfn-signal here" in reason
    assert status(host)["failed"] == 1


def test_a_signal_that_does_not_arrive_is_a_failure_and_is_sent_again(host: Machine) -> None:
    finish(host, script="[ -e /run/open ] && " + TELL)
    assert outcome(host) == ("failed", "CloudFormation did not take the signal")
    host.write("/run/open", "")
    run(host, SELF, "finish")
    assert host.read("/run/told") == f"--success true {SIGNAL}\n"


def test_apply_signals_nothing(host: Machine) -> None:
    finish(host, script="[ -e /run/open ] && " + TELL)
    host.write("/run/open", "")
    run(host, SELF, "apply")
    assert not host.path("/run/told").exists()
