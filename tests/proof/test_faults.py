"""Servers on which something goes wrong: locked, open to the administrator, and honest."""

import pytest

from lab.faults import Aftermath
from lab.metadata import METADATA
from lab.server_image import ALLOWED_USER

pytestmark = pytest.mark.proof


def test_the_metadata_is_locked(aftermath: Aftermath) -> None:
    assert aftermath.reached() == {"root", ALLOWED_USER}
    answers = [each.answer for each in aftermath.container if each.address in METADATA]
    assert set(answers) <= {"refused", "prohibited"}


def test_the_administrator_gets_in(aftermath: Aftermath) -> None:
    assert aftermath.admin == "in"


def test_what_failed_is_reported(aftermath: Aftermath) -> None:
    lines = aftermath.report.splitlines()
    for step, says in aftermath.fault.steps.items():
        assert [line for line in lines if f" {step} " in line and says in line], lines
    failed = [line for line in lines if line.startswith("failed")]
    expected = [says for says in aftermath.fault.steps.values() if says.startswith("failed")]
    assert len(failed) == len(expected), lines
    assert f"failed={len(failed)}" in aftermath.console


def test_passwords_are_refused_unless_sshd_could_not_be_hardened(aftermath: Aftermath) -> None:
    assert aftermath.password == ("in" if "sshd" in aftermath.fault.steps else "refused")
