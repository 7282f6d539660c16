"""The templates that checkers are measured on: whole, judged, and as large as is said."""

import json
from pathlib import Path

import pytest

from benchmarks.cfn_guard import unpack
from benchmarks.written import RESOURCES_A_SERVER, template, write_json, write_yaml
from hardened_ec2.policy.judging.collection import collect
from hardened_ec2.policy.judging.verdict import verdict


@pytest.mark.parametrize("first", [0, 1, 300])
def test_a_template_needs_no_other(first: int) -> None:
    text = template(first, 4)
    resources = json.loads(text)["Resources"]
    assert len(resources) == 4 * RESOURCES_A_SERVER
    assert f'"Group{first - 1}"' not in text


def test_what_is_written_is_judged_and_has_flaws(tmp_path: Path) -> None:
    folders = [
        write_json(tmp_path / "json", templates=3, servers=10),
        write_yaml(tmp_path / "yaml", copies=2),
    ]
    said = verdict(collect(folders))
    assert len(said.templates) == 3 + 2 * 2
    assert not said.unreadable
    broken = {finding.rule for finding in said.findings}
    assert {"HardenedEc2-ImdsV2", "HardenedEc2-AdminPortOpenToWorld"} <= broken


def test_without_cfn_guard_it_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.cfn_guard.ROOT", tmp_path)
    with pytest.raises(FileNotFoundError, match="run `make bench`"):
        unpack(tmp_path)
