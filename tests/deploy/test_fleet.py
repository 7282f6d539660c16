"""The fleet of the reference app: deployed by the real CLI, and read back from the emulator.

The emulator makes the group and its launch template, but no lifecycle hook, lifetime or
notification of a group, and no instance refresh: those are tested as template, in tests/synth.
"""

import base64
import gzip
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import boto3
import pytest

from demo.assembly import synthesize
from demo.cdk_cli import CdkCli
from demo.emulator import run_emulator
from hardened_ec2.servers.role import SESSION_MANAGER_ACTIONS

FLEET = "HardenedEc2Fleet"
SUMMARIES = "StackResourceSummaries"


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """What the emulator says of the deployed fleet.

    Args:
        group: The Auto Scaling group.
        data: The launch template's newest version.
        security_groups: The groups of its servers.
        statements: What the role may do.
    """

    group: dict[str, Any]
    data: dict[str, Any]
    security_groups: list[dict[str, Any]]
    statements: list[dict[str, Any]]


@pytest.fixture(scope="module")
def fleet(folder: Path) -> Iterator[Fleet]:
    with run_emulator(folder / "fleet.log") as endpoint:
        cli = CdkCli(folder, endpoint)
        cli.bootstrap()
        cli.deploy(synthesize(CdkCli(folder), {"fleet": "true"}).folder)
        yield read(endpoint)


def read(endpoint: str) -> Fleet:
    def client(service: str) -> Any:  # noqa: ANN401 - any service's
        return boto3.client(service, endpoint_url=endpoint)  # type: ignore[call-overload]

    listed = client("cloudformation").list_stack_resources(StackName=FLEET)
    ids = {each["ResourceType"]: each["PhysicalResourceId"] for each in listed[SUMMARIES]}
    (group,) = client("autoscaling").describe_auto_scaling_groups(
        AutoScalingGroupNames=[ids["AWS::AutoScaling::AutoScalingGroup"]]
    )["AutoScalingGroups"]
    ec2 = client("ec2")
    (version,) = ec2.describe_launch_template_versions(
        LaunchTemplateId=group["LaunchTemplate"]["LaunchTemplateId"],
        Versions=[group["LaunchTemplate"]["Version"]],
    )["LaunchTemplateVersions"]
    data = version["LaunchTemplateData"]
    groups = [each for interface in data["NetworkInterfaces"] for each in interface["Groups"]]
    return Fleet(
        group=group,
        data=data,
        security_groups=ec2.describe_security_groups(GroupIds=groups)["SecurityGroups"],
        statements=list(statements(client("iam"), data["IamInstanceProfile"]["Arn"])),
    )


def statements(iam: Any, profile: str) -> Iterator[dict[str, Any]]:  # noqa: ANN401
    name = profile.rpartition("/")[2]
    (role,) = iam.get_instance_profile(InstanceProfileName=name)["InstanceProfile"]["Roles"]
    attached = iam.list_attached_role_policies(RoleName=role["RoleName"])["AttachedPolicies"]
    for arn in (policy["PolicyArn"] for policy in attached):
        version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        found = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]
        yield from found["Document"]["Statement"]


def test_the_group_runs_two_servers_in_two_zones(fleet: Fleet) -> None:
    assert len(fleet.group["Instances"]) == 2
    assert len(set(fleet.group["AvailabilityZones"])) == 2
    assert fleet.group["HealthCheckType"] == "ELB"


def test_the_launch_template_is_locked(fleet: Fleet) -> None:
    assert fleet.data["MetadataOptions"] == {
        "HttpEndpoint": "enabled",
        "HttpProtocolIpv6": "disabled",
        "HttpPutResponseHopLimit": 1,
        "HttpTokens": "required",
        "InstanceMetadataTags": "disabled",
    }
    assert [each["Ebs"]["Encrypted"] for each in fleet.data["BlockDeviceMappings"]] == [True]
    assert [each["AssociatePublicIpAddress"] for each in fleet.data["NetworkInterfaces"]] == [False]
    assert fleet.data["Monitoring"] == {"Enabled": True}
    assert "KeyName" not in fleet.data


def test_only_the_endpoint_reaches_port_22(fleet: Fleet) -> None:
    rules = [rule for group in fleet.security_groups for rule in group["IpPermissions"]]
    assert [(rule["FromPort"], rule["ToPort"], rule["IpRanges"]) for rule in rules] == [
        (22, 22, [])
    ]


def test_the_servers_report_to_the_group_that_there_is(fleet: Fleet) -> None:
    text = gzip.decompress(base64.b64decode(fleet.data["UserData"])).decode()
    (signal,) = re.findall(r"^SIGNAL='(.*)'$", text, re.MULTILINE)
    name = fleet.group["AutoScalingGroupName"]
    assert signal == f"--auto-scaling-group-name {name} --lifecycle-hook-name hardening"


def test_the_role_may_report_to_that_group_and_open_sessions(fleet: Fleet) -> None:
    allowed = {
        action: statement["Resource"]
        for statement in fleet.statements
        for action in (
            [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
        )
    }
    report = allowed.pop("autoscaling:CompleteLifecycleAction")
    assert set(allowed) == set(SESSION_MANAGER_ACTIONS)
    arn = fleet.group["AutoScalingGroupARN"]
    assert fnmatchcase(arn, report)
    assert not fnmatchcase(f"{arn}-of-another", report)
    assert not fnmatchcase(arn.replace(":123456789012:", ":999999999999:"), report)
