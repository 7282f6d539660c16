"""Waivers, and the document of the scans."""

import pytest

from lab.lynis import SKIPPED, Finding
from lab.openscap import PROFILES
from lab.scanners_document import scanners_document
from lab.scans import PREPARED, VARIANTS, WAIVED, Scan, complaints, unexplained
from lab.waivers import LYNIS, OPENSCAP, Waiver
from tests.unit.lab.scanned import reports

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
    made = scans()
    (left,) = (each for each in made if each.variant == WAIVED)
    return scanners_document(made, left, prepared=PREPARED, skipped=SKIPPED, where="On a machine.")


def test_a_finding_without_a_reason_is_told() -> None:
    (said,) = unexplained("Lynis", [WANTED], ())
    assert said == "Lynis SSH-7408: Consider hardening Port (set 22 to ): no waiver says why"


def test_a_reason_without_a_finding_is_told() -> None:
    waiver = Waiver(id="SSH-7408", about="Compression", reason="x")
    said = [*unexplained("Lynis", [WANTED], (waiver,))]
    assert len(said) == 2
    assert said[1] == "Lynis SSH-7408: the waiver is about nothing any more: remove it"


@pytest.mark.parametrize(
    "waiver",
    [
        Waiver(id="SSH-7408", reason="x"),
        Waiver(id="SSH-7408", about="Port", reason="x"),
        Waiver(id="SSH-*", reason="x"),
    ],
)
def test_a_finding_with_a_reason_is_quiet(waiver: Waiver) -> None:
    assert [*unexplained("Lynis", [WANTED], (waiver,))] == []


def test_a_name_is_not_a_pattern() -> None:
    assert not Waiver(id="SSH-740", reason="x").covers(WANTED)


def test_the_strict_server_of_the_prepared_image_is_the_one_that_is_explained() -> None:
    said = [*complaints(scans(), in_user_mode=True)]
    assert "Lynis FINT-4316: No AIDE database was found" in " ".join(said)
    assert any(each.endswith("about nothing any more: remove it") for each in said)


def test_a_reason_of_user_mode_alone_is_not_missed_elsewhere() -> None:
    there = {each.split(":")[0] for each in complaints(scans(), in_user_mode=True)}
    elsewhere = {each.split(":")[0] for each in complaints(scans(), in_user_mode=False)}
    assert there - elsewhere == {
        "Lynis MACF-6208",
        "Lynis NAME-4028",
        "Lynis NAME-4406",
        "OpenSCAP sysctl_net_core_bpf_jit_harden",
    }


@pytest.mark.parametrize("waivers", [LYNIS, OPENSCAP], ids=["lynis", "openscap"])
def test_every_reason_is_a_sentence_and_said_of_one_thing(waivers: tuple[Waiver, ...]) -> None:
    assert all(waiver.reason.endswith(".") for waiver in waivers)
    keys = [(waiver.id, waiver.about) for waiver in waivers]
    assert len(keys) == len(set(keys))


def test_the_figures_are_in_the_document() -> None:
    lines = document().splitlines()
    head = next(line for line in lines if line.startswith("| |"))
    assert head.split("|")[2].strip() == "plain, before"
    assert head.count("|") == len(VARIANTS) + 2
    index = next(line for line in lines if line.startswith("| Lynis, hardening index"))
    assert index == "| Lynis, hardening index |" + " 78 |" * len(VARIANTS)
    assert any(line.startswith("| OpenSCAP, anssi_bp28_minimal | 82.6 |") for line in lines)


def test_what_is_left_stands_there_once_with_its_reason() -> None:
    rows = [line for line in document().splitlines() if "set_max_life_root" in line]
    assert len(rows) == 1
    assert "Set Root Account Password Maximum Age" in rows[0]
    assert "cron runs none" in rows[0]


def test_what_failed_under_this_kernel_is_told() -> None:
    assert "`host-firewall: no such family`" in document()


def test_the_servers_that_are_scanned_run_what_is_shipped() -> None:
    texts = {each.title: each.user_data for each in VARIANTS}
    assert texts["plain, before"] == texts["prepared, before"]
    assert "PROFILE='baseline'" in texts["plain, baseline"]
    assert "PROFILE='strict'" in texts["prepared, strict"]
    assert "ADMIN_USERS='debian'" in texts["prepared, strict"]
