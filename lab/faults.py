"""What may go wrong on a server, and what is left of its protection then.

After each fault three things are asked: is the metadata still locked, does the administrator get
in, and does the server say what failed?
"""

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from lab.assembly import Server
from lab.clients import key_login, password_command, password_login, settled
from lab.commands import LabError, must, progress
from lab.guest import BOOT_SECONDS, Guest
from lab.image import Distribution, File, Recipe
from lab.metadata import METADATA
from lab.network import TAP
from lab.observation import Attempt, ask, survey
from lab.proof import EVIDENCE, running
from lab.server_image import CLERK, PASSWORD, careless

_WITHOUT_NETWORK = 60
"""Seconds; systemd is long past the point where the lock has to stand by then."""

_SITE = "/etc/ssh/sshd_config.d/10-site.conf"

_MENDED_LATER = {
    "/etc/systemd/system/lab-mend.service": File(
        text=f"""\
[Unit]
Description=Somebody with another way in mends the configuration of sshd
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
    guest.switch_on()
    guest.wait_for_login()
    guest.wait_until_booted()


def _fill_disk(guest: Guest) -> None:
    """Leave not a single block, for root either, and boot on that."""
    _boot(guest)
    guest.root("dd if=/dev/zero of=/var/filler bs=1M 2>/dev/null || :; sync; df /var >&2")
    guest.reboot()
    guest.wait_until_booted()


def _cut_power(guest: Guest) -> None:
    """Take the power away in the middle of the hardening, which takes half a minute emulated."""
    guest.switch_on()
    deadline = time.monotonic() + BOOT_SECONDS
    while _AT_WORK not in guest.console():
        if time.monotonic() > deadline:
            raise LabError(f"the hardening never began:\n{guest.console()[-3000:]}")
        time.sleep(0.1)
    time.sleep(3)
    if "HARDENING-RESULT" in guest.console():
        raise LabError("the hardening had ended before the power was taken away")
    guest.switch_off()
    _boot(guest)


def _boot_without_network(guest: Guest) -> None:
    """Boot a second time with the cable out, and put it back in a minute later."""
    _boot(guest)
    router = guest.network.router
    guest.ssh("sudo", "systemctl", "reboot")
    router.sh(f"ip link set {TAP} down")
    time.sleep(_WITHOUT_NETWORK)
    router.sh(f"ip link set {TAP} up")
    guest.wait_for_login()
    guest.wait_until_booted()


def _boot_without_administrator(guest: Guest) -> None:
    """Boot a server that lets another user in, whose password is known but who has no key yet."""
    guest.switch_on()
    deadline = time.monotonic() + BOOT_SECONDS
    while password_login(guest, guest.network.intruder, CLERK, PASSWORD) != "in":
        if time.monotonic() > deadline:
            raise LabError(f"nobody gets in:\n{guest.console()[-3000:]}")
        time.sleep(2)
    install = f"umask 077; mkdir -p .ssh; echo '{guest.admin_key.public}' >.ssh/authorized_keys"
    must(*password_command(guest, guest.network.intruder, CLERK, PASSWORD), install)
    guest.admin = CLERK
    guest.wait_until_booted()


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Something that goes wrong.

    Args:
        title: What.
        recipe: What is wrong with the image. Default: nothing.
        happen: Boots the server, and does to it what goes wrong then. Default: boot.
        steps: Step of the hardening to the outcome and the words that it has to report.
        silent: Whether the report could not be written, so that only the console and the state of
            the service say what went wrong.
        quick: Whether `make proof` has the time for it.
    """

    title: str
    recipe: Recipe = field(default_factory=Recipe)
    happen: Callable[[Guest], None] = _boot
    steps: Mapping[str, str] = field(default_factory=dict)
    silent: bool = False
    quick: bool = False

    @property
    def fails(self) -> bool:
        """Whether the hardening has to say that it failed."""
        return self.silent or any(says.startswith("failed") for says in self.steps.values())


FAULTS = (
    # Two at once: each boot takes minutes, and neither hides what becomes of the other.
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
        title="host key of a kind that the hardening switches off",
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
            files={_SITE: File(text="KexAlgorithms curve25519-sha256,nowhere\n"), **_MENDED_LATER},
            commands=("systemctl enable lab-mend.service",),
        ),
        steps={"sshd": "failed sshd invalid before the hardening, left as found"},
    ),
    Fault(
        title="AllowGroups that no administrator is in",
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
    """What is left.

    Args:
        fault: Of what.
        metadata: Who reached what.
        container: What a forwarded network reached.
        admin: How the administrator's login ended.
        password: How a login with a password ended.
        report: The hardening's own report.
        service: What systemd says of hardened-ec2.service.
        console: The serial console.
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
        """Return who reached the metadata service, at any of its addresses."""
        return {a.user for a in self.metadata if a.address in METADATA and a.answer == "open"}

    def failures(self) -> int | None:
        """Return how many steps failed by what the console says last; None if it says nothing."""
        said = re.findall(r"^HARDENING-RESULT .*\bfailed=(\d+)", self.console, re.MULTILINE)
        return int(said[-1]) if said else None


def suffer(distribution: Distribution, server: Server, fault: Fault) -> Aftermath:
    """Let a server suffer a fault, and look at what is left.

    Args:
        distribution: What it runs.
        server: Its user data and its security group.
        fault: What goes wrong.
    """
    progress(f"{distribution.title}: {fault.title}")
    with running(fault.title, distribution, server, careless() + fault.recipe) as machine:
        fault.happen(machine)
        progress(f"{fault.title}: it happened, looking at what is left")
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
