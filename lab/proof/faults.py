"""Faults of a server, and the protection that is left afterwards.

After each fault the proof asks whether metadata is still locked, whether the administrator can log
in, and whether the server reports what failed.
"""

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from lab.commands import LabError, must, progress
from lab.machines.careless_image import CLERK, PASSWORD, careless
from lab.machines.distribution import Distribution
from lab.machines.guest import BOOT_SECONDS, Guest
from lab.machines.image import File, Recipe
from lab.machines.metadata_service import METADATA
from lab.machines.network import TAP
from lab.machines.server import running
from lab.paths import EVIDENCE
from lab.probes.clients import key_login, password_command, password_login, settled
from lab.probes.metadata_requests import Attempt, survey
from lab.probes.programs import ask
from lab.template.assembly import Server

_WITHOUT_NETWORK = 60
"""Seconds, long after the point of the boot at which the lock has to be in place."""

_SITE = "/etc/ssh/sshd_config.d/10-site.conf"

_REPAIRED_LATER = {
    "/etc/systemd/system/lab-repair.service": File(
        text=f"""\
[Unit]
Description=The configuration of sshd is repaired by other means than SSH
After=hardened-ec2.service
[Service]
Type=oneshot
ExecStart=/bin/rm {_SITE}
ExecStart=/bin/systemctl reset-failed ssh.service
ExecStart=/bin/systemctl start ssh.service
[Install]
WantedBy=cloud-init.target
"""
    )
}

_AT_WORK = "LAB: the hardening is at work"
_TOLD_AT_WORK = {
    "/etc/systemd/system/lab-at-work.path": File(
        text="""\
[Unit]
DefaultDependencies=no
[Path]
PathExists=/run/hardened-ec2/first-boot
[Install]
WantedBy=sysinit.target
"""
    ),
    "/etc/systemd/system/lab-at-work.service": File(
        text=f"""\
[Unit]
DefaultDependencies=no
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'echo {_AT_WORK} >/dev/console'
"""
    ),
}


def _boot(guest: Guest) -> None:
    guest.power_on()
    guest.wait_for_login()
    guest.wait_until_booted()


def _fill_disk(guest: Guest) -> None:
    """Fill the disk to the last block, root's reserve included, and reboot."""
    _boot(guest)
    guest.root("dd if=/dev/zero of=/var/filler bs=1M 2>/dev/null || :; sync; df /var >&2")
    guest.reboot()
    guest.wait_until_booted()


def _cut_power(guest: Guest) -> None:
    """Cut the power during the hardening, which takes half a minute under emulation."""
    guest.power_on()
    deadline = time.monotonic() + BOOT_SECONDS
    while _AT_WORK not in guest.console():
        if time.monotonic() > deadline:
            raise LabError(
                f"the hardening did not begin within {BOOT_SECONDS} s:\n{guest.console()[-3000:]}"
            )
        time.sleep(0.1)
    time.sleep(3)
    if "HARDENING-RESULT" in guest.console():
        raise LabError("the hardening ended before the power was cut")
    guest.cut_power()
    _boot(guest)


def _boot_without_network(guest: Guest) -> None:
    """Reboot with the network cable unplugged, and plug it in a minute later."""
    _boot(guest)
    router = guest.network.router
    guest.ssh("sudo", "systemctl", "reboot")
    router.sh(f"ip link set {TAP} down")
    time.sleep(_WITHOUT_NETWORK)
    router.sh(f"ip link set {TAP} up")
    guest.wait_for_login()
    guest.wait_until_booted()


def _boot_without_administrator(guest: Guest) -> None:
    """Boot a server that admits only a user with a known password, and give that user the key."""
    guest.power_on()
    deadline = time.monotonic() + BOOT_SECONDS
    while password_login(guest, guest.network.intruder, CLERK, PASSWORD) != "in":
        if time.monotonic() > deadline:
            raise LabError(f"no login within {BOOT_SECONDS} s:\n{guest.console()[-3000:]}")
        time.sleep(2)
    install = f"umask 077; mkdir -p .ssh; echo '{guest.admin_key.public}' >.ssh/authorized_keys"
    must(*password_command(guest, guest.network.intruder, CLERK, PASSWORD), install)
    guest.admin = CLERK
    guest.wait_until_booted()


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A fault of a server.

    Args:
        title: The fault's name in reports.
        recipe: Changes to the careless image. Default: none.
        happen: Boots the server and causes the fault. Default: boots it.
        steps: Step of the hardening to the beginning of its line in the report. Default: none.
        silent: Whether the report cannot be written, so that only the console and the service's
            state show the failure. Default: False.
        quick: Whether `make proof` includes it. Default: False, `make proof-all` only.
    """

    title: str
    recipe: Recipe = field(default_factory=Recipe)
    happen: Callable[[Guest], None] = _boot
    steps: Mapping[str, str] = field(default_factory=dict)
    silent: bool = False
    quick: bool = False

    @property
    def fails(self) -> bool:
        """Whether the hardening has to report a failure."""
        return self.silent or any(says.startswith("failed") for says in self.steps.values())


FAULTS = (
    # Two faults in one boot, which takes minutes: neither hides the effect of the other.
    Fault(
        title="no nftables, and a step made to fail",
        recipe=Recipe(
            files={"/etc/modprobe.d/hardened-ec2.conf/in-the-way": File(text="")},
            commands=("dpkg --purge --force-depends nftables >/dev/null 2>&1",),
        ),
        steps={
            "imds-lock": "ok imds-lock ip rules",
            "kernel-modules": "failed kernel-modules",
        },
        quick=True,
    ),
    Fault(
        title="host key of a type that the hardening disables",
        recipe=Recipe(
            files={
                "/etc/cloud/cloud.cfg.d/92-site.cfg": File(text="ssh_genkeytypes: [ecdsa]\n"),
            }
        ),
    ),
    Fault(
        title="power cut in the middle of the first boot",
        recipe=Recipe(files=_TOLD_AT_WORK, commands=("systemctl --quiet enable lab-at-work.path",)),
        happen=_cut_power,
        quick=True,
    ),
    Fault(title="full disk", happen=_fill_disk, silent=True),
    Fault(title="no network at boot", happen=_boot_without_network),
    Fault(
        title="broken algorithm list in the image's own sshd configuration",
        recipe=Recipe(
            files={
                _SITE: File(text="KexAlgorithms curve25519-sha256,nowhere\n"),
                **_REPAIRED_LATER,
            },
            commands=("systemctl enable lab-repair.service",),
        ),
        steps={"sshd": "failed sshd invalid before the hardening, left as found"},
    ),
    Fault(
        title="AllowGroups without an administrator",
        recipe=Recipe(
            files={_SITE: File(text="AllowGroups operators\n")},
            commands=(
                "groupadd operators",
                f"usermod --append --groups operators {CLERK}",
                f"echo '{CLERK} ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/{CLERK}",
            ),
        ),
        happen=_boot_without_administrator,
        steps={"sshd": "failed sshd not hardened: nobody could log in by key"},
    ),
)


@dataclass(frozen=True, kw_only=True)
class Aftermath:
    """The observations after a fault.

    Args:
        fault: The fault.
        metadata: Requests of the server's users to the link-local services.
        container: Requests from a forwarded network.
        admin: The outcome of the administrator's login.
        password: The outcome of a login with a password.
        report: The hardening's own report.
        service: Properties of hardened-ec2.service.
        console: The serial console's output.
    """

    fault: Fault
    metadata: tuple[Attempt, ...]
    container: tuple[Attempt, ...]
    admin: str
    password: str
    report: str
    service: Mapping[str, str]
    console: str

    def reached(self) -> set[str]:
        """Return the users that reached the metadata service at any of its addresses."""
        return {a.user for a in self.metadata if a.address in METADATA and a.answer == "open"}

    def failures(self) -> int | None:
        """Return the count of failed steps in the console's last result; None without a result."""
        said = re.findall(r"^HARDENING-RESULT .*\bfailed=(\d+)", self.console, re.MULTILINE)
        return int(said[-1]) if said else None


def suffer(distribution: Distribution, server: Server, fault: Fault) -> Aftermath:
    """Boot a server, cause a fault and observe what is left of its protection.

    Args:
        distribution: The server's Debian release.
        server: Its user data, security group rules and IMDS hop limit.
        fault: The fault.

    Raises:
        LabError: If the lab fails, or the administrator cannot log in.
    """
    progress(f"{distribution.title}: {fault.title}")
    with running(fault.title, distribution, server, careless() + fault.recipe) as machine:
        fault.happen(machine)
        progress(f"{fault.title}: caused, observing")
        metadata, container = survey(machine)
        facts = ask(machine, "facts", {"logins": [], "client": "", "modes": []})
        found = Aftermath(
            fault=fault,
            metadata=metadata,
            container=container,
            admin=settled(lambda: key_login(machine, machine.admin)),
            password=settled(
                lambda: password_login(machine, machine.network.intruder, CLERK, PASSWORD)
            ),
            report=facts["hardening"],
            service=facts["service"],
            console=machine.console(),
        )
    file = EVIDENCE / fault.title / "aftermath.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    left = {name: value for name, value in vars(found).items() if name != "fault"}
    file.write_text(json.dumps(left, indent=1, default=vars), encoding="utf-8")
    return found
