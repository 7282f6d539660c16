"""The examples in the docstrings do what they show."""

import doctest
from types import ModuleType

import pytest

import hardened_ec2.host.boothook
import hardened_ec2.host.hardening
import hardened_ec2.host.multipart

MODULES = [
    hardened_ec2.host.boothook,
    hardened_ec2.host.hardening,
    hardened_ec2.host.multipart,
]


@pytest.mark.parametrize("module", MODULES)
def test_examples(module: ModuleType) -> None:
    results = doctest.testmod(module)
    assert results.attempted > 0
    assert results.failed == 0
