"""The function against an emulated EC2, for the settings that moto has."""

from collections.abc import Callable, Iterator
from unittest.mock import patch

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from mypy_boto3_ec2 import EC2Client
from mypy_boto3_ec2.type_defs import SecurityGroupTypeDef

from tests.unit.functions.conftest import CloudFormation, client_of_nobody

pytestmark = pytest.mark.emulator


@pytest.fixture
def account(client: EC2Client) -> Iterator[EC2Client]:
    with mock_aws():
        yield client


def default_vpc(account: EC2Client) -> str:
    (vpc,) = account.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    return str(vpc["VpcId"])


def default_group(account: EC2Client) -> SecurityGroupTypeDef:
    groups = account.describe_security_groups(
        Filters=[
            {"Name": "vpc-id", "Values": [default_vpc(account)]},
            {"Name": "group-name", "Values": ["default"]},
        ]
    )["SecurityGroups"]
    return groups[0]


def encrypted(account: EC2Client) -> bool:
    return bool(account.get_ebs_encryption_by_default()["EbsEncryptionByDefault"])


def subnets(account: EC2Client) -> list[str]:
    found = account.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [default_vpc(account)]}])
    return sorted(each["AvailabilityZone"] for each in found["Subnets"])


@pytest.mark.parametrize(
    "theirs",
    [
        {"AWS_ENDPOINT_URL": "http://localhost:1"},
        {"AWS_ENDPOINT_URL_EC2": "http://localhost:1"},
        {"AWS_PROFILE": "nobody"},
        {"AWS_CONFIG_FILE": __file__},
    ],
    ids=lambda given: next(iter(given)),
)
def test_the_environment_of_whoever_runs_this_does_not_reach_it(
    monkeypatch: pytest.MonkeyPatch, theirs: dict[str, str]
) -> None:
    for name, value in theirs.items():
        monkeypatch.setenv(name, value)
    assert client_of_nobody().meta.endpoint_url == "https://ec2.us-east-1.amazonaws.com"


def test_ebs_encryption_is_on_and_goes_back_to_what_it_was(
    account: EC2Client, cloudformation: CloudFormation
) -> None:
    assert not encrypted(account)
    wanted = {"EbsEncryptionByDefault": "true"}
    created = cloudformation.ask("Create", "EbsEncryptionByDefault", **wanted)
    assert encrypted(account)
    cloudformation.ask("Update", "EbsEncryptionByDefault", created["PhysicalResourceId"], **wanted)
    assert encrypted(account)
    cloudformation.ask("Delete", "EbsEncryptionByDefault", created["PhysicalResourceId"], **wanted)
    assert not encrypted(account)


def test_ebs_encryption_that_was_on_stays_on(
    account: EC2Client, cloudformation: CloudFormation
) -> None:
    """A rollback must not leave an account weaker than it was."""
    account.enable_ebs_encryption_by_default()
    wanted = {"EbsEncryptionByDefault": "true"}
    created = cloudformation.ask("Create", "EbsEncryptionByDefault", **wanted)
    cloudformation.ask("Delete", "EbsEncryptionByDefault", created["PhysicalResourceId"], **wanted)
    assert encrypted(account)


def test_the_default_group_loses_every_rule(
    account: EC2Client, cloudformation: CloudFormation
) -> None:
    before = default_group(account)
    account.authorize_security_group_ingress(
        GroupId=before["GroupId"],
        IpPermissions=[
            {
                "IpProtocol": "tcp",
                "FromPort": 22,
                "ToPort": 22,
                "IpRanges": [{"CidrIp": "0.0.0.0/0"}],
                "Ipv6Ranges": [{"CidrIpv6": "::/0"}],
            }
        ],
    )
    for request in ("Create", "Update"):
        answer = cloudformation.ask(request, "DefaultVpcSecurityGroup", State="closed")
        assert answer["Status"] == "SUCCESS", answer
        group = default_group(account)
        assert (group["IpPermissions"], group["IpPermissionsEgress"]) == ([], [])
    deleted = cloudformation.ask(
        "Delete", "DefaultVpcSecurityGroup", answer["PhysicalResourceId"], State="closed"
    )
    assert deleted["Status"] == "SUCCESS"
    assert default_group(account)["IpPermissionsEgress"] == []


def test_a_default_group_in_use_is_not_closed(
    account: EC2Client, cloudformation: CloudFormation
) -> None:
    subnet = account.describe_subnets()["Subnets"][0]["SubnetId"]
    group = default_group(account)
    interfaces = [
        account.create_network_interface(SubnetId=subnet, Groups=[group["GroupId"]])[
            "NetworkInterface"
        ]["NetworkInterfaceId"]
        for _ in range(5)
    ]
    answer = cloudformation.ask("Create", "DefaultVpcSecurityGroup", State="closed")
    assert answer["Status"] == "FAILED"
    assert f"is used by {', '.join(sorted(interfaces)[:3])} and 2 more" in answer["Reason"]
    assert "default_vpc=DefaultVpc.KEEP" in answer["Reason"]
    assert default_group(account) == group


def test_an_empty_default_vpc_is_deleted(
    account: EC2Client, cloudformation: CloudFormation
) -> None:
    vpc = default_vpc(account)
    gateway = account.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    account.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    for request in ("Create", "Update", "Delete"):
        answer = cloudformation.ask(request, "DefaultVpc", "DefaultVpc", State="absent")
        assert answer["Status"] == "SUCCESS", answer
    assert account.describe_vpcs()["Vpcs"] == []
    assert account.describe_subnets()["Subnets"] == []
    assert account.describe_internet_gateways()["InternetGateways"] == []
    # Closing the group of a VPC that is not there is nothing to do either.
    closed = cloudformation.ask("Create", "DefaultVpcSecurityGroup", State="closed")
    assert closed["Status"] == "SUCCESS"


def add_interface(account: EC2Client) -> str:
    subnet = account.describe_subnets()["Subnets"][0]["SubnetId"]
    made = account.create_network_interface(SubnetId=subnet)["NetworkInterface"]
    return str(made["NetworkInterfaceId"])


def add_group(account: EC2Client) -> str:
    made = account.create_security_group(
        GroupName="web", Description="web", VpcId=default_vpc(account)
    )
    return str(made["GroupId"])


def add_subnet(account: EC2Client) -> str:
    made = account.create_subnet(VpcId=default_vpc(account), CidrBlock="172.31.240.0/24")
    return str(made["Subnet"]["SubnetId"])


def add_endpoint(account: EC2Client) -> str:
    made = account.create_vpc_endpoint(
        VpcId=default_vpc(account), ServiceName="com.amazonaws.us-east-1.s3"
    )
    return str(made["VpcEndpoint"]["VpcEndpointId"])


@pytest.mark.parametrize("add", [add_interface, add_group, add_subnet, add_endpoint])
def test_a_default_vpc_with_something_in_it_is_not_touched(
    account: EC2Client, cloudformation: CloudFormation, add: Callable[[EC2Client], str]
) -> None:
    content = add(account)
    zones = subnets(account)
    answer = cloudformation.ask("Create", "DefaultVpc", State="absent")
    assert answer["Status"] == "FAILED"
    assert content in answer["Reason"]
    assert "default_vpc=DefaultVpc.CLOSE_SECURITY_GROUP" in answer["Reason"]
    assert subnets(account) == zones


def test_a_deletion_that_fails_halfway_is_undone(
    account: EC2Client, cloudformation: CloudFormation
) -> None:
    vpc = default_vpc(account)
    gateway = account.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    account.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    zones = subnets(account)
    refusal = ClientError(
        {"Error": {"Code": "DependencyViolation", "Message": "a route table is left"}}, "DeleteVpc"
    )
    with patch.object(account, "delete_vpc", side_effect=refusal):
        answer = cloudformation.ask("Create", "DefaultVpc", State="absent")
    assert answer["Status"] == "FAILED"
    assert "a route table is left" in answer["Reason"]
    assert default_vpc(account) == vpc
    assert subnets(account) == zones
    (attached,) = account.describe_internet_gateways()["InternetGateways"]
    assert attached["Attachments"][0]["VpcId"] == vpc
