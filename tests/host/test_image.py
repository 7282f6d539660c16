"""An image and a server of it: the component's phases, then the real cloud-init."""

import json

import pytest

from hardened_ec2.host import HostHardening, LifecycleSignal
from hardened_ec2.host.delivery import INSTALLED
from hardened_ec2.host.image_component import build_component, check_component
from tests.host.boot import FINISHED, STATUS, run
from tests.host.documents import (
    PatientMachine,
    run_phase,
    some_of_strict,
    stand_in_for_systemd,
)
from tests.host.machine import Machine
from tests.host.metadata_lab import METADATA, MetadataLab
from tests.host.test_cloud_init import boot_cloud_init

pytestmark = pytest.mark.host

STRICT = HostHardening(profile="strict")
HARDENING = some_of_strict()
DROP_IN = "/etc/ssh/sshd_config.d/00-hardened-ec2.conf"
STAMP = "/var/lib/hardened-ec2/image"
NOBODY = 65534
VERIFIED = "HARDENING-RESULT image\n"
CANARY = "canary-31c7"

# What one server leaves on its disk, and no other server may find there.
_TRACES = {
    "/root/.ssh/authorized_keys": "ssh-ed25519 AAAA build",
    "/home/ec2-user/.ssh/authorized_keys": "ssh-ed25519 AAAA build",
    "/root/.bash_history": "aws configure",
    "/home/ec2-user/.python_history": "import boto3",
    "/var/lib/cloud/instances/i-1/user-data.txt": "PASSWORD=hunter2",
    "/var/lib/cloud/instances/i-1/sem/config_ssh": "",
    "/var/lib/cloud/data/instance-id": "i-1",
    "/var/log/cloud-init-output.log": "PASSWORD=hunter2",
    "/var/log/audit/audit.log": "type=USER_LOGIN",
    "/var/log/messages-20261101": "old",
    "/var/log/journal/0123456789abcdef0123456789abcdef/system.journal": "LPKSHHRH",
    "/var/lib/systemd/random-seed": "not random any more",
}
# What first_boot gives a server.
_OWN = ("/etc/machine-id", "/etc/cloud/", "/etc/ssh/ssh_host_")
_KEPT = "/var/lib/cloud/scripts/per-boot/mine.sh"


@pytest.fixture
def builder(lab: MetadataLab) -> Machine:
    """A server that an image is made of, with the traces of its own life."""
    made = PatientMachine(lab.host.pid)
    stand_in_for_systemd(made)
    for path, text in {**_TRACES, _KEPT: "#!/bin/sh\n"}.items():
        made.write(path, f"{text} {CANARY}\n", 0o600)
    made.sh("ln -sfn /var/lib/cloud/instances/i-1 /var/lib/cloud/instance")
    return made


def build(host: Machine, hardening: HostHardening = HARDENING) -> None:
    runs = [
        run_
        for phase in ("build", "validate")
        for run_ in run_phase(host, build_component(hardening), phase)
    ]
    assert [(each.name, each.exit_code) for each in runs] == [
        ("Harden", 0),
        ("Clean", 0),
        ("CarriesNothing", 0),
    ], runs


def first_boot(host: Machine, user_data: bytes) -> str:
    """Start a server of the image; return what its console says of the hardening."""
    # What systemd and cloud-init's module for SSH, which have no part here, give each server.
    host.sh("rm -rf /run/hardened-ec2 /run/cloud-init; nft flush ruleset; : >/dev/console")
    key = "/etc/ssh/ssh_host_ed25519_key"
    host.sh(f"[ -e {key} ] || ssh-keygen -q -t ed25519 -N '' -f {key}")
    host.sh("echo 0123456789abcdef0123456789abcdef >/etc/machine-id")
    stand_in_for_systemd(host)
    boot_cloud_init(host, user_data)
    lines = host.read("/dev/console").splitlines(keepends=True)
    return "".join(line for line in lines if line.startswith("HARDENING-RESULT"))


def finish(host: Machine) -> None:
    """Do what hardened-ec2.service does when cloud-init is done."""
    assert run(host, INSTALLED, "finish").exit_code == 0


def tree(host: Machine) -> set[str]:
    find = "find /etc /usr/local/sbin /var/lib/hardened-ec2 -type f -exec sha256sum {} +"
    return {*host.sh(find).splitlines()}


def test_an_image_is_hardened_and_carries_nothing_of_the_server_it_was_made_on(
    builder: Machine,
) -> None:
    build(builder)
    assert builder.read(INSTALLED) == HARDENING.installer()
    for unit in ("-imds.service", "-imds.timer", "-imds.path", ".service", "-firewall.service"):
        assert builder.sh(f"systemctl is-enabled hardened-ec2{unit}") == "enabled\n"
    assert builder.path(DROP_IN).exists()
    found = builder.run("grep", "-rl", CANARY, "/etc", "/root", "/home", "/var/lib", "/var/log")
    assert found.stdout.split() == [_KEPT]
    assert builder.run("sh", "-c", "ls /etc/ssh/ssh_host_*").stdout == ""
    assert builder.read("/etc/machine-id") == ""
    assert not builder.path(STATUS).exists()
    assert builder.sh("find /var/log -type f -size +0") == ""


@pytest.mark.parametrize(
    ("trace", "says"),
    [
        ("echo x >/etc/ssh/ssh_host_ed25519_key", "/etc/ssh/ssh_host_ed25519_key"),
        ("mkdir -p /root/.ssh; echo x >/root/.ssh/authorized_keys", "/root/.ssh/authorized_keys"),
        ("echo x >/root/.bash_history", "/root/.bash_history"),
        ("echo 0123 >/etc/machine-id", "/etc/machine-id"),
        ("mkdir -p /var/lib/cloud/instances/i-2", "/var/lib/cloud/instances"),
        ("echo x >/var/lib/systemd/random-seed", "/var/lib/systemd/random-seed"),
    ],
)
def test_the_validate_phase_finds_what_an_image_must_not_carry(
    host: Machine, trace: str, says: str
) -> None:
    clean = [
        step for step in build_component(HARDENING)["phases"][0]["steps"] if step["name"] == "Clean"
    ]
    component = {**build_component(HARDENING)}
    component["phases"] = [{"name": "build", "steps": clean}, component["phases"][1]]
    run_phase(host, component, "build")
    (sound,) = run_phase(host, component, "validate")
    assert sound.exit_code == 0, sound.output
    host.sh(f"mkdir -p /var/lib/systemd; {trace}")
    (run_,) = run_phase(host, component, "validate")
    assert run_.exit_code == 1
    assert f"{says}\n" in run_.output


def test_a_server_that_cannot_be_hardened_makes_no_image(builder: Machine) -> None:
    builder.write("/etc/systemd/system/hardened-ec2-imds.service/in-the-way", "")
    runs = run_phase(builder, build_component(HARDENING), "build")
    assert [(each.name, each.exit_code) for each in runs] == [("Harden", 1)]
    assert '"outcome":"failed"' in runs[0].output


def test_the_boothook_of_such_a_server_only_verifies(lab: MetadataLab, builder: Machine) -> None:
    build(builder)
    before = tree(builder)
    assert first_boot(builder, HARDENING.compress(in_image=True)) == VERIFIED
    # Nothing was written but the program, which knows its image now, and what is each server's own.
    changed = {line.split()[1] for line in tree(builder) ^ before}
    assert {path for path in changed if not path.startswith(_OWN)} == {INSTALLED}
    assert not builder.path(STATUS).exists()
    assert lab.reached(*METADATA, uid=0) == {*METADATA}
    assert lab.reached(*METADATA, uid=NOBODY) == set()
    finish(builder)
    assert json.loads(builder.read(STATUS))["failed"] == 0


def test_the_test_phase_passes_on_such_a_server(builder: Machine) -> None:
    build(builder, STRICT)
    first_boot(builder, STRICT.compress(in_image=True))
    finish(builder)
    runs = run_phase(builder, check_component(STRICT), "test")
    assert [(each.name, each.exit_code) for each in runs] == [
        ("Booted", 0),
        ("Hardened", 0),
        ("Own", 0),
    ], runs


def test_the_test_phase_fails_on_a_server_that_is_not_hardened(builder: Machine) -> None:
    """The negative control: a server with no hardening, and one that only says it has one."""
    first_boot(builder, b"#!/bin/sh\n")
    checks = check_component(STRICT)
    assert [run_.exit_code for run_ in run_phase(builder, without_waiting(checks), "test")] != [0]
    builder.write(INSTALLED, "#!/bin/sh\n", 0o500)
    builder.write(STATUS, '{"failed":0,"steps":[]}\n')
    runs = run_phase(builder, checks, "test")
    assert [(each.name, each.exit_code) for each in runs] == [("Booted", 0), ("Hardened", 1)]
    for control in ("imds-lock", "imds-units", "sshd", "host-firewall", "kernel-modules"):
        assert f"NOT IN FORCE {control}:" in runs[-1].output


def without_waiting(component: dict[str, object]) -> dict[str, object]:
    text = json.dumps(component)
    assert "seq 300" in text
    changed = json.loads(text.replace("seq 300", "seq 1"))
    assert isinstance(changed, dict)
    return changed


@pytest.mark.parametrize("undone", ["sshd", "unit", "options", "no image"])
def test_where_the_image_is_not_as_it_was_built_the_boothook_applies(
    lab: MetadataLab, builder: Machine, undone: str
) -> None:
    hardening = HARDENING
    if undone != "no image":
        build(builder)
    if undone == "sshd":
        builder.path(DROP_IN).unlink()
    elif undone == "unit":
        builder.sh("rm /etc/systemd/system/*/hardened-ec2-imds.service")
    elif undone == "options":
        hardening = some_of_strict(imds_users=["1001"])
    console = first_boot(builder, hardening.compress(in_image=True))
    assert console.startswith("HARDENING-RESULT ok=")
    assert json.loads(builder.read(STATUS))["failed"] == 0
    assert builder.path(DROP_IN).exists()
    assert builder.sh("systemctl is-enabled hardened-ec2-imds.service") == "enabled\n"
    assert "IMDS_USERS='1001'" in builder.read(INSTALLED) or undone != "options"
    assert lab.reached(*METADATA, uid=NOBODY) == set()


def test_the_next_boots_verify_too(builder: Machine) -> None:
    build(builder)
    user_data = HARDENING.compress(in_image=True)
    first_boot(builder, user_data)
    finish(builder)
    builder.sh("rm -f /var/lib/cloud/instances/i-1/obj.pkl")
    assert first_boot(builder, user_data) == VERIFIED


def test_a_server_of_an_image_gives_its_signal(builder: Machine) -> None:
    build(builder)
    signal = LifecycleSignal(group="Shop-Web", hook="hardening", region="eu-west-1")
    builder.sh("mkdir -p /run/bin && mount --bind /run/bin /usr/local/bin")
    builder.write("/usr/local/bin/aws", '#!/bin/sh\necho "$*" >>/run/told\n', 0o755)
    assert first_boot(builder, HARDENING.compress(signal=signal, in_image=True)) == VERIFIED
    assert builder.path("/run/hardened-ec2/first-boot").exists()
    builder.sh(f"touch {FINISHED}")  # as the last stage of cloud-init does
    finish(builder)
    assert signal.arguments in builder.read("/run/told")


def test_without_user_data_the_image_hardens_its_server_by_itself(
    lab: MetadataLab, builder: Machine
) -> None:
    """The units are enabled in the image; these are their commands."""
    build(builder)
    first_boot(builder, b"#!/bin/sh\n")
    assert lab.reached(*METADATA, uid=NOBODY) == {*METADATA}
    assert builder.run(INSTALLED, "imds-lock").returncode == 0
    assert lab.reached(*METADATA, uid=NOBODY) == set()
    finish(builder)
