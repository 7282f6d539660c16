"""The rendered user data in the hands of the real cloud-init, from data source to final stage."""

import json

import pytest

from tests.host.boot import STATUS, core, run
from tests.host.machine import Machine

pytestmark = pytest.mark.host

# Only what handles user data: modules that would format a disk or set a clock stay out.
_CLOUD_CFG = """
datasource_list: [NoCloud]
network: {config: disabled}
cloud_init_modules: []
cloud_config_modules: []
cloud_final_modules: [scripts-user, final-message]
system_info: {distro: debian}
"""
INSTANCE = "/var/lib/cloud/instances/i-1"
NOBODY = 65534
SCRIPT = """#!/bin/bash
printf '%s\\n' "ünïcödé → 漢" "$(ls /etc/ssh/sshd_config.d)" >/run/commands
"""


def boot_cloud_init(host: Machine, user_data: str | bytes) -> None:
    for old in host.path("/etc/cloud/cloud.cfg.d").iterdir():
        old.unlink()
    host.write("/etc/cloud/cloud.cfg", _CLOUD_CFG)
    host.write("/var/lib/cloud/seed/nocloud/meta-data", "instance-id: i-1\n")
    given = user_data if isinstance(user_data, bytes) else user_data.encode()
    host.path("/var/lib/cloud/seed/nocloud/user-data").write_bytes(given)
    host.sh("cloud-init init --local; cloud-init init; cloud-init modules --mode=final")


def test_without_the_hardening_nothing_of_it_is_there(host: Machine) -> None:
    boot_cloud_init(host, SCRIPT)
    assert host.read("/run/commands") == "ünïcödé → 漢\n\n"
    assert not host.path(STATUS).exists()


@pytest.mark.parametrize("form", ["text", "gzip"])
def test_the_core_runs_first_and_the_commands_arrive_whole(host: Machine, form: str) -> None:
    hardening = core()
    compressed = form == "gzip"
    boot_cloud_init(host, hardening.compress(SCRIPT) if compressed else hardening.render(SCRIPT))
    assert host.read("/run/commands") == "ünïcödé → 漢\n00-hardened-ec2.conf\n"
    assert "HARDENING-RESULT" in host.read("/dev/console")
    assert json.loads(host.read(STATUS))["failed"] == 0


def test_what_cloud_init_writes_is_closed_again_when_it_is_done(host: Machine) -> None:
    """The part of hardened-ec2.service, which systemd would start now."""
    boot_cloud_init(host, core().render("#!/bin/sh\n# canary-77aa\n"))
    assert host.path(f"{INSTANCE}/boot-finished").exists()
    result = run(host, "/usr/local/sbin/hardened-ec2")
    assert result.exit_code == 0
    for name, mode in (("user-data.txt", 0o400), ("scripts/part-002", 0o500), ("obj.pkl", 0o400)):
        assert host.path(f"{INSTANCE}/{name}").stat().st_mode & 0o7777 == mode, name
    found = host.run("grep", "-rls", "canary-77aa", "/var/lib", "/var/log", "/run", uid=NOBODY)
    assert found.stdout == ""
    assert "canary-77aa" in host.read(f"{INSTANCE}/user-data.txt")


def test_the_next_boot_applies_it_again(host: Machine) -> None:
    """Boothooks run at every boot, so a changed hardening reaches a server that was hardened."""
    boot_cloud_init(host, core(imds_users=["1001"]).render())
    assert "1001" in host.sh("nft list set inet hardened_ec2_imds allow_uid")
    # A reboot: /run and the kernel's tables are empty, and the Ec2 data source, unlike this one,
    # fetches again what it knows already.
    host.sh(f"nft flush ruleset; rm -r /run/cloud-init /run/hardened-ec2 {INSTANCE}/obj.pkl")
    boot_cloud_init(host, core(imds_users=["1002"]).render())
    allowed = host.sh("nft list set inet hardened_ec2_imds allow_uid")
    assert "1002" in allowed
    assert "1001" not in allowed
