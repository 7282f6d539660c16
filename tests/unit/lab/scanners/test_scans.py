"""Which servers are scanned, what a scan complains about, and the document of the scans."""

import re

import pytest

from lab.scanners.__main__ import chosen
from lab.scanners.document import scanners_document
from lab.scanners.finding import Finding
from lab.scanners.openscap import PROFILES
from lab.scanners.scans import EXPLAINED_VARIANT, VARIANTS, Scan, complaints, unexplained
from lab.scanners.waivers import Waiver, Waivers, read_waivers
from tests.unit.lab.scanners.scanned import reports

WANTED = Finding(id="SSH-7408", title="Consider hardening", detail="Port (set 22 to )")


def scans() -> list[Scan]:
    lynis, openscap = reports()
    return [
        Scan(
            variant=each,
            lynis=lynis,
            openscap=dict.fromkeys(PROFILES, openscap),
            failed=("host-firewall: no such family",),
        )
        for each in VARIANTS
    ]


def document() -> str:
    return scanners_document(scans(), read_waivers())


def test_a_finding_without_a_waiver_is_a_complaint() -> None:
    (said,) = unexplained("Lynis", [WANTED], ())
    assert said == (
        "Lynis reports SSH-7408 (Consider hardening: Port (set 22 to )) without a waiver: change "
        "the hardening, or add the reason to lab/scanners/waivers.toml"
    )


def test_a_waiver_without_a_finding_is_a_complaint() -> None:
    waiver = Waiver(id="SSH-7408", about="Compression", reason="x.")
    said = [*unexplained("Lynis", [WANTED], (waiver,))]
    assert len(said) == 2
    assert said[1] == (
        "Lynis does not report SSH-7408: remove the waiver from lab/scanners/waivers.toml"
    )


def test_a_finding_with_a_waiver_is_no_complaint() -> None:
    waiver = Waiver(id="SSH-7408", about="Port", reason="x.")
    assert [*unexplained("Lynis", [WANTED], (waiver,))] == []


def test_every_finding_of_the_strict_server_of_the_prepared_image_needs_a_waiver() -> None:
    said = [*complaints(scans(), Waivers(lynis=(), openscap=()))]
    (strict,) = (each for each in scans() if each.variant == EXPLAINED_VARIANT)
    assert len(said) == len(strict.lynis.findings) + len(strict.rules)
    assert "Lynis reports FINT-4316 (No AIDE database was found" in " ".join(said)


@pytest.mark.parametrize(
    ("titles", "scanned"),
    [
        ([], [each.title for each in VARIANTS]),
        (["prepared, strict"], ["prepared, strict"]),
        (["plain, before"], ["plain, before", "prepared, strict"]),
    ],
)
def test_titles_limit_the_servers_and_strict_is_always_scanned(
    titles: list[str], scanned: list[str]
) -> None:
    assert [each.title for each in chosen(titles)] == scanned


def test_an_unknown_title_is_refused() -> None:
    message = 'unknown server "plain, lax": write "plain, before", "plain, baseline", '
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        chosen(["plain, lax"])


def test_the_figures_are_in_the_document() -> None:
    lines = document().splitlines()
    head = next(line for line in lines if line.startswith("| |"))
    assert head.split("|")[2].strip() == "plain, before"
    assert head.count("|") == len(VARIANTS) + 2
    index = next(line for line in lines if line.startswith("| Lynis, hardening index"))
    assert index == "| Lynis, hardening index |" + " 78 |" * len(VARIANTS)
    assert any(line.startswith("| OpenSCAP, anssi_bp28_minimal | 82.6 |") for line in lines)


def test_a_finding_of_two_profiles_is_listed_once_with_its_reason() -> None:
    rows = [line for line in document().splitlines() if "set_max_life_root" in line]
    assert len(rows) == 1
    assert "Set Root Account Password Maximum Age" in rows[0]
    assert "cron stops running root's jobs" in rows[0]


def test_failed_steps_of_the_hardening_are_in_the_document() -> None:
    assert "Steps of the hardening that failed: `host-firewall: no such family`." in document()


def test_the_user_data_of_the_servers_is_rendered_by_the_hardening() -> None:
    texts = {each.title: each.user_data for each in VARIANTS}
    assert texts["plain, before"] == texts["prepared, before"] == "#!/bin/sh\n"
    assert "PROFILE='baseline'" in texts["plain, baseline"]
    assert "PROFILE='strict'" in texts["prepared, strict"]
    assert "ADMIN_USERS='debian'" in texts["prepared, strict"]
