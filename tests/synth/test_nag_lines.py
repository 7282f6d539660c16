"""Where a finding leads: the construct, the line of Python that made it, and the fix.

A process of its own, because jsii decides when it starts whether it sends Python's frames along.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
APP = """\
import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from hardened_ec2 import HardenedEc2Checks, HardenedInstance, HardenedVpc

app = cdk.App(outdir="cdk.out", builtin_cloud_formation_validation=False)
stack = cdk.Stack(app, "Stack")
vpc = HardenedVpc(stack, "Vpc")
cdk.CfnResource(stack, "Raw", type="AWS::EC2::Instance", properties={"ImageId": "ami-1"})
key = ec2.KeyPair.from_key_pair_name(stack, "Key", "mine")
HardenedInstance(stack, "Server", vpc=vpc, key_pair=key)
cdk.Validations.of(app).add_plugins(HardenedEc2Checks(app))
app.synth()
"""


def line_of(text: str) -> int:
    (found,) = (n for n, line in enumerate(APP.splitlines(), 1) if text in line)
    return found


@pytest.fixture(scope="module")
def violations(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("app")
    (folder / "shop.py").write_text(APP)
    environment = os.environ | {"JSII_HOST_STACK_TRACES": "1", "PYTHONPATH": str(ROOT)}
    subprocess.run(
        [sys.executable, "shop.py"], cwd=folder, env=environment, check=False, capture_output=True
    )
    report = json.loads((folder / "cdk.out/validation-report.json").read_text("utf-8"))
    (ours,) = (each for each in report["pluginReports"] if each["pluginName"] == "HardenedEc2")
    found: list[dict[str, Any]] = ours["violations"]
    return found


def about(violations: list[dict[str, Any]], construct: str) -> list[dict[str, Any]]:
    return [
        {**violation, "construct": each}
        for violation in violations
        for each in violation["violatingConstructs"]
        if each["constructPath"] == construct
    ]


@pytest.mark.parametrize(
    ("construct", "made_by"),
    [
        ("Stack/Raw", 'CfnResource(stack, "Raw"'),
        ("Stack/Server/Resource", "HardenedInstance(stack"),
    ],
)
def test_a_finding_names_the_construct_and_the_line_that_made_it(
    violations: list[dict[str, Any]], construct: str, made_by: str
) -> None:
    found = about(violations, construct)
    assert found
    for each in found:
        assert f"shop.py:{line_of(made_by)})" in "\n".join(each["construct"]["stackTraces"])


def test_every_finding_says_what_to_write_and_where(violations: list[dict[str, Any]]) -> None:
    assert violations
    for violation in violations:
        assert violation["suggestedFix"]
        (construct,) = violation["violatingConstructs"]
        assert construct["cloudFormationResource"]["templatePath"] == "Stack.template.json"
        assert construct["cloudFormationResource"]["logicalId"]
