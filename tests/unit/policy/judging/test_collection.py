"""Which files a check reads: what is named, folders, cloud assemblies, and no circles."""

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from hardened_ec2.policy.judging.collection import Collection, collect

GROUP = {"Resources": {"Group": {"Type": "AWS::EC2::SecurityGroup"}}}
STACK = "aws:cloudformation:stack"


def put(path: Path, document: object = GROUP) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def names(collection: Collection, root: Path) -> list[str]:
    return [str(Path(each.name).relative_to(root)) for each in collection.templates]


def reasons(collection: Collection) -> list[str]:
    return [each.reason for each in collection.unreadable]


def test_a_folder_is_read_with_its_folders(tmp_path: Path) -> None:
    put(tmp_path / "a.json")
    put(tmp_path / "b/c/d.yaml", "Resources: {Group: {Type: AWS::EC2::SecurityGroup}}")
    put(tmp_path / "b/e.template")
    put(tmp_path / "package.json", {"name": "no template"})
    put(tmp_path / "notes.md", "Resources:")
    found = collect([tmp_path])
    assert names(found, tmp_path) == ["a.json", "b/e.template", "b/c/d.yaml"]
    assert found.unreadable == ()


def test_a_broken_template_in_a_folder_is_not_passed_over(tmp_path: Path) -> None:
    put(tmp_path / "good.json")
    put(tmp_path / "broken.yaml", "AWSTemplateFormatVersion: 2010-09-09\nResources: [")
    put(tmp_path / "other.json", "{ no template")
    (reason,) = reasons(collect([tmp_path]))
    assert reason.startswith("it is not YAML: did not find expected node content at line ")


def test_a_file_that_is_named_has_to_be_a_template(tmp_path: Path) -> None:
    other = put(tmp_path / "package.json", {"name": "no template"})
    found = collect([other, tmp_path / "missing.yaml"])
    assert reasons(found) == [
        "it has no Resources section, so it is not a CloudFormation template",
        "it cannot be read: No such file or directory",
    ]


def test_a_folder_without_a_template_is_said_to_be_one(tmp_path: Path) -> None:
    put(tmp_path / "notes.md", "nothing")
    assert reasons(collect([tmp_path])) == ["the folder contains no template"]


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    put(tmp_path / "a.json")
    (tmp_path / "again").symlink_to(tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "up").symlink_to(tmp_path)
    (tmp_path / "itself.json").symlink_to(tmp_path / "itself.json")
    assert names(collect([tmp_path]), tmp_path) == ["a.json"]


def test_a_file_is_read_once(tmp_path: Path) -> None:
    template = put(tmp_path / "a.json")
    (tmp_path / "link.json").symlink_to(template)
    assert len(collect([template, tmp_path, template]).templates) == 1


def test_a_folder_that_cannot_be_listed_is_unreadable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(path: str) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", path)

    monkeypatch.setattr(os, "scandir", closed)  # root lists every folder
    assert reasons(collect([tmp_path])) == [
        "it cannot be read: Permission denied",
        "the folder contains no template",
    ]


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    assert reasons(collect([tmp_path / "pipe.json"])) == [
        "it cannot be read: it is not a regular file"
    ]


def assembly(folder: Path, **artifacts: dict[str, Any]) -> None:
    put(folder / "manifest.json", {"version": "36.0.0", "artifacts": artifacts})


def stack(file: str) -> dict[str, Any]:
    return {"type": STACK, "properties": {"templateFile": file}}


def test_an_assembly_gives_its_stacks_stages_and_nested_stacks(tmp_path: Path) -> None:
    stage = {"type": "cdk:cloud-assembly", "properties": {"directoryName": "assembly-Prod"}}
    assembly(tmp_path, App=stack("App.template.json"), Prod=stage, Tree={"type": "cdk:tree"})
    assembly(tmp_path / "assembly-Prod", Web=stack("Web.template.json"))
    put(tmp_path / "App.template.json")
    put(tmp_path / "AppInner123.nested.template.json")
    put(tmp_path / "Old.template.json")
    put(tmp_path / "OldInner.nested.template.json")
    put(
        tmp_path / "App.assets.json",
        {"files": {"1": {"source": {"path": "AppInner123.nested.template.json"}}}},
    )
    put(tmp_path / "assembly-Prod/Web.template.json")
    found = collect([tmp_path])
    assert names(found, tmp_path) == [
        "App.template.json",
        "AppInner123.nested.template.json",
        "assembly-Prod/Web.template.json",
    ]
    assert found.unreadable == ()


def test_a_stack_of_an_assembly_has_to_be_there(tmp_path: Path) -> None:
    assembly(tmp_path, App=stack("App.template.json"))
    assert reasons(collect([tmp_path])) == ["it cannot be read: No such file or directory"]


def test_a_stage_that_is_gone_is_said(tmp_path: Path) -> None:
    stage = {"type": "cdk:cloud-assembly", "properties": {"directoryName": "assembly-Gone"}}
    assembly(tmp_path, Gone=stage)
    assert reasons(collect([tmp_path])) == ["the stage Gone has no manifest: run cdk synth again"]


def test_a_stage_that_is_its_own_parent_ends(tmp_path: Path) -> None:
    loop = {"type": "cdk:cloud-assembly", "properties": {"directoryName": "."}}
    assembly(tmp_path, Loop=loop)
    assert reasons(collect([tmp_path])) == ["the stage Loop has no manifest: run cdk synth again"]


def test_a_stack_without_resources_is_no_fault(tmp_path: Path) -> None:
    assembly(tmp_path, App=stack("App.template.json"), Empty=stack("Empty.template.json"))
    put(tmp_path / "App.template.json")
    put(tmp_path / "Empty.template.json", {"Parameters": {}})
    found = collect([tmp_path])
    assert names(found, tmp_path) == ["App.template.json"]
    assert found.unreadable == ()


@pytest.mark.parametrize("manifest", ["[]", "{", '{"artifacts": []}', '{"short_name": "web app"}'])
def test_another_manifest_makes_no_assembly(tmp_path: Path, manifest: str) -> None:
    put(tmp_path / "manifest.json", manifest)
    put(tmp_path / "a.json")
    assert names(collect([tmp_path]), tmp_path) == ["a.json"]
