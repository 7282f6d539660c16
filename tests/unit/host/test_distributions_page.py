"""docs/DISTRIBUTIONS.md: every test that it names exists, and none of the branches is missing."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "DISTRIBUTIONS.md").read_text()
NAMED = set(re.findall(r"`(test_\w+\.py)::(test_\w+)`", PAGE))


def functions_of(name: str) -> set[str]:
    tree = ast.parse((ROOT / "tests" / "host" / name).read_text())
    return {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def test_every_test_that_is_named_exists() -> None:
    assert len(NAMED) > 30
    missing = {f"{file}::{test}" for file, test in NAMED if test not in functions_of(file)}
    assert missing == set()


def test_every_branch_that_is_tested_as_one_of_a_distribution_is_named() -> None:
    named = {test for file, test in NAMED if file == "test_distributions.py"}
    assert named == functions_of("test_distributions.py")


def test_every_fixture_is_a_distribution_of_the_page() -> None:
    tree = ast.parse((ROOT / "tests/host/test_distributions.py").read_text())
    (fixtures,) = (
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Dict)
        and ast.unparse(node.targets[0]) == "LIKE"
    )
    names = [ast.literal_eval(key) for key in fixtures.keys if key is not None]
    assert "Ubuntu" in names
    assert [name for name in names if f"| {name}" not in PAGE] == []


def test_every_row_names_what_proves_it() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and "---" not in line]
    unproven = [row for row in rows if "::test_" not in row and not row.endswith("tested by |")]
    assert len(unproven) == 1
    assert "make proof" in unproven[0]
