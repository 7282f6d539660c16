"""ARCHITECTURE.md, CONTRIBUTING.md and docs/README.md: what they name is there, and all of it.

Also the steps of CONTRIBUTING.md that a change could leave out unseen.
"""

import re
from pathlib import Path

import pytest

from hardened_ec2.host import CONTROLS
from hardened_ec2.policy import RULES

ROOT = Path(__file__).parents[2]
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
# Where a name of a page may begin.
BASES = (
    ROOT,
    ROOT / "hardened_ec2",
    *(ROOT / "hardened_ec2").glob("*/"),
    *(ROOT / "hardened_ec2/policy").glob("*/"),
    ROOT / "lab",
    ROOT / "tests",
)
PAGES = [
    *(page for page in ROOT.glob("*.md")),
    *(page for page in (ROOT / "docs").glob("*.md")),
]


def named(page: str) -> set[str]:
    """Return what looks like a file or folder of the repository."""
    return {
        name
        for name in re.findall(r"`([\w./-]+)`", page)
        if name.endswith(("/", ".py", ".sh", ".md", ".toml"))
        and name != "findings/NAME.sh"
        and not name.startswith(("cdk.out", ".venv"))
    }


@pytest.mark.parametrize("page", [ARCHITECTURE, CONTRIBUTING], ids=["architecture", "contributing"])
def test_what_the_guide_names_is_there(page: str) -> None:
    assert len(named(page)) > 10
    missing = {name for name in named(page) if not any((base / name).exists() for base in BASES)}
    assert missing == set()


def test_the_map_names_every_room() -> None:
    rooms = {
        f"{folder.name}/"
        for place in ("hardened_ec2", "hardened_ec2/policy")
        for folder in (ROOT / place).iterdir()
        if (folder / "__init__.py").exists()
    }
    assert {room for room in rooms if room not in ARCHITECTURE} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_within_the_repository_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text("utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_index_lists_every_page() -> None:
    index = (ROOT / "docs/README.md").read_text("utf-8")
    pages = {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert {page for page in pages if f"({page})" not in index} == set()


def test_the_readme_takes_two_minutes() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 150


def quoted(folder: str) -> set[str]:
    """Return what stands in quotes in the tests of a folder."""
    tests = (ROOT / "tests" / folder).rglob("*.py")
    return {each for test in tests for each in re.findall(r'"([\w-]+)"', test.read_text("utf-8"))}


def test_every_rule_is_named_in_a_test() -> None:
    tested = quoted("unit/policy")
    names = {rule.id for rule in RULES}
    assert {name for name in names if not {name, name.removeprefix("HardenedEc2-")} & tested} == (
        set()
    )


def test_every_control_is_named_in_a_test_of_the_host() -> None:
    assert {control.name for control in CONTROLS} - quoted("host") == set()
