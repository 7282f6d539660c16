"""What checkov, which knows nothing of this project, says of the reference stacks."""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest

from app import build

ROOT = Path(__file__).resolve().parents[2]
CHECKOV = ROOT / ".venv-checkov" / "bin" / "checkov"

OURS = (
    "AWS::AutoScaling::",
    "AWS::EC2::Instance",
    "AWS::EC2::LaunchTemplate",
    "AWS::EC2::SecurityGroup",
    "AWS::EC2::Volume",
    "AWS::EC2::VPC",
)
"""How the types begin whose findings are for this project to answer."""

KNOWN = {
    # Its "*" is bound by a condition to the role of EC2 Auto Scaling, which checkov does not read.
    ("CKV_AWS_33", "AWS::KMS::Key"),
    # Session Manager's actions take no resource but "*".
    ("CKV_AWS_111", "AWS::IAM::ManagedPolicy"),
    # The CDK's own function that closes the default group: runs once, touches no data.
    ("CKV_AWS_115", "AWS::Lambda::Function"),
    ("CKV_AWS_116", "AWS::Lambda::Function"),
    ("CKV_AWS_117", "AWS::Lambda::Function"),
}
"""What checkov finds in the network, the server and the fleet, and why it may stay."""

INSECURE: dict[str, Any] = {
    "Resources": {
        "Group": {
            "Type": "AWS::EC2::SecurityGroup",
            "Properties": {
                "GroupDescription": "Open to the world",
                "SecurityGroupIngress": [
                    {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIp": "0.0.0.0/0"}
                ],
            },
        },
        "Server": {
            "Type": "AWS::EC2::Instance",
            "Properties": {
                "ImageId": "ami-12c6146b",
                "NetworkInterfaces": [{"DeviceIndex": "0", "AssociatePublicIpAddress": True}],
            },
        },
        "Volume": {
            "Type": "AWS::EC2::Volume",
            "Properties": {"AvailabilityZone": "us-east-1a", "Size": 8},
        },
    }
}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One check of checkov's on one resource."""

    template: str
    check: str
    resource_type: str
    passed: bool


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> list[Finding]:
    if not CHECKOV.exists():
        pytest.fail(f"{CHECKOV} is missing: run `make test`, which installs it")
    folder = tmp_path_factory.mktemp("checkov")
    templates = folder / "templates"
    templates.mkdir()
    for name, template in {**reference_templates(folder / "cdk.out"), "Insecure": INSECURE}.items():
        (templates / f"{name}.json").write_text(json.dumps(template))
    return run_checkov(templates, home=folder)


def reference_templates(outdir: Path) -> dict[str, Mapping[str, Any]]:
    app = cdk.App(
        outdir=str(outdir),
        builtin_cloud_formation_validation=False,
        context=json.loads((ROOT / "cdk.json").read_text())["context"] | {"fleet": "true"},
    )
    build(app)
    return {stack.stack_name: stack.template for stack in app.synth().stacks}


def run_checkov(templates: Path, home: Path) -> list[Finding]:
    done = subprocess.run(
        [
            str(CHECKOV),
            f"--directory={templates}",
            "--framework=cloudformation",
            "--output=json",
            "--compact",
            # Everything it needs is installed: nothing is asked of anyone's platform.
            "--skip-download",
        ],
        env={"PATH": os.defpath, "HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    # 1 is how checkov says that it found something; 2 is a failure of its own.
    assert done.returncode == 1, done.stderr
    results = json.loads(done.stdout)["results"]
    return [
        Finding(
            template=Path(check["file_path"]).stem,
            check=check["check_id"],
            resource_type=check["resource"].partition(".")[0],
            passed=check["check_result"]["result"] == "PASSED",
        )
        for check in [*results["passed_checks"], *results["failed_checks"]]
    ]


@pytest.mark.parametrize(
    "template", ["HardenedEc2Fleet", "HardenedEc2Network", "HardenedEc2Server"]
)
def test_no_instance_group_or_volume_fails_a_check(findings: list[Finding], template: str) -> None:
    ours = [
        each
        for each in findings
        if each.template == template and each.resource_type.startswith(OURS)
    ]

    assert [each for each in ours if each.passed]
    assert [each for each in ours if not each.passed] == []


def test_an_instance_and_its_groups_were_looked_at(findings: list[Finding]) -> None:
    looked_at = {each.resource_type for each in findings if each.template == "HardenedEc2Server"}

    assert {"AWS::EC2::Instance", "AWS::EC2::SecurityGroup"} <= looked_at


def test_a_fleet_s_launch_template_was_looked_at(findings: list[Finding]) -> None:
    looked_at = {each.resource_type for each in findings if each.template == "HardenedEc2Fleet"}

    assert {"AWS::EC2::LaunchTemplate", "AWS::KMS::Key"} <= looked_at


def test_whatever_else_fails_is_known_and_answered_for(findings: list[Finding]) -> None:
    failed = {
        (each.check, each.resource_type)
        for each in findings
        if each.template != "Insecure" and not each.passed
    }

    assert failed == KNOWN


@pytest.mark.parametrize(
    ("check", "resource_type"),
    [
        ("CKV_AWS_24", "AWS::EC2::SecurityGroup"),
        ("CKV_AWS_88", "AWS::EC2::Instance"),
        ("CKV_AWS_3", "AWS::EC2::Volume"),
    ],
)
def test_an_insecure_template_fails(
    findings: list[Finding], check: str, resource_type: str
) -> None:
    assert (
        Finding(template="Insecure", check=check, resource_type=resource_type, passed=False)
        in findings
    )
