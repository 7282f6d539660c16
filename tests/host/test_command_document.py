"""The command document of Systems Manager, run step by step: what it makes of a server."""

import re

import pytest

from hardened_ec2.host import HostHardening, LifecycleSignal
from hardened_ec2.host.command_document import command_document
from hardened_ec2.host.delivery import INSTALLED
from tests.host.boot import BOOTHOOK, STATUS, boothook_of
from tests.host.documents import (
    PatientMachine,
    StepRun,
    compliant,
    run_document,
    some_of_strict,
    stand_in_for_systemd,
)
from tests.host.machine import Machine
from tests.host.metadata_lab import METADATA, MetadataLab

pytestmark = pytest.mark.host

HARDENING = some_of_strict()
DOCUMENT = command_document(HARDENING)
DROP_IN = "/etc/ssh/sshd_config.d/00-hardened-ec2.conf"
NOBODY = 65534
APPLIED = "This hardening is not on the server: installing it."


@pytest.fixture
def server(lab: MetadataLab) -> Machine:
    stand_in_for_systemd(lab.host)
    # What is left there has to be its own, not what another run on this machine left.
    lab.host.sh("mount -t tmpfs -o mode=1777 tmpfs /var/tmp")
    return PatientMachine(lab.host.pid)


def not_in_force(runs: list[StepRun]) -> set[str]:
    output = "".join(run.output for run in runs)
    return set(re.findall(r"^NOT IN FORCE ([a-z-]+):", output, re.MULTILINE))


def tree(host: Machine) -> str:
    return host.sh("find /etc /usr/local/sbin -type f -exec sha256sum {} + | sort -k 2")


def test_a_server_that_nobody_hardened_is_not_compliant_and_is_left_as_it_is(
    lab: MetadataLab, server: Machine
) -> None:
    before = tree(server)
    runs = run_document(server, DOCUMENT, Operation="Check")
    assert [run.exit_code for run in runs] == [0, 1]
    assert not compliant(runs)
    assert not_in_force(runs) >= {"imds-lock", "install", "imds-units", "sshd", "host-firewall"}
    assert tree(server) == before
    assert lab.reached(*METADATA, uid=NOBODY) == {*METADATA}


def test_it_hardens_such_a_server_which_then_is_compliant(
    lab: MetadataLab, server: Machine
) -> None:
    runs = run_document(server, DOCUMENT)
    assert compliant(runs), runs
    assert APPLIED in runs[0].output
    assert server.read(INSTALLED) == HARDENING.installer()
    assert lab.reached(*METADATA, uid=0) == {*METADATA}
    assert lab.reached(*METADATA, uid=NOBODY) == set()
    assert "passwordauthentication no" in server.sh("sshd -T")
    # Again: nothing is left to change, and nothing is installed anew.
    before = tree(server)
    runs = run_document(server, DOCUMENT)
    assert compliant(runs)
    assert APPLIED not in runs[0].output
    assert "changed=0" in runs[0].output
    assert tree(server) == before
    assert server.sh("find /var/tmp -name 'hardened-ec2*'") == ""


def test_every_control_of_strict_can_be_kept_in_force(server: Machine) -> None:
    strict = command_document(HostHardening(profile="strict"))
    runs = run_document(server, strict)
    assert compliant(runs), runs
    assert re.search(r"^HARDENING-CHECKS asked=[89]\d failed=0$", runs[1].output, re.MULTILINE)


def test_drift_is_seen_and_mended(lab: MetadataLab, server: Machine) -> None:
    run_document(server, DOCUMENT)
    server.path(DROP_IN).unlink()
    server.write("/etc/ssh/sshd_config.d/10-mine.conf", "PasswordAuthentication yes\n")
    server.write("/proc/sys/kernel/dmesg_restrict", "0\n")
    server.sh("nft flush ruleset; rm /etc/systemd/system/*/hardened-ec2-imds.timer")
    assert lab.reached(*METADATA, uid=NOBODY) == {*METADATA}
    runs = run_document(server, DOCUMENT, Operation="Check")
    assert not compliant(runs)
    drifted = {"sshd", "sysctl-kernel", "imds-lock", "imds-units", "host-firewall"}
    assert not_in_force(runs) == drifted
    # Looking has mended nothing.
    assert not_in_force(run_document(server, DOCUMENT, Operation="Check")) == drifted
    runs = run_document(server, DOCUMENT)
    assert compliant(runs), runs
    # The lock is back before the steps begin.
    for name in drifted - {"imds-lock"}:
        assert f'{{"name":"{name}","outcome":"changed"' in server.read(STATUS), name
    assert lab.reached(*METADATA, uid=NOBODY) == set()
    assert compliant(run_document(server, DOCUMENT, Operation="Check"))


def test_drift_that_cannot_be_mended_is_not_compliant(server: Machine) -> None:
    run_document(server, DOCUMENT)
    timer = "/etc/systemd/system/hardened-ec2-imds.timer"
    server.sh(f"rm {timer}; mkdir -p {timer}/in-the-way")
    runs = run_document(server, DOCUMENT)
    assert runs[0].exit_code == 1
    assert not compliant(runs)
    assert '"name":"imds-units","outcome":"failed"' in runs[0].output


@pytest.mark.parametrize("form", ["gzip", "text"])
def test_a_servers_own_program_is_used_where_it_is_the_same_hardening(
    server: Machine, form: str
) -> None:
    """Its user data gave it more to know: the signal, the image that it is from."""
    signal = LifecycleSignal(group="Shop-Web", hook="hardening", region="eu-west-1")
    server.write(BOOTHOOK, own_program(form, signal), 0o700)
    assert server.run(BOOTHOOK).returncode == 0
    before = server.read(INSTALLED)
    assert "SIGNAL=" in before
    runs = run_document(server, DOCUMENT)
    assert compliant(runs), runs
    assert APPLIED not in runs[0].output
    assert server.read(INSTALLED) == before


def own_program(form: str, signal: LifecycleSignal) -> str:
    if form == "text":
        return boothook_of(HARDENING.render(signal=signal))
    head, _, rest = HARDENING.installer().partition("SHA256=")
    extra = boothook_of(HARDENING.render(signal=signal)).removeprefix(head).partition("SHA256=")[0]
    return f"{head}{extra}SHA256={rest}"


@pytest.mark.parametrize("damage", ["another hardening", "cut off", "changed"])
def test_any_other_program_is_replaced(server: Machine, damage: str) -> None:
    other = some_of_strict(imds_users=["1001"])
    run_document(server, command_document(other if damage == "another hardening" else HARDENING))
    text = server.read(INSTALLED)
    if damage == "cut off":
        server.write(INSTALLED, text[: len(text) // 2], 0o500)
    elif damage == "changed":
        server.write(INSTALLED, text.replace("goto deny", "accept"), 0o500)
    assert damage == "another hardening" or server.read(INSTALLED) != text
    runs = run_document(server, DOCUMENT)
    assert APPLIED in runs[0].output
    assert compliant(runs), runs
    assert server.read(INSTALLED) == HARDENING.installer()


def test_a_document_that_was_changed_on_the_way_runs_nothing(server: Machine) -> None:
    document = command_document(HARDENING)
    lines = document["mainSteps"][0]["inputs"]["runCommand"]
    (at,) = (number for number, line in enumerate(lines) if line.startswith("base64 -d"))
    del lines[at + 2]
    runs = run_document(server, document)
    assert not compliant(runs)
    assert runs[0].exit_code == 1
    assert "nothing of it was run" in runs[0].output
    assert not server.path(INSTALLED).exists()
