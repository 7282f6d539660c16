"""The fleet's upkeep: deployed by the real CLI, and read back from the emulator.

The emulator makes the command document, and the roles and policies of servers. It knows no
association, patch baseline, maintenance window or image: those are tested as template, in
tests/synth, and what the document does to a server in tests/host.
"""

from ast import literal_eval
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
from hardened_ec2.host import HostHardening
from hardened_ec2.host.command_document import command_document
from tests.deploy.test_fleet import FLEET, SUMMARIES, statements


@dataclass(frozen=True, kw_only=True)
class Upkeep:
    """What the emulator says of the deployed upkeep.

    Args:
        document: The content of the command document.
        document_name: Its name.
        statements: What the role of the servers may do.
    """

    document: dict[str, Any]
    document_name: str
    statements: list[dict[str, Any]]


@pytest.fixture(scope="module")
def upkeep(folder: Path) -> Iterator[Upkeep]:
    with run_emulator(folder / "upkeep.log") as endpoint:
        cli = CdkCli(folder, endpoint)
        cli.bootstrap()
        context = {"fleet": "true", "upkeep": "true"}
        cli.deploy(synthesize(CdkCli(folder), context).folder)
        yield read(endpoint)


def read(endpoint: str) -> Upkeep:
    def client(service: str) -> Any:  # noqa: ANN401 - any service's
        return boto3.client(service, endpoint_url=endpoint)  # type: ignore[call-overload]

    listed = client("cloudformation").list_stack_resources(StackName=FLEET)
    ids = {each["ResourceType"]: each["PhysicalResourceId"] for each in listed[SUMMARIES]}
    name = ids["AWS::SSM::Document"]
    template = client("ec2").describe_launch_template_versions(
        LaunchTemplateId=ids["AWS::EC2::LaunchTemplate"], Versions=["$Latest"]
    )["LaunchTemplateVersions"][0]["LaunchTemplateData"]
    return Upkeep(
        # The emulator gives back what Python prints of it; AWS would give JSON.
        document=literal_eval(client("ssm").get_document(Name=name)["Content"]),
        document_name=name,
        statements=list(statements(client("iam"), template["IamInstanceProfile"]["Arn"])),
    )


def test_the_document_arrives_whole(upkeep: Upkeep) -> None:
    assert upkeep.document == command_document(HostHardening())


def allowed(upkeep: Upkeep, action: str) -> list[str]:
    """Return the resources on which the servers' role may do something."""
    return [
        resource
        for statement in upkeep.statements
        if action in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
    ]


def as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def test_the_servers_may_read_that_document_and_no_other(upkeep: Upkeep) -> None:
    (arn,) = allowed(upkeep, "ssm:GetDocument")
    document = f"arn:aws:ssm:us-east-1:123456789012:document/{upkeep.document_name}"
    assert fnmatchcase(document, arn)
    assert not fnmatchcase(f"{document}-of-another", arn)


def test_the_servers_may_report_what_became_of_it(upkeep: Upkeep) -> None:
    reports = allowed(upkeep, "ssm:UpdateInstanceAssociationStatus")
    instance = "arn:aws:ec2:us-east-1:123456789012:instance/i-0123456789abcdef0"
    assert any(fnmatchcase(instance, each) for each in reports)
    assert "*" not in reports
    assert allowed(upkeep, "ssm:GetDeployablePatchSnapshotForInstance") == ["*"]


def test_the_servers_may_not_send_commands_nor_read_parameters(upkeep: Upkeep) -> None:
    for action in ("ssm:SendCommand", "ssm:GetParameter", "ssm:StartSession", "ssm:*"):
        assert allowed(upkeep, action) == []
