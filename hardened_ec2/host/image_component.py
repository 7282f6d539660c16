"""The hardening as EC2 Image Builder components: one that builds it in and one that tests it."""

from typing import Any

from hardened_ec2.host.check_script import check_script
from hardened_ec2.host.delivery import (
    INSTALLED,
    STATE,
    digest,
    unpack_script,
    without_expressions,
)
from hardened_ec2.host.hardening import HostHardening

# Checksums for a new server to compare: every file that the hardening wrote, except the program,
# to which a server's user data may add a signal.
_HARDEN = f"""
sh "$work/hardened-ec2" apply || {{ {INSTALLED} status; exit 1; }}
sort -u {STATE}/written | grep -vx {INSTALLED} | while read -r file; do
	[ ! -e "$file" ] || sha256sum "$file"
done >{STATE}/image
[ -s {STATE}/image ]
"""

# Not "cloud-init clean": it removes /var/lib/cloud/scripts, which an image may need.
_CLEAN = f"""\
rm -rf /var/lib/cloud/instance /var/lib/cloud/instances /var/lib/cloud/data /var/lib/cloud/sem
rm -f /etc/ssh/ssh_host_*_key /etc/ssh/ssh_host_*_key.pub
rm -f /root/.ssh/authorized_keys* /home/*/.ssh/authorized_keys*
rm -f /root/.*_history /home/*/.*_history
rm -f /var/lib/systemd/random-seed /var/lib/systemd/credential.secret {STATE}/status.json
[ -L /var/lib/dbus/machine-id ] || rm -f /var/lib/dbus/machine-id
: >/etc/machine-id
rm -rf /var/log/journal/*
find /var/log -type f \\( -name '*.gz' -o -name '*.[0-9]' -o -name '*-[0-9]*' \\) -delete
find /var/log -type f -exec truncate -s 0 {{}} +
"""

_CARRIES_NOTHING = """\
found=$(
	find /etc/ssh -name 'ssh_host_*_key*'
	find /root /home -path '*/.ssh/authorized_keys*' -size +0
	find /root /home -maxdepth 2 -name '.*_history' -size +0
	find /var/lib/cloud/instance /var/lib/cloud/instances /var/lib/cloud/data /var/lib/cloud/sem
	find /etc/machine-id /var/lib/dbus/machine-id -type f -size +0
	find /var/lib/systemd/random-seed /var/lib/systemd/credential.secret
)
[ ! "$found" ] || { printf 'The image would carry:\\n%s\\n' "$found"; exit 1; }
"""

# The hardening writes its status last, and may end after cloud-init.
_BOOTED = f"""\
! command -v cloud-init >/dev/null || timeout 600 cloud-init status --wait
for second in $(seq 300); do
	[ ! -e {STATE}/status.json ] || break
	sleep 1
done
{INSTALLED} status
"""

_OWN = """\
[ -s /etc/machine-id ] || { echo 'The server has no machine id of its own.'; exit 1; }
ls /etc/ssh/ssh_host_*_key >/dev/null || { echo 'The server has no host keys.'; exit 1; }
"""


def build_component(hardening: HostHardening) -> dict[str, Any]:
    """Return the document of a component that builds a hardening into an image.

    Its build phase applies the hardening with the same program as user data does, records the
    checksums that servers compare later, and removes what belongs to one server: host keys, the
    machine id, authorized keys, cloud-init's state, random seeds, shell histories and logs. Its
    validate phase fails if any of them remains. Make it the last component of a recipe: later
    components would not be hardened, and would leave traces of their own.

    Args:
        hardening: the hardening.

    Raises:
        ValueError: the banner contains ``{{``, which begins an expression for Image Builder.

    Source:
        EC2 Image Builder User Guide, "Use the AWSTOE component document framework", "Security best
        practices for Image Builder"; EC2 User Guide, "Create a shared Linux AMI".

    Example:
        >>> [phase["name"] for phase in build_component(HostHardening())["phases"]]
        ['build', 'validate']

    """
    return {
        "name": "HardenedEc2",
        "description": f"Host hardening, profile {hardening.profile} ({digest(hardening)[:12]})",
        "schemaVersion": 1.0,
        "phases": [
            _phase("build", Harden=unpack_script(hardening) + _HARDEN, Clean=_CLEAN),
            _phase("validate", CarriesNothing=_CARRIES_NOTHING),
        ],
    }


def check_component(hardening: HostHardening) -> dict[str, Any]:
    """Return the document of a component that tests a server launched from the image.

    It waits for the boot to finish, and fails unless the hardening succeeded at boot, every
    control is in force, and the server has its own machine id and host keys.

    Args:
        hardening: the image's hardening.

    Raises:
        ValueError: a check contains ``{{``, which begins an expression for Image Builder.

    Source:
        EC2 Image Builder User Guide, "Use the AWSTOE component document framework".

    Example:
        >>> [phase["name"] for phase in check_component(HostHardening())["phases"]]
        ['test']

    """
    return {
        "name": "HardenedEc2Test",
        "description": f"Checks of the hardening, profile {hardening.profile}",
        "schemaVersion": 1.0,
        "phases": [
            _phase("test", Booted=_BOOTED, Hardened=check_script(hardening), Own=_OWN),
        ],
    }


def _phase(name: str, **scripts: str) -> dict[str, Any]:
    return {
        "name": name,
        "steps": [
            {
                "name": step,
                "action": "ExecuteBash",
                "timeoutSeconds": 1200,
                "onFailure": "Abort",
                "inputs": {"commands": [without_expressions(script)]},
            }
            for step, script in scripts.items()
        ],
    }
