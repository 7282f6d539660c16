"""What help() and editors show of constructs: our own text and arguments, not CDK's."""

import inspect

import pytest

from hardened_ec2 import (
    AccountGuardrails,
    HardeningAssociation,
    HardenInstance,
    HardenSecurityGroup,
    MetadataAlarms,
    PatchSchedule,
    SessionRecording,
)

MOST_LINES = 40
WITH_ARGUMENTS_AT_INIT = (
    AccountGuardrails,
    HardenInstance,
    HardenSecurityGroup,
    HardeningAssociation,
    MetadataAlarms,
    PatchSchedule,
    SessionRecording,
)


@pytest.mark.parametrize("construct", WITH_ARGUMENTS_AT_INIT)
def test_every_argument_is_in_the_signature_and_described(construct: type) -> None:
    parameters = inspect.signature(construct).parameters
    text = inspect.getdoc(vars(construct)["__init__"]) or ""
    described = [line.split(":")[0].strip() for line in text.splitlines() if ": " in line]
    assert parameters
    assert [name for name in parameters if name not in described] == []


@pytest.mark.parametrize("construct", WITH_ARGUMENTS_AT_INIT)
def test_a_class_is_described_in_less_than_a_page(construct: type) -> None:
    assert 1 < len((inspect.getdoc(construct) or "").splitlines()) < MOST_LINES
