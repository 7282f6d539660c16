"""What the real CDK CLI does when the policy refuses an app, or cannot judge it."""

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from demo.cdk_cli import CdkCli, CdkCliError
from demo.isolation import ROOT
from tests.pages import blocks

APP = """
import sys

sys.path.insert(0, {root!r})
import aws_cdk as cdk
import hardened_ec2.nag
{before}
app = cdk.App(builtin_cloud_formation_validation=False)
stack = cdk.Stack(app, "Stack")
cdk.CfnResource(stack, "Server", type="AWS::EC2::Instance", properties={properties})
cdk.Validations.of(app).add_plugins(hardened_ec2.nag.HardenedEc2Checks(app))
app.synth()
"""
BROKEN = """
def broken(*_):
    raise ZeroDivisionError("one over nothing")

import hardened_ec2.policy.judging.stacks
hardened_ec2.policy.judging.stacks.judge_case = broken
"""
OPEN = {"ImageId": "ami-0123456789abcdef0", "InstanceType": "t4g.small"}
CLOSED = {
    **OPEN,
    "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
    "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"Encrypted": True}}],
    "NetworkInterfaces": [
        {"DeviceIndex": "0", "AssociatePublicIpAddress": False, "GroupSet": ["sg-1"]}
    ],
}


def synth(
    folder: Path, app_folder: Path, properties: Mapping[str, object], *, before: str = ""
) -> None:
    (app_folder / "app.py").write_text(
        APP.format(root=str(ROOT), before=before, properties=properties)
    )
    (app_folder / "cdk.json").write_text(json.dumps({"app": f"{sys.executable} app.py"}))
    CdkCli(folder).synth(app_folder / "cdk.out", {}, app_folder=app_folder)


def test_a_sound_app_passes(folder: Path, tmp_path: Path) -> None:
    synth(folder, tmp_path, CLOSED)


def test_an_open_server_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(CdkCliError, match="HardenedEc2-ImdsV2"):
        synth(folder, tmp_path, OPEN)


def test_a_policy_that_cannot_judge_refuses(folder: Path, tmp_path: Path) -> None:
    """CDK passes a plugin that raises, and a failure that it cannot attach to a stack."""
    with pytest.raises(CdkCliError, match="could not judge this app: one over nothing"):
        synth(folder, tmp_path, CLOSED, before=BROKEN)


def test_the_insecure_example_is_refused_as_the_readme_runs_it(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "cdk.json").write_text(
        json.dumps({"app": f"cd {ROOT} && python3 -m examples.insecure"})
    )
    with pytest.raises(CdkCliError) as refused:
        CdkCli(folder).synth(tmp_path / "cdk.out", {}, app_folder=tmp_path)
    shown = next(each for each in blocks("console") if "examples.insecure" in each.text)
    _, *lines = shown.text.splitlines()
    pieces = (re.escape(piece) for line in lines for piece in line.split("..."))
    assert re.search(".*".join(pieces), str(refused.value), re.DOTALL)
