"""The reference app, as `cdk synth` runs it: a process of its own, with its context."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest

import app as reference

ROOT = Path(__file__).parents[2]


def run(
    script: str, out: Path, *, validated: bool = False, **context: object
) -> subprocess.CompletedProcess[str]:
    """Run an app as the CLI would, but report in the process itself.

    ``validated`` adds CDK's own validation of templates, which takes twice as long as all the rest:
    one run of each stack has it.
    """
    flags = json.loads((ROOT / "cdk.json").read_text("utf-8"))["context"]
    return subprocess.run(
        [sys.executable, script],
        cwd=ROOT,
        env={
            # Without pytest's own variables, which CDK looks for and then behaves differently.
            **{name: os.environ[name] for name in ("PATH", "HOME", "JSII_NODE")},
            "PYTHONPATH": str(ROOT),
            "CDK_OUTDIR": str(out),
            "CDK_VALIDATION": str(validated).lower(),
            "CDK_CONTEXT_JSON": json.dumps({**flags, **context}),
        },
        capture_output=True,
        text=True,
        check=False,
    )


def report(out: Path) -> dict[str, dict[str, Any]]:
    file = out / "validation-report.json"
    if not file.exists():
        return {}
    plugins = json.loads(file.read_text("utf-8"))["pluginReports"]
    return {plugin["pluginName"]: plugin for plugin in plugins}


def errors(out: Path) -> list[str]:
    return [
        violation["ruleName"]
        for plugin in report(out).values()
        for violation in plugin["violations"]
        if violation["severity"] in ("error", "fatal")
    ]


def acknowledged(out: Path) -> set[str]:
    return {
        violation["acknowledgedId"]
        for plugin in report(out).values()
        for violation in plugin["suppressedViolations"]
    }


def test_it_passes_every_pack(tmp_path: Path) -> None:
    done = run("app.py", tmp_path)
    assert done.returncode == 0, done.stderr
    assert errors(tmp_path) == []
    assert acknowledged(tmp_path) == {"AwsSolutions::AwsSolutions-IAM5[Resource::*]"}
    templates = {file.name for file in tmp_path.glob("*.template.json")}
    assert templates == {"HardenedEc2Network.template.json", "HardenedEc2Server.template.json"}


def test_a_whitelist_brings_a_bastion_that_passes_too(tmp_path: Path) -> None:
    done = run("app.py", tmp_path, ssh_whitelist="203.0.113.7, 198.51.100.0/28")
    assert done.returncode == 0, done.stderr
    assert errors(tmp_path) == []
    assert acknowledged(tmp_path) == {
        "AwsSolutions::AwsSolutions-IAM5[Resource::*]",
        "HardenedEc2::HardenedEc2-PublicAddress",
        "NIST.800.53.R5::NIST.800.53.R5-EC2InstanceNoPublicIp",
        "NIST.800.53.R5::NIST.800.53.R5-EC2InstancesInVPC",
        "NIST.800.53.R5::NIST.800.53.R5-VPCNoUnrestrictedRouteToIGW",
    }
    template = json.loads((tmp_path / "HardenedEc2Bastion.template.json").read_text("utf-8"))
    (group,) = [
        resource["Properties"]
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::EC2::SecurityGroup"
    ]
    assert [
        (rule["CidrIp"], rule["FromPort"], rule["ToPort"]) for rule in group["SecurityGroupIngress"]
    ] == [("203.0.113.7/32", 22, 22), ("198.51.100.0/28", 22, 22)]
    standalone = [
        resource
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::EC2::SecurityGroupIngress"
        and "Bastion" in str(resource["Properties"]["GroupId"])
    ]
    assert standalone == []


GUARDRAILS_ACKNOWLEDGED = {
    (
        "AwsSolutions::AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/"
        "AmazonSSMManagedEC2InstanceDefaultPolicy]"
    ),
    "AwsSolutions::AwsSolutions-IAM5[Resource::*]",
    (
        "AwsSolutions::AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:ec2:<AWS::Region>:"
        "<AWS::AccountId>:security-group/*]"
    ),
    "NIST.800.53.R5::NIST.800.53.R5-LambdaConcurrency",
    "NIST.800.53.R5::NIST.800.53.R5-LambdaDLQ",
    "NIST.800.53.R5::NIST.800.53.R5-LambdaInsideVPC",
}


def test_guardrails_are_had_on_request_and_pass_too(tmp_path: Path) -> None:
    done = run(
        "app.py",
        tmp_path,
        validated=True,
        guardrails="block-bidirectional",
        ssh_whitelist="203.0.113.7",
    )
    assert done.returncode == 0, done.stderr
    assert errors(tmp_path) == []
    assert acknowledged(tmp_path) >= GUARDRAILS_ACKNOWLEDGED
    template = json.loads((tmp_path / "HardenedEc2Guardrails.template.json").read_text("utf-8"))
    by_type: dict[str, list[Any]] = {}
    for resource in template["Resources"].values():
        by_type.setdefault(resource["Type"], []).append(resource["Properties"])
    assert by_type["AWS::EC2::VPCBlockPublicAccessOptions"] == [
        {"InternetGatewayBlockMode": "block-bidirectional"}
    ]
    # The bastion's subnets stay reachable.
    exclusions = by_type["AWS::EC2::VPCBlockPublicAccessExclusion"]
    assert len(exclusions) == 2
    assert all("PublicSubnet" in str(each["SubnetId"]) for each in exclusions)
    manifest = json.loads((tmp_path / "manifest.json").read_text("utf-8"))
    guardrails = manifest["artifacts"]["HardenedEc2Guardrails"]
    assert guardrails["properties"]["terminationProtection"]


def test_guardrails_can_leave_the_internet_alone(tmp_path: Path) -> None:
    done = run("app.py", tmp_path, guardrails="off")
    assert done.returncode == 0, done.stderr
    assert errors(tmp_path) == []
    template = (tmp_path / "HardenedEc2Guardrails.template.json").read_text("utf-8")
    assert "VPCBlockPublicAccess" not in template
    assert "Custom::InstanceMetadataDefaults" in template


@pytest.mark.parametrize("mode", ["true", "block", {"mode": "off"}])
def test_a_wrong_mode_is_one_line_and_no_traceback(tmp_path: Path, mode: object) -> None:
    done = run("app.py", tmp_path / "out", guardrails=mode)
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("app.py: VpcBlockPublicAccess has mode=")
    assert line.endswith("write one of 'off', 'block-ingress', 'block-bidirectional'")


def test_the_guardrails_example_passes_every_pack(tmp_path: Path) -> None:
    done = run("examples/guardrails.py", tmp_path, validated=True)
    assert done.returncode == 0, done.stderr
    assert errors(tmp_path) == []
    template = json.loads((tmp_path / "Organization.template.json").read_text("utf-8"))
    (policy,) = template["Resources"].values()
    assert policy["Properties"]["Type"] == "DECLARATIVE_POLICY_EC2"
    content = policy["Properties"]["Content"]["ec2_attributes"]
    assert content["instance_metadata_defaults"]["http_tokens"] == {"@@assign": "required"}


FLEET_OF_THIS_NAME = (
    "AwsSolutions::AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:autoscaling:<AWS::Region>:"
    "<AWS::AccountId>:autoScalingGroup:*:autoScalingGroupName/"
)


def test_a_fleet_passes_too_and_its_network_lets_it_report(tmp_path: Path) -> None:
    done = run("app.py", tmp_path, fleet="true", ssh_whitelist="203.0.113.7")
    assert done.returncode == 0, done.stderr
    assert errors(tmp_path) == []
    assert f"{FLEET_OF_THIS_NAME}HardenedEc2Fleet-FleetASG3971DFE5]" in acknowledged(tmp_path)
    network = (tmp_path / "HardenedEc2Network.template.json").read_text("utf-8")
    assert ".autoscaling" in network
    fleet = (tmp_path / "HardenedEc2Fleet.template.json").read_text("utf-8")
    assert "203.0.113.7/32" in fleet


def test_without_a_fleet_nobody_pays_for_its_endpoint(tmp_path: Path) -> None:
    assert run("app.py", tmp_path, fleet="false").returncode == 0
    assert not (tmp_path / "HardenedEc2Fleet.template.json").exists()
    network = (tmp_path / "HardenedEc2Network.template.json").read_text("utf-8")
    assert ".autoscaling" not in network


def test_the_fleet_of_the_examples_passes_every_pack(tmp_path: Path) -> None:
    done = run("examples/fleet.py", tmp_path, validated=True)
    assert done.returncode == 0, done.stderr
    assert errors(tmp_path) == []
    assert acknowledged(tmp_path) == {
        "AwsSolutions::AwsSolutions-EC26",
        "AwsSolutions::AwsSolutions-IAM5[Resource::*]",
        f"{FLEET_OF_THIS_NAME}ShopFleet-FleetASG3971DFE5]",
        "NIST.800.53.R5::NIST.800.53.R5-EC2IMDSv2Enabled",
    }


SESSIONS_OF_ONES_OWN = (
    "AwsSolutions::AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:ssm:<AWS::Region>:"
    "<AWS::AccountId>:session/<aws:userid>-*]"
)


def test_access_is_had_on_request_and_passes_too(tmp_path: Path) -> None:
    done = run("app.py", tmp_path, validated=True, access="true", ssh_whitelist="203.0.113.7")
    assert done.returncode == 0, done.stderr
    assert errors(tmp_path) == []
    assert acknowledged(tmp_path) >= {SESSIONS_OF_ONES_OWN}
    access = (tmp_path / "HardenedEc2Access.template.json").read_text("utf-8")
    assert "AWS::EC2::NetworkInsightsAccessScope" in access
    assert "MetadataNoTokenRejected" in access
    (policy,) = (
        each["Properties"]["PolicyDocument"]["Statement"]
        for each in json.loads(access)["Resources"].values()
        if each["Type"] == "AWS::IAM::ManagedPolicy"
    )
    tunnel = next(each for each in policy if "OpenTunnel" in str(each["Action"]))
    assert tunnel["Condition"]["IpAddress"]["aws:SourceIp"] == ["203.0.113.7/32"]
    server = (tmp_path / "HardenedEc2Server.template.json").read_text("utf-8")
    assert "logs:PutLogEvents" in server
    network = (tmp_path / "HardenedEc2Network.template.json").read_text("utf-8")
    assert ".logs" in network
    assert ".kms" in network
    manifest = json.loads((tmp_path / "manifest.json").read_text("utf-8"))
    assert manifest["artifacts"]["HardenedEc2Sessions"]["properties"]["terminationProtection"]


def test_the_access_of_the_examples_passes_every_pack(tmp_path: Path) -> None:
    done = run("examples/access.py", tmp_path, validated=True)
    assert done.returncode == 0, done.stderr
    assert errors(tmp_path) == []
    assert acknowledged(tmp_path) == {
        "AwsSolutions::AwsSolutions-IAM5[Resource::*]",
        SESSIONS_OF_ONES_OWN,
    }


def test_the_fleets_upkeep_and_image_pass_too(tmp_path: Path) -> None:
    done = run(
        "app.py",
        tmp_path,
        validated=True,
        fleet="true",
        upkeep="true",
        image="true",
        s3_prefix_list_id="pl-01234",
    )
    assert done.returncode == 0, done.stderr
    assert errors(tmp_path) == []
    template = json.loads((tmp_path / "HardenedEc2Fleet.template.json").read_text("utf-8"))
    types = {resource["Type"] for resource in template["Resources"].values()}
    assert types >= {
        "AWS::ImageBuilder::Image",
        "AWS::SSM::Association",
        "AWS::SSM::MaintenanceWindowTask",
        "AWS::SSM::PatchBaseline",
    }
    network = (tmp_path / "HardenedEc2Network.template.json").read_text("utf-8")
    assert ".imagebuilder" in network
    assert ".logs" in network


@pytest.mark.parametrize(
    ("context", "says"),
    [
        ({"upkeep": "true"}, "upkeep and image apply to the fleet: write -c fleet=true as well"),
        ({"image": "true"}, "upkeep and image apply to the fleet: write -c fleet=true as well"),
        (
            {"image": "true", "fleet": "true"},
            (
                "image without s3_prefix_list_id, so the build could not fetch packages: write "
                "-c s3_prefix_list_id=pl-... as well"
            ),
        ),
        ({"upkeep": "on"}, "upkeep is 'on': write -c upkeep=true, or leave it out"),
    ],
)
def test_upkeep_of_nothing_is_one_line_and_no_traceback(
    tmp_path: Path, context: dict[str, Any], says: str
) -> None:
    done = run("app.py", tmp_path / "out", **context)
    assert done.returncode == 1
    assert done.stderr.strip() == f"app.py: {says}"


def test_the_upkeep_of_the_examples_passes_every_pack(tmp_path: Path) -> None:
    done = run("examples/upkeep.py", tmp_path, validated=True)
    assert done.returncode == 0, done.stderr
    assert errors(tmp_path) == []
    association = "AwsSolutions::AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:"
    assert {
        f"{association}ec2:<AWS::Region>:<AWS::AccountId>:instance/*]",
        f"{association}ssm:<AWS::Region>:<AWS::AccountId>:association/*]",
        f"{association}s3:::ec2imagebuilder-managed-resources-<AWS::Region>-prod/*]",
    } <= acknowledged(tmp_path)
    template = (tmp_path / "ShopUpkeep.template.json").read_text("utf-8")
    assert "PatchGroup" in template


@pytest.mark.parametrize("value", ["yes", 7, ["true"]])
def test_a_wrong_fleet_is_one_line_and_no_traceback(tmp_path: Path, value: object) -> None:
    done = run("app.py", tmp_path / "out", fleet=value)
    assert done.returncode == 1
    assert (
        done.stderr.strip() == f"app.py: fleet is {value!r}: write -c fleet=true, or leave it out"
    )


@pytest.mark.parametrize(
    ("whitelist", "says"),
    [
        ("office", "app.py: 'office' is not an IP address or CIDR block"),
        ("203.0.113.7/24", "write '203.0.113.7' for that one host or '203.0.113.0/24'"),
        ("0.0.0.0/1,128.0.0.0/1", "app.py: SSH is open to the world"),
        (",", "app.py: '' is not an IP address"),
        ({"office": "203.0.113.7"}, "is not a list of addresses: write -c ssh_whitelist="),
        ([203], "is not a list of addresses"),
    ],
)
def test_a_wrong_whitelist_is_one_line_and_no_traceback(
    tmp_path: Path, whitelist: object, says: str
) -> None:
    done = run("app.py", tmp_path / "out", ssh_whitelist=whitelist)
    assert done.returncode == 1
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not list((tmp_path / "out").glob("*.template.json"))


@pytest.mark.parametrize("context", [None, "", ["203.0.113.7"]])
def test_the_whitelist_may_be_a_list_or_nothing(context: object) -> None:
    access = reference.ssh_whitelist(context)
    assert access.cidrs == (("203.0.113.7/32",) if context else ())


def test_two_of_the_app_can_live_in_one_account() -> None:
    """No physical name anywhere, so nothing collides."""
    app = cdk.App(
        context={"ssh_whitelist": "203.0.113.7"}, builtin_cloud_formation_validation=False
    )
    reference.build(app)
    for stack in app.synth().stacks:
        for resource in stack.template["Resources"].values():
            named = {"GroupName", "RoleName", "InstanceProfileName", "LogGroupName"}
            present = named & set(resource.get("Properties", {}))
            assert all(not isinstance(resource["Properties"][name], str) for name in present), (
                resource
            )


def test_the_retrofitted_example_has_no_errors_and_without_the_defaults_it_has(
    tmp_path: Path,
) -> None:
    done = run("examples/retrofit.py", tmp_path, validated=True)
    assert done.returncode == 0, done.stderr
    assert errors(tmp_path) == []
    example = (ROOT / "examples" / "retrofit.py").read_text("utf-8")
    attach = "HardenedEc2Defaults.attach(app)\n"
    harden = 'stack.node.find_child("Legacy").with_(HardenInstance())\n'
    assert attach in example
    assert harden in example
    plain = tmp_path / "plain.py"
    plain.write_text(example.replace(attach, "").replace(harden, ""), "utf-8")
    assert run(str(plain), tmp_path).returncode == 1
    assert sorted(errors(tmp_path)) == [
        *["HardenedEc2-ImdsV2"] * 3,
        *["HardenedEc2-VolumeEncryption"] * 3,
    ]


def test_the_insecure_example_is_refused(tmp_path: Path) -> None:
    """The negative control: the same packs, on a server as it is often written."""
    done = run("examples/insecure.py", tmp_path)
    assert done.returncode == 1
    found = set(errors(tmp_path))
    assert {
        "HardenedEc2-AdminPortOpenToWorld",
        "HardenedEc2-ImdsV2",
        "HardenedEc2-PublicAddress",
        "HardenedEc2-VolumeEncryption",
    } <= found
    assert any("secret" in rule.lower() for rule in found), found
