"""The examples in the docstrings do what they show."""

import doctest
from types import ModuleType

import pytest

import hardened_ec2.host.boothook
import hardened_ec2.host.controls.table
import hardened_ec2.host.hardening
import hardened_ec2.host.multipart
import hardened_ec2.host.options
import hardened_ec2.host.pack
import hardened_ec2.host.program
import hardened_ec2.host.signal

MODULES = [
    hardened_ec2.host.boothook,
    hardened_ec2.host.controls.table,
    hardened_ec2.host.hardening,
    hardened_ec2.host.multipart,
    hardened_ec2.host.options,
    hardened_ec2.host.pack,
    hardened_ec2.host.program,
    hardened_ec2.host.signal,
]


@pytest.mark.parametrize("module", MODULES)
def test_examples(module: ModuleType) -> None:
    results = doctest.testmod(module)
    assert results.attempted > 0
    assert results.failed == 0
