"""Scans of servers before and after the hardening, and whether every finding left has a waiver."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from hardened_ec2.host import HostHardening
from lab.commands import LabError, progress
from lab.machines.distribution import BOOKWORM
from lab.machines.guest import ADMIN
from lab.machines.image import Recipe
from lab.scanners import lynis, openscap
from lab.scanners.finding import Finding
from lab.scanners.lynis import LynisReport, lynis_report
from lab.scanners.openscap import EXPLAINED, PROFILES, OpenScapReport, openscap_report
from lab.scanners.server import run_inside
from lab.scanners.waivers import Waiver, Waivers

SCANNERS = ("lynis", "openscap-scanner")
"""Debian packages."""

PREPARED = (
    *("auditd", "chrony", "unattended-upgrades", "libpam-pwquality"),
    *("aide", "aide-common", "apparmor", "debsums", "libpam-tmpdir"),
)
"""Packages of the prepared image. The hardening configures the first four. The maker of an image
adds them all, because user data may run without a package mirror."""

_PREPARE = "aideinit --yes --force >/dev/null 2>&1"
_BANNER = "Authorised use only. Access is monitored and logged; unauthorised use is prohibited."
_SECONDS = 4 * 3600.0
_BARE = "#!/bin/sh\n"

_STATUS = """\
cp /var/lib/hardened-ec2/status.json "$OUT" 2>/dev/null
"""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One server to scan.

    Args:
        image: "plain", or "prepared" with the packages of `PREPARED`.
        profile: The hardening's profile, or "none".
    """

    image: str
    profile: str

    @property
    def title(self) -> str:
        """The server's name, such as "prepared, strict" or "plain, before"."""
        return f"{self.image}, {'before' if self.profile == 'none' else self.profile}"

    @property
    def user_data(self) -> str:
        """The server's user data."""
        match self.profile:
            case "baseline":
                return HostHardening(profile="baseline", banner=_BANNER).render()
            case "strict":
                return HostHardening(profile="strict", banner=_BANNER, admin_users=[ADMIN]).render()
            case _:
                return _BARE


VARIANTS = tuple(
    Variant(image=image, profile=profile)
    for image in ("plain", "prepared")
    for profile in ("none", "baseline", "strict")
)

EXPLAINED_VARIANT = Variant(image="prepared", profile="strict")
"""The server whose findings all need a waiver."""


@dataclass(frozen=True, kw_only=True)
class Scan:
    """The scanners' reports of one server.

    Args:
        variant: The server.
        lynis: Lynis' report.
        openscap: Profile of ANSSI to OpenSCAP's report.
        failed: The hardening's steps that failed, each with its reason.
    """

    variant: Variant
    lynis: LynisReport
    openscap: dict[str, OpenScapReport]
    failed: tuple[str, ...]

    @property
    def title(self) -> str:
        """The server's name."""
        return self.variant.title

    @property
    def rules(self) -> tuple[Finding, ...]:
        """OpenSCAP's findings in the profiles of `EXPLAINED`, each rule once."""
        found = {each.id: each for name in EXPLAINED for each in self.openscap[name].findings}
        return tuple(found.values())


def explained(scans: Sequence[Scan]) -> Scan:
    """Return the scan of `EXPLAINED_VARIANT`.

    Args:
        scans: Scans, with that one among them.
    """
    (scan,) = (each for each in scans if each.variant == EXPLAINED_VARIANT)
    return scan


def scan_variant(variant: Variant) -> Scan:
    """Boot one server and scan it, which takes most of an hour on one core.

    Args:
        variant: The server.

    Raises:
        LabError: If the server does not boot, or a scanner does not finish.
    """
    prepared = variant.image == "prepared"
    distribution = replace(BOOKWORM, additional=(*SCANNERS, *(PREPARED if prepared else ())))
    recipe = Recipe(files=lynis.SETTINGS, commands=(_PREPARE,) if prepared else ())
    progress(f"{variant.title}: powered on")
    left = run_inside(
        f"scan, {variant.title}",
        distribution,
        recipe,
        variant.user_data,
        script=_STATUS + openscap.SCRIPT + lynis.SCRIPT,
        shared={"content.xml": openscap.content()},
        seconds=_SECONDS,
    )
    progress(f"{variant.title}: scanned")
    status = json.loads(left.get("status.json", b'{"steps": []}'))
    try:
        return Scan(
            variant=variant,
            lynis=lynis_report(left["lynis.dat"].decode(errors="replace")),
            openscap={each: openscap_report(left[f"{each}.xml"]) for each in PROFILES},
            failed=tuple(
                f"{step['name']}: {step['reason']}"
                for step in status["steps"]
                if step["outcome"] == "failed"
            ),
        )
    except (KeyError, ValueError) as error:
        raise LabError(f"a scanner did not finish: {error}, it left {sorted(left)}") from error


def complaints(scans: Sequence[Scan], waivers: Waivers) -> Iterator[str]:
    """Yield every finding of the explained server without a waiver, and every unused waiver.

    Args:
        scans: Scans, with that of `EXPLAINED_VARIANT` among them.
        waivers: The waivers.
    """
    strict = explained(scans)
    yield from unexplained("Lynis", strict.lynis.findings, waivers.lynis)
    yield from unexplained("OpenSCAP", strict.rules, waivers.openscap)


def unexplained(
    scanner: str, findings: Sequence[Finding], waivers: Sequence[Waiver]
) -> Iterator[str]:
    """Yield every finding without a waiver, and every waiver without a finding.

    Args:
        scanner: The scanner's name.
        findings: The scanner's findings.
        waivers: The scanner's waivers.
    """
    for finding in findings:
        if not any(waiver.covers(finding) for waiver in waivers):
            yield (
                f"{scanner} reports {finding.id} ({finding.text}) without a waiver: change the "
                "hardening, or add the reason to lab/scanners/waivers.toml"
            )
    for waiver in waivers:
        if not any(waiver.covers(finding) for finding in findings):
            yield (
                f"{scanner} does not report {waiver.id}: remove the waiver from "
                "lab/scanners/waivers.toml"
            )
