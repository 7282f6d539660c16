"""Access to the server of the reference app: deployed by the real CLI, read back from the emulator.

The emulator makes the policy, the session document, the log group, the keys and the topic, but no
alarm, no metric filter and no Network Access Scope: those are tested as template, in tests/synth.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from demo.assembly import synthesize
from demo.cdk_cli import CdkCli
from demo.emulator import run_emulator
from hardened_ec2.account.session_recording import PREFERENCES

WHITELIST = "203.0.113.7/32"


@dataclass(frozen=True, kw_only=True)
class Access:
    """What the emulator says of the deployed access.

    Args:
        statements: What the operators may do, by action.
        preferences: The inputs of Session Manager's preferences.
        server: The server.
        endpoint: The id of the EC2 Instance Connect Endpoint.
        log_group: The log group of sessions.
    """

    statements: dict[str, dict[str, Any]]
    preferences: dict[str, Any]
    server: dict[str, Any]
    endpoint: str
    log_group: dict[str, Any]


@pytest.fixture(scope="module")
def access(folder: Path) -> Iterator[Access]:
    with run_emulator(folder / "access.log") as endpoint:
        cli = CdkCli(folder, endpoint)
        cli.bootstrap()
        context = {"access": "true", "ssh_whitelist": WHITELIST}
        cli.deploy(synthesize(CdkCli(folder), context).folder)
        yield read(endpoint)


def read(url: str) -> Access:
    def client(service: str) -> Any:  # noqa: ANN401 - any service's
        return boto3.client(service, endpoint_url=url)  # type: ignore[call-overload]

    def only(stack: str, kind: str) -> str:
        listed = client("cloudformation").list_stack_resources(StackName=stack)
        (found,) = (
            each["PhysicalResourceId"]
            for each in listed["StackResourceSummaries"]
            if each["ResourceType"] == kind
        )
        return str(found)

    iam = client("iam")
    arn = only("HardenedEc2Access", "AWS::IAM::ManagedPolicy")
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    written = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]
    statements: dict[str, dict[str, Any]] = {}
    for statement in written["Document"]["Statement"]:
        actions = statement["Action"]
        for action in [actions] if isinstance(actions, str) else actions:
            statements[action] = statement
    document = client("ssm").get_document(Name=PREFERENCES)
    ((server,),) = (
        each["Instances"]
        for each in client("ec2").describe_instances(
            InstanceIds=[only("HardenedEc2Server", "AWS::EC2::Instance")]
        )["Reservations"]
    )
    name = only("HardenedEc2Sessions", "AWS::Logs::LogGroup")
    (log_group,) = client("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    return Access(
        statements=statements,
        # The emulator keeps a document that is no text as Python writes it.
        preferences=ast.literal_eval(document["Content"])["inputs"],
        server=server,
        endpoint=only("HardenedEc2Network", "AWS::EC2::InstanceConnectEndpoint"),
        log_group=log_group,
    )


def test_a_tunnel_leads_to_this_server_from_the_whitelist(access: Access) -> None:
    tunnel = access.statements["ec2-instance-connect:OpenTunnel"]
    assert tunnel["Resource"].endswith(f":instance-connect-endpoint/{access.endpoint}")
    assert tunnel["Condition"]["IpAddress"] == {
        "ec2-instance-connect:privateIpAddress": f"{access.server['PrivateIpAddress']}/32",
        "aws:SourceIp": [WHITELIST],
    }


def test_a_key_is_taken_by_this_server(access: Access) -> None:
    key = access.statements["ec2-instance-connect:SendSSHPublicKey"]
    assert key["Resource"].endswith(f":instance/{access.server['InstanceId']}")
    assert key["Condition"]["StringEquals"] == {"ec2:osuser": "ec2-user"}


def test_a_session_is_a_recorded_one_on_this_server(access: Access) -> None:
    start = access.statements["ssm:StartSession"]
    server, document = start["Resource"]
    assert server.endswith(f":instance/{access.server['InstanceId']}")
    assert document.endswith(f":document/{PREFERENCES}")
    assert start["Condition"] == {"BoolIfExists": {"ssm:SessionDocumentAccessCheck": "true"}}


def test_sessions_go_encrypted_into_the_encrypted_log_group(access: Access) -> None:
    assert access.preferences["cloudWatchLogGroupName"] == access.log_group["logGroupName"]
    assert access.preferences["cloudWatchEncryptionEnabled"] is True
    assert access.preferences["kmsKeyId"] == access.log_group["kmsKeyId"]
    assert access.statements["kms:GenerateDataKey"]["Resource"] == access.preferences["kmsKeyId"]
