import gc
import json
from pathlib import Path

import pytest

from hardened_ec2.policy import Settings, UnreadableTemplate
from hardened_ec2.policy.judging.stacks import judge_stacks

OPEN = {"Resources": {"Open": {"Type": "AWS::EC2::Instance"}}}


def test_a_finding_names_the_stack_that_cdk_deploys(tmp_path: Path) -> None:
    (tmp_path / "App.template.json").write_text(json.dumps({"Resources": {}}))
    (tmp_path / "Inner.nested.template.json").write_text(json.dumps(OPEN))
    found = judge_stacks({"Stage/App": str(tmp_path / "App.template.json")}, Settings())
    assert {(finding.logical_id, stack) for finding, stack in found} == {("Open", "Stage/App")}


def test_no_line_is_looked_up(tmp_path: Path) -> None:
    (tmp_path / "App.template.json").write_text(json.dumps(OPEN))
    found = judge_stacks({"App": str(tmp_path / "App.template.json")}, Settings())
    assert {finding.line for finding, _ in found} == {None}


def test_a_key_that_stands_twice_is_refused_as_the_command_does(tmp_path: Path) -> None:
    """One reader takes the first value of such a key, another the last."""
    file = tmp_path / "App.template.json"
    file.write_text('{"Resources": {"A": {"Type": "X::X::X",\n"Type": "Y::Y::Y"}}}')
    with pytest.raises(UnreadableTemplate, match=r"the key Type appears twice .* at line 2"):
        judge_stacks({"App": str(file)}, Settings())


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_runs_again_after_a_failure(tmp_path: Path, *, enabled: bool) -> None:
    was_enabled = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        with pytest.raises(UnreadableTemplate, match="No such file"):
            judge_stacks({"App": str(tmp_path / "App.template.json")}, Settings())
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if was_enabled else gc.disable)()
