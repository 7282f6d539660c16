"""docs/ACKNOWLEDGEMENTS.md: every acknowledgement of our constructs, as the code has it."""

from pathlib import Path

from hardened_ec2.support import acknowledgements
from hardened_ec2.support.acknowledgement_table import acknowledgement_table

WRITTEN = (Path(__file__).parents[3] / "docs" / "ACKNOWLEDGEMENTS.md").read_text("utf-8")
ROWS = [line for line in WRITTEN.splitlines() if line.startswith("| `")]


def test_the_file_is_current() -> None:
    assert acknowledgement_table() == WRITTEN, "write: make docs"


def test_single_acknowledgements_and_tuples_of_them_are_rows() -> None:
    (every_node, associations, instances) = acknowledgements.STATE_MANAGER_ON_EVERY_NODE
    for each in (acknowledgements.SESSIONS_IN_BUCKET, every_node, associations, instances):
        assert f"| `{each.rule}` | `{each.where}` | {each.reason} |" in ROWS


def test_what_depends_on_the_settings_is_one_row_with_a_placeholder() -> None:
    (row,) = [row for row in ROWS if "<kind>" in row]
    assert "`AccountGuardrails/Settings/Permissions`" in row


def test_every_row_is_three_cells_and_there_once() -> None:
    assert {row.count("|") for row in ROWS} == {4}
    assert len(set(ROWS)) == len(ROWS)
