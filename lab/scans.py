"""Two scanners before and after the hardening: `python -m lab.scans docs/SCANNERS.md`.

Names of servers, such as "prepared, strict", limit it to these: one takes more than an hour where
the machine has to be emulated. The strict prepared one is always scanned.

Fails if what the scanners still want from a strict server and what `lab.waivers` says of it are not
the same list. Figures are written down, not judged: a scanner's next version counts differently.
"""

import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from hardened_ec2.host import HostHardening
from lab import emulated, lynis, openscap, user_mode
from lab.commands import LabError, progress
from lab.guest import ADMIN
from lab.image import BOOKWORM, Recipe
from lab.lynis import Finding, LynisReport, lynis_report
from lab.openscap import PROFILES, OpenScapReport, openscap_report
from lab.proof import EVIDENCE
from lab.requirements import SCANS, TOOLS, install
from lab.scanners_document import scanners_document
from lab.waivers import LYNIS, OPENSCAP, Waiver

SCANNERS = ("lynis", "openscap-scanner")

PREPARED = (
    *("auditd", "chrony", "unattended-upgrades", "libpam-pwquality"),
    *("aide", "aide-common", "apparmor", "debsums", "libpam-tmpdir"),
)
"""What the hardening configures where it is installed, then what only the maker of an image can
add: user data that installs packages needs the network, and fails with it."""

_PREPARE = "aideinit --yes --force >/dev/null 2>&1"
_BANNER = "Authorised use only. Access is monitored and logged; unauthorised use is prohibited."
_SECONDS = 4 * 3600.0
_AT_ONCE = 2
_BARE = "#!/bin/sh\n"

_STATUS = """\
cp /var/lib/hardened-ec2/status.json "$OUT" 2>/dev/null
"""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One server that is scanned.

    Args:
        image: "plain", or "prepared" with the packages of `PREPARED`.
        profile: The hardening's, or "none".
    """

    image: str
    profile: str

    @property
    def title(self) -> str:
        """What people call it."""
        return f"{self.image}, {'before' if self.profile == 'none' else self.profile}"

    @property
    def user_data(self) -> str:
        """What the server gets."""
        match self.profile:
            case "baseline":
                return HostHardening(profile="baseline", banner=_BANNER).render()
            case "strict":
                return HostHardening(profile="strict", banner=_BANNER, admin_users=[ADMIN]).render()
            case _:
                return _BARE


VARIANTS = (
    Variant(image="plain", profile="none"),
    Variant(image="plain", profile="baseline"),
    Variant(image="plain", profile="strict"),
    Variant(image="prepared", profile="none"),
    Variant(image="prepared", profile="baseline"),
    Variant(image="prepared", profile="strict"),
)

WAIVED = Variant(image="prepared", profile="strict")
"""The server of which every finding that is left has a reason."""


@dataclass(frozen=True, kw_only=True)
class Scan:
    """What the scanners say of one server.

    Args:
        variant: Which.
        lynis: Lynis' report.
        openscap: Profile of ANSSI to OpenSCAP's report.
        failed: The hardening's steps that failed, with their reasons.
    """

    variant: Variant
    lynis: LynisReport
    openscap: dict[str, OpenScapReport]
    failed: tuple[str, ...]

    @property
    def title(self) -> str:
        """What people call the server."""
        return self.variant.title


def scan(variant: Variant) -> Scan:
    """Boot one server and scan it.

    Raises:
        LabError: If it did not come to its end.
    """
    prepared = variant.image == "prepared"
    distribution = replace(BOOKWORM, additional=(*SCANNERS, *(PREPARED if prepared else ())))
    recipe = Recipe(files=lynis.SETTINGS, commands=(_PREPARE,) if prepared else ())
    progress(f"{variant.image}, {variant.profile}: switched on")
    run_inside = user_mode.run_inside if user_mode.runs_here() else emulated.run_inside
    left = run_inside(
        f"scan, {variant.title}",
        distribution,
        recipe,
        variant.user_data,
        script=_STATUS + openscap.SCRIPT + lynis.SCRIPT,
        shared={"content.xml": openscap.content()},
        seconds=_SECONDS,
    )
    progress(f"{variant.image}, {variant.profile}: scanned")
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
        raise LabError(f"a scanner did not come to its end: {error}, {sorted(left)}") from error


def complaints(scans: list[Scan], *, in_user_mode: bool) -> Iterator[str]:
    """Say what is wrong with some scans, or with what is said of them.

    Args:
        scans: The scans.
        in_user_mode: Whether the servers ran under User Mode Linux.
    """
    (strict,) = (each for each in scans if each.variant == WAIVED)
    rules = [finding for each in PROFILES[:2] for finding in strict.openscap[each].findings]
    told = (("Lynis", strict.lynis.findings, LYNIS), ("OpenSCAP", tuple(rules), OPENSCAP))
    for scanner, findings, waivers in told:
        here = tuple(waiver for waiver in waivers if in_user_mode or not waiver.user_mode)
        yield from unexplained(scanner, findings, here)


def unexplained(
    scanner: str, findings: "tuple[Finding, ...] | list[Finding]", waivers: tuple[Waiver, ...]
) -> Iterator[str]:
    """Say which findings have no waiver, and which waivers no finding.

    Args:
        scanner: Whose.
        findings: What it is not content with.
        waivers: The reasons.
    """
    for finding in findings:
        if not any(waiver.covers(finding) for waiver in waivers):
            yield f"{scanner} {finding.id}: {finding.title} {finding.detail}: no waiver says why"
    for waiver in waivers:
        if not any(waiver.covers(finding) for finding in findings):
            yield f"{scanner} {waiver.id}: the waiver is about nothing any more: remove it"


def main() -> int:
    """Scan the variants; write the evidence, and the document that is named."""
    titles = sys.argv[2:] or [each.title for each in VARIANTS]
    unknown = set(titles) - {each.title for each in VARIANTS}
    if unknown:
        known = ", ".join(f'"{each.title}"' for each in VARIANTS)
        sys.stderr.write(f"no server is called {', '.join(sorted(unknown))}: write {known}\n")
        return 2
    if install(TOOLS | SCANS):
        return 1
    chosen = [each for each in VARIANTS if each.title in titles or each == WAIVED]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        scans = list(pool.map(scan, chosen))
    EVIDENCE.mkdir(parents=True, exist_ok=True)
    evidence = EVIDENCE / "scans.json"
    evidence.write_text(json.dumps([asdict(each) for each in scans], indent=1), encoding="utf-8")
    in_user_mode = user_mode.runs_here()
    said = [*complaints(scans, in_user_mode=in_user_mode)]
    for complaint in said:
        sys.stderr.write(f"{complaint}\n")
    (left,) = (each for each in scans if each.variant == WAIVED)
    text = scanners_document(
        scans,
        left,
        prepared=PREPARED,
        skipped=lynis.SKIPPED,
        where=user_mode.LIMITS if in_user_mode else emulated.LIMITS,
    )
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
