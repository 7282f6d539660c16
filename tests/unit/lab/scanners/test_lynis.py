"""Reading Lynis' report."""

import pytest

from lab.scanners.finding import Finding
from lab.scanners.lynis import SETTINGS, lynis_report
from tests.unit.lab.scanners.scanned import LYNIS


def test_the_index_is_read() -> None:
    assert lynis_report(LYNIS).index == 78


def test_warnings_come_before_suggestions_and_keep_their_detail() -> None:
    findings = lynis_report(LYNIS).findings
    assert findings[0].id == "FINT-4316"
    assert findings[0].detail == ""
    assert (
        Finding(
            id="SSH-7408",
            title="Consider hardening SSH configuration",
            detail="MaxSessions (set 4 to 2)",
        )
        in findings
    )
    assert [each.id for each in findings].count("AUTH-9286") == 2


def test_what_is_said_twice_is_one_finding() -> None:
    twice = LYNIS + "warning[]=FINT-4316|No AIDE database was found, needed for AIDE|-|-|\n" * 2
    assert len(lynis_report(twice).findings) == len(lynis_report(LYNIS).findings) + 1


def test_an_audit_that_did_not_end_is_no_result() -> None:
    cut = LYNIS.replace("hardening_index=78\n", "")
    with pytest.raises(ValueError, match="no hardening index: the audit did not finish"):
        lynis_report(cut)


def test_tests_are_left_out_by_lynis_own_profile() -> None:
    assert "skip-test=PKGS-7392\n" in SETTINGS["/etc/lynis/custom.prf"].text
