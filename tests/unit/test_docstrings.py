"""Every example in a docstring is run by one of the two that run them."""

from doctest import DocTestFinder
from importlib import import_module

import pytest

from tests.docstrings import Docstring, docstrings, needs_cdk

PROMPTS = [each for each in docstrings() if each.has_prompt and not needs_cdk(each.module)]
"""Those that `pytest --doctest-modules` runs; tests/synth/test_examples.py runs all others."""


def test_no_example_is_only_looked_at() -> None:
    assert [each.name for each in docstrings() if each.is_no_code] == []


@pytest.mark.parametrize("module", sorted({each.module for each in PROMPTS}))
def test_doctest_finds_every_prompt(module: str) -> None:
    found = {each.name for each in DocTestFinder().find(import_module(module)) if each.examples}
    assert found == {each.name for each in PROMPTS if each.module == module}


def test_modules_with_and_without_the_cdk_are_told_apart() -> None:
    assert needs_cdk("hardened_ec2.servers.instance")
    assert needs_cdk("hardened_ec2.hosting")
    assert not needs_cdk("hardened_ec2.host.hardening")
    assert not needs_cdk("hardened_ec2.addresses")


@pytest.mark.parametrize(
    "example",
    [
        "Example:\n    server = HardenedInstance(self)",
        "Example::\n\n    >>> 1 + 1\n    2",
        "Example::",
        "Example:\n    See the README.",
        "Examples:\n    hardened-ec2 check",
        "Example of a fleet::\n\n    fleet = 1",
        "```python\n1 + 1\n```",
    ],
)
def test_an_example_that_nothing_runs_is_found(example: str) -> None:
    assert Docstring("m", "m.f", f"Return it.\n\n{example}").is_no_code


def test_both_kinds_are_read() -> None:
    block = Docstring(
        "m", "m.f", "It.\n\nExample::\n\n    a = 1\n    if a:\n        f(a)\n\nSource: x"
    )
    assert block.code == "\na = 1\nif a:\n    f(a)\n\n"
    assert not block.is_no_code
    prompt = Docstring("m", "m.g", "It.\n\nExample:\n    >>> 1\n    1")
    assert prompt.has_prompt
    assert not prompt.code
    assert not prompt.is_no_code


def test_attributes_have_docstrings_too() -> None:
    names = {each.name for each in docstrings()}
    assert "hardened_ec2.policy.judging.verdict.Standing.HOLDS" in names
    assert "hardened_ec2.policy.read.template.MAX_TEMPLATE_BYTES" in names
    assert "hardened_ec2.policy.read.template.Template.load" in names
