"""The programs that run inside a guest: each is copied there as one file."""

import ast
import sys
from pathlib import Path

import pytest

import lab.inside

PROGRAMS = [each for each in Path(lab.inside.__path__[0]).glob("*.py") if each.stem != "__init__"]


def imported(program: Path) -> set[str]:
    tree = ast.parse(program.read_text(encoding="utf-8"))
    nodes = [*ast.walk(tree)]
    names = {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}
    names |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda each: str(each.stem))
def test_a_program_needs_only_the_standard_library(program: Path) -> None:
    assert imported(program) <= sys.stdlib_module_names


@pytest.mark.parametrize("program", ["checks", "disturb", "facts", "metadata", "search"])
def test_every_program_that_the_probes_run_exists(program: str) -> None:
    assert program in {each.stem for each in PROGRAMS}
