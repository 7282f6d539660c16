"""The pre-commit hook and the example of a GitHub Action: they are what they say, and they run."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
HOOKS = ROOT / ".pre-commit-hooks.yaml"
ACTION = ROOT / "examples/github-action.yml"
PRE_COMMIT = [sys.executable, "-m", "pre_commit"]

OPEN = """\
Resources:
  Group:
    Type: AWS::EC2::SecurityGroup
    Properties:
      GroupDescription: open
      SecurityGroupIngress: [{IpProtocol: "-1", CidrIpv6: "::/0"}]
"""
SOUND = "Resources: {Topic: {Type: AWS::SNS::Topic}}\n"


def run(command: list[str], folder: Path) -> "subprocess.CompletedProcess[str]":
    environment = os.environ | {
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "PRE_COMMIT_HOME": str(folder / "home"),
        "GIT_CONFIG_GLOBAL": os.devnull,
    }
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder in which the command is installed."""
    command = tmp_path / "bin/hardened-ec2"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m hardened_ec2.cli "$@"\n')
    command.chmod(0o755)
    return tmp_path


def hook() -> dict[str, Any]:
    (found,) = yaml.safe_load(HOOKS.read_text("utf-8"))
    return dict(found)


def test_the_hook_is_what_pre_commit_takes() -> None:
    done = subprocess.run(
        [*PRE_COMMIT, "validate-manifest", str(HOOKS)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_hook_refuses_a_commit_that_exposes_a_server(folder: Path) -> None:
    """With its own entry and filter; only where the command comes from is the test's."""
    local = {key: hook()[key] for key in ("id", "name", "entry", "files", "require_serial")}
    repository = {"repo": "local", "hooks": [{**local, "language": "system"}]}
    (folder / ".pre-commit-config.yaml").write_text(yaml.safe_dump({"repos": [repository]}))
    (folder / "app.template.yaml").write_text(SOUND)
    (folder / "compose.yaml").write_text("services: {}\n")
    for command in (["init", "--quiet"], ["add", "app.template.yaml", "compose.yaml"]):
        assert run(["git", *command], folder).returncode == 0
    passed = run([*PRE_COMMIT, "run", "--verbose"], folder)
    assert passed.returncode == 0, passed.stdout + passed.stderr
    assert "1 template, 0 errors" in passed.stdout
    (folder / "app.template.yaml").write_text(OPEN)
    assert run(["git", "add", "app.template.yaml"], folder).returncode == 0
    refused = run([*PRE_COMMIT, "run"], folder)
    assert refused.returncode == 1
    assert "HardenedEc2-AdminPortOpenToWorld" in refused.stdout


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("cdk.out/Shop.template.json", True),
        ("shop.template", True),
        ("shop.template.yml", True),
        ("infra/cloudformation/network/vpc.yaml", True),
        ("cfn/vpc.json", True),
        ("vpc.cfn.yaml", True),
        ("compose.yaml", False),
        ("charts/templates/service.yaml", False),
        ("mycfn/vpc.yaml", False),
        ("cloudformation/README.md", False),
    ],
)
def test_the_hook_takes_what_is_called_a_template(name: str, taken: bool) -> None:  # noqa: FBT001
    assert bool(re.search(hook()["files"], name)) is taken


def steps() -> list[dict[str, Any]]:
    return list(yaml.safe_load(ACTION.read_text("utf-8"))["jobs"]["check"]["steps"])


def test_the_action_runs_commands_that_there_are(folder: Path) -> None:
    (folder / "templates").mkdir()
    (folder / "templates/open.yaml").write_text(OPEN)
    commands = [step["run"] for step in steps() if "hardened-ec2 check" in step.get("run", "")]
    assert len(commands) == 2
    for command in commands:
        assert run(shlex.split(command), folder).returncode == 1
    assert json.loads((folder / "hardened-ec2.sarif").read_text())["version"] == "2.1.0"
    assert (folder / "hardened-ec2.html").read_text("utf-8").startswith("<!DOCTYPE html>")


def test_the_action_uploads_what_was_found_also_when_it_fails() -> None:
    uploads = [step for step in steps() if "upload" in step.get("uses", "")]
    assert [step["if"] for step in uploads] == ["always()", "always()"]
    assert {step["with"].get("sarif_file") for step in uploads} == {"hardened-ec2.sarif", None}
    workflow = yaml.safe_load(ACTION.read_text("utf-8"))
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["jobs"]["check"]["permissions"]["security-events"] == "write"
