import json
from pathlib import Path
from typing import Any

import pytest

from hardened_ec2.policy.read.cloud_assembly import (
    deployed_files,
    load_deployed,
    read_artifacts,
    with_nested,
)
from hardened_ec2.policy.read.template import UnreadableTemplate


def put(path: Path, content: Any) -> Path:  # noqa: ANN401 - whatever JSON holds
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def nested_of(folder: Path, assets: object) -> list[str]:
    put(folder / "App.assets.json", assets)
    put(folder / "AppInner.nested.template.json", {})
    put(folder / "Old.nested.template.json", {})
    return [file.name for file in with_nested(folder / "App.template.json")]


def test_the_list_of_assets_names_the_nested_stacks(tmp_path: Path) -> None:
    sources = ["AppInner.nested.template.json", "asset.1", 7]
    files = {str(n): {"source": {"path": source}} for n, source in enumerate(sources)}
    assert nested_of(tmp_path, {"files": files}) == [
        "App.template.json",
        "AppInner.nested.template.json",
    ]


@pytest.mark.parametrize("assets", ["{", "[]", "{}", '{"files": []}', '{"files": {"1": {}}}'])
def test_without_a_list_every_nested_template_of_the_folder_counts(
    tmp_path: Path, assets: str
) -> None:
    assert nested_of(tmp_path, assets) == [
        "App.template.json",
        "AppInner.nested.template.json",
        "Old.nested.template.json",
    ]


def test_a_stage_without_a_manifest_is_a_reason(tmp_path: Path) -> None:
    stage = {"type": "cdk:cloud-assembly", "properties": {"directoryName": "assembly-Prod"}}
    put(tmp_path / "manifest.json", {"version": "1", "artifacts": {"Prod": stage}})
    artifacts = read_artifacts(tmp_path)
    assert artifacts is not None
    (reason,) = deployed_files(tmp_path, artifacts)
    assert str(reason) == (
        f"{tmp_path}/assembly-Prod: the stage Prod has no manifest: run cdk synth again"
    )


@pytest.mark.parametrize("content", ["{}", '{"Resources": {}}', '{"Parameters": {}}'])
def test_a_stack_without_resources_is_no_template(tmp_path: Path, content: str) -> None:
    assert load_deployed(put(tmp_path / "App.template.json", content)) is None


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('{"Resources": {"A": {"Type": "X"},\n"A": {}}}', "the key A appears twice in one object"),
        ('{"Resources": []}', "Resources is a list, not an object"),
        ("{", "it is not JSON"),
    ],
)
def test_a_broken_template_is_refused(tmp_path: Path, content: str, reason: str) -> None:
    with pytest.raises(UnreadableTemplate, match=reason):
        load_deployed(put(tmp_path / "App.template.json", content))


def test_a_template_that_is_gone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableTemplate, match="it cannot be read: No such file or directory"):
        load_deployed(tmp_path / "App.template.json")
