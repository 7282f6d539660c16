"""`help()` of a public class shows our own text and arguments, not those of the CDK class below."""

import dataclasses
import enum
import inspect
import pydoc
import re
from pathlib import Path
from typing import Any

import pytest

import hardened_ec2

TESTS = Path(__file__).parents[1]
CLASSES = {
    name: value
    for name in hardened_ec2.__all__
    if inspect.isclass(value := getattr(hardened_ec2, name))
}
VALUES = {name: each for name, each in CLASSES.items() if dataclasses.is_dataclass(each)}
CONSTRUCTS = {
    name: each for name, each in CLASSES.items() if name not in VALUES and "__init__" in vars(each)
}


def documented(text: str) -> list[str]:
    """Return the arguments that a docstring's Args section describes, in order."""
    section = re.search(r"^Args:\n((?:(?: .*)?\n)*)", inspect.cleandoc(text) + "\n", re.MULTILINE)
    return re.findall(r"^    (\w+): ", section[1], re.MULTILINE) if section else []


def test_every_class_that_takes_arguments_is_looked_at() -> None:
    others = {
        name
        for name, each in CLASSES.items()
        if name not in VALUES and name not in CONSTRUCTS and not issubclass(each, enum.Enum)
    }
    assert others == {"HardenVolume", "HardenedEc2Defaults", "InterfaceEndpoints"}
    assert len(CONSTRUCTS) > 15


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_says_what_it_is_in_less_than_forty_lines(name: str) -> None:
    text = vars(CLASSES[name])["__doc__"]
    assert text
    assert len(text.splitlines()) < 40


@pytest.mark.parametrize("name", CONSTRUCTS)
def test_a_constructor_describes_each_of_its_arguments(name: str) -> None:
    construct: Any = CONSTRUCTS[name]
    arguments = [
        each for each in inspect.signature(construct.__init__).parameters if each != "self"
    ]
    assert sorted(documented(vars(construct)["__init__"].__doc__)) == sorted(arguments)
    assert not documented(vars(construct)["__doc__"])


@pytest.mark.parametrize("name", VALUES)
def test_a_value_describes_each_of_its_fields(name: str) -> None:
    value: Any = VALUES[name]
    fields = [each.name for each in dataclasses.fields(value) if each.init]
    assert sorted(documented(vars(value)["__doc__"])) == sorted(fields)


@pytest.mark.parametrize("name", CONSTRUCTS)
def test_help_shows_the_arguments_by_name(name: str) -> None:
    construct: Any = CONSTRUCTS[name]
    names = list(inspect.signature(construct).parameters)
    assert names == list(inspect.signature(construct.__init__).parameters)[1:]
    text = pydoc.plain(pydoc.render_doc(construct))
    assert f"{name}(*args" not in text
    assert pydoc.plain(pydoc.render_doc(construct.__init__)).count(names[-1])


@pytest.mark.parametrize("name", CONSTRUCTS)
def test_a_test_passes_each_argument(name: str) -> None:
    tests = "".join(test.read_text("utf-8") for test in TESTS.rglob("*.py"))
    arguments = [each for each in inspect.signature(CONSTRUCTS[name]).parameters if each != "id"]
    assert [each for each in arguments[1:] if not re.search(rf'\b{each}=|"{each}"', tests)] == []
