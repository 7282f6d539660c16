"""Servers on which something goes wrong: locked, open to the administrator, and honest."""

import os

import pytest

from lab.assembly import Server
from lab.faults import FAULTS, Aftermath, Fault, suffer
from lab.image import BOOKWORM
from lab.metadata import METADATA
from lab.server_image import ALLOWED_USER

pytestmark = pytest.mark.proof

# Each fault is a boot or two: `make proof` has time for one, `make proof-all` for every one.
SUFFERED = FAULTS if os.environ.get("PROOF_ALL") else FAULTS[:1]


@pytest.fixture(scope="module", params=SUFFERED, ids=lambda each: str(each.title))
def fault(request: pytest.FixtureRequest) -> Fault:
    found: Fault = request.param
    return found


@pytest.fixture(scope="module")
def aftermath(server: Server, fault: Fault) -> Aftermath:
    return suffer(BOOKWORM, server, fault)


def test_the_metadata_is_locked(aftermath: Aftermath) -> None:
    assert aftermath.reached() == {"root", ALLOWED_USER}
    answers = [each.answer for each in aftermath.container if each.address in METADATA]
    assert set(answers) <= {"refused", "prohibited"}


def test_the_administrator_gets_in(aftermath: Aftermath) -> None:
    assert aftermath.admin == "in"


def test_what_failed_is_reported(aftermath: Aftermath, fault: Fault) -> None:
    for step, says in fault.steps.items():
        (line,) = [each for each in aftermath.report.splitlines() if f" {step} " in each]
        assert says in line
    failed = [line for line in aftermath.report.splitlines() if line.startswith("failed")]
    assert len(failed) == sum(says.startswith("failed") for says in fault.steps.values())
    if failed:
        assert f"failed={len(failed)}" in aftermath.console


def test_passwords_are_refused_unless_sshd_could_not_be_hardened(
    aftermath: Aftermath, fault: Fault
) -> None:
    assert aftermath.password == ("in" if "sshd" in fault.steps else "refused")
