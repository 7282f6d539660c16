"""Reading OpenSCAP's results."""

import pytest

from lab.scanners.openscap import PROFILES, SCRIPT, openscap_report
from tests.unit.lab.scanners.scanned import OPENSCAP


def test_the_score_and_what_passed() -> None:
    report = openscap_report(OPENSCAP)
    assert report.score == 82.6
    assert report.passed == 2


def test_only_what_was_tried_and_failed_is_a_finding() -> None:
    (finding,) = openscap_report(OPENSCAP).findings
    assert finding.id == "accounts_password_set_max_life_root"
    assert finding.title == "Set Root Account Password Maximum Age"


@pytest.mark.parametrize("result", [b"error", b"unknown"])
def test_a_rule_that_could_not_be_tried_is_a_finding_too(result: bytes) -> None:
    changed = OPENSCAP.replace(b"<result>fail<", b"<result>" + result + b"<")
    assert len(openscap_report(changed).findings) == 1


def test_an_evaluation_without_a_score_is_no_result() -> None:
    changed = OPENSCAP.replace(b"score", b"other")
    with pytest.raises(ValueError, match="no score: the evaluation did not finish"):
        openscap_report(changed)


def test_every_profile_is_evaluated() -> None:
    for profile in PROFILES:
        assert f"profile_anssi_bp28_{profile} " in SCRIPT
