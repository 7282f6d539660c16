"""The signal for an Auto Scaling group, to an AWS CLI that writes down what it is told."""

import json

import pytest

from hardened_ec2.host import LifecycleSignal
from tests.host.boot import BOOTHOOK, FINISHED, STATUS, boothook_of, core, run
from tests.host.machine import Machine

pytestmark = [pytest.mark.host, pytest.mark.payload]

SELF = "/usr/local/sbin/hardened-ec2"
RESULT = "/run/cloud-init/result.json"
SIGNAL = LifecycleSignal(group="Shop-Web", hook="hardening", region="eu-west-1")
WANTED = (
    "autoscaling complete-lifecycle-action --lifecycle-action-result CONTINUE "
    "--instance-id i-0123456789abcdef0 --auto-scaling-group-name Shop-Web "
    "--lifecycle-hook-name hardening --region eu-west-1\n"
)
TELL = 'echo "$*" >>/run/told'
NOT_WAITING = "echo 'No active Lifecycle Action found with instance ID i-0123' >&2; exit 255"
"""What the API says of a server that no hook keeps out of service."""


def finish(
    host: Machine,
    *,
    aws: str = "",
    errors: str = "[]",
    first: bool = True,
    signal: LifecycleSignal = SIGNAL,
) -> str:
    """Boot, let cloud-init finish, and return what the group was told."""
    host.sh("mkdir -p /run/bin")
    if aws:
        host.write("/run/bin/aws", f"#!/bin/sh\n{aws}\n", 0o755)
    # The pauses between attempts are real on a server, and counted here.
    host.write("/run/sleep", '#!/bin/sh\necho "$1" >>/run/slept\n', 0o755)
    host.write("/run/slept", "")
    host.sh("mount --bind /run/bin /usr/local/bin; mount --bind /run/sleep /usr/bin/sleep")
    host.sh(f"mkdir -p {FINISHED.rsplit('/', 1)[0]} /var/lib/cloud/data")
    host.write("/var/lib/cloud/data/instance-id", "i-0123456789abcdef0\n")
    if not first:
        host.write(FINISHED, "")
    host.write(BOOTHOOK, boothook_of(core().render(signal=signal)), 0o700)
    host.run(BOOTHOOK)
    host.write(FINISHED, "")
    if errors:
        host.write(RESULT, f'{{\n "v1": {{\n  "datasource": "x",\n  "errors": {errors}\n }}\n}}\n')
    run(host, SELF, "finish")
    return lines(host, "/run/told")


def lines(host: Machine, path: str) -> str:
    return host.read(path) if host.path(path).exists() else ""


def outcome(host: Machine) -> tuple[str, str]:
    steps = json.loads(host.read(STATUS))["steps"]
    (found,) = [(s["outcome"], s["reason"]) for s in steps if s["name"] == "signal"]
    return found


def test_success_lets_the_server_into_service(host: Machine) -> None:
    assert finish(host, aws=TELL) == WANTED
    assert outcome(host) == ("changed", "the group takes this server into service")
    assert lines(host, "/run/slept") == ""


def test_a_failed_step_says_nothing(host: Machine) -> None:
    host.write("/etc/systemd/system/hardened-ec2-imds.timer/in-the-way", "")
    assert finish(host, aws=TELL) == ""
    result, reason = outcome(host)
    assert result == "failed"
    assert "ends this server at the timeout" in reason


@pytest.mark.parametrize("errors", ["[\"('scripts_user', RuntimeError(1))\"]", ""])
def test_commands_that_failed_or_never_ended_say_nothing(host: Machine, errors: str) -> None:
    assert finish(host, aws=TELL, errors=errors) == ""
    assert outcome(host)[0] == "failed"


def test_without_the_aws_cli_nothing_can_be_said(host: Machine) -> None:
    assert finish(host) == ""
    result, reason = outcome(host)
    assert result == "failed"
    assert "no AWS CLI here" in reason


def test_a_new_server_insists_until_the_group_waits(host: Machine) -> None:
    """The hook may wait, and the permission be known, only seconds later."""
    aws = f'[ "$(wc -l </run/slept)" -ge 2 ] || {{ {NOT_WAITING}; }}\n{TELL}'
    assert finish(host, aws=aws) == WANTED
    assert lines(host, "/run/slept") == "5\n10\n"


def test_a_new_server_that_is_never_heard_failed(host: Machine) -> None:
    finish(host, aws="echo 'AccessDenied: not\nallowed' >&2; exit 254")
    assert outcome(host) == ("failed", "AccessDenied: not allowed ")
    assert lines(host, "/run/slept").split() == ["5", "10", "20", "40", "80", "0"]
    assert json.loads(host.read(STATUS))["failed"] == 1


def test_a_server_out_of_a_warm_pool_says_it_again(host: Machine) -> None:
    assert finish(host, aws=TELL, first=False) == WANTED
    assert outcome(host)[0] == "changed"


def test_a_reboot_in_service_finds_nothing_that_waits(host: Machine) -> None:
    finish(host, aws=NOT_WAITING, first=False)
    assert outcome(host) == ("skipped", "no lifecycle hook waits")
    assert lines(host, "/run/slept") == "0\n"
    assert json.loads(host.read(STATUS))["failed"] == 0


def test_a_reboot_that_is_not_heard_failed(host: Machine) -> None:
    finish(host, aws="echo 'Could not connect' >&2; exit 255", first=False)
    assert outcome(host)[0] == "failed"


def test_the_region_is_the_hosts_own_where_the_stack_does_not_know(host: Machine) -> None:
    host.write(
        "/run/cloud-init/instance-data.json",
        '{\n "v1": {\n  "platform": "ec2",\n  "region": "ap-south-1",\n  "x": "y"\n }\n}\n',
    )
    said = finish(host, aws=TELL, signal=LifecycleSignal(group="Shop-Web", hook="hardening"))
    assert said == WANTED.replace("eu-west-1", "ap-south-1")


def test_apply_says_nothing(host: Machine) -> None:
    finish(host, aws=f"[ -e /run/open ] && {TELL}", first=False)
    host.write("/run/open", "")
    run(host, SELF, "apply")
    assert lines(host, "/run/told") == ""
