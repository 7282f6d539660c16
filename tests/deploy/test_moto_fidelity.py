"""Each patch of `demo.moto_fidelity`, on the emulator and on moto as it is.

A case that fails on plain moto only says that moto has learned it: its patch can go.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from tests.deploy.conftest import Emulated
from tests.deploy.insecure import attribute, ref, resource

SSM = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
IMAGE = "ami-12c6146b"
VPC = resource("EC2::VPC", CidrBlock="10.2.0.0/16")
SUBNET = resource("EC2::Subnet", VpcId=ref("Vpc"), CidrBlock="10.2.0.0/24")
PUBLIC_SUBNET = resource(
    "EC2::Subnet", VpcId=ref("Vpc"), CidrBlock="10.2.0.0/24", MapPublicIpOnLaunch=True
)
HTTPS_OUT = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIp": "10.2.0.0/16"}


@cache
def client(service: str, endpoint: str | None) -> Any:  # noqa: ANN401 - any service's
    return boto3.client(service, endpoint_url=endpoint)  # type: ignore[call-overload]


class Stack:
    """A deployed stack, and clients to look at it."""

    def __init__(self, name: str, resources: dict[str, Any], endpoint: str | None) -> None:
        self.ec2 = client("ec2", endpoint)
        self.iam = client("iam", endpoint)
        self.logs = client("logs", endpoint)
        self.kms = client("kms", endpoint)
        cloudformation = client("cloudformation", endpoint)
        template = json.dumps({"Resources": resources})
        cloudformation.create_stack(StackName=name, TemplateBody=template)
        listed = cloudformation.list_stack_resources(StackName=name)["StackResourceSummaries"]
        self.ids = {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in listed}

    def instance(self) -> Any:  # noqa: ANN401 - as EC2 tells it
        found = self.ec2.describe_instances(InstanceIds=[self.ids["Server"]])
        return found["Reservations"][0]["Instances"][0]

    def group(self) -> Any:  # noqa: ANN401
        found = self.ec2.describe_security_groups(GroupIds=[self.ids["Group"]])
        return found["SecurityGroups"][0]

    def default_group(self) -> Any:  # noqa: ANN401
        return self.ec2.describe_security_groups(
            Filters=[
                {"Name": "vpc-id", "Values": [self.ids["Vpc"]]},
                {"Name": "group-name", "Values": ["default"]},
            ]
        )["SecurityGroups"][0]


@dataclass(frozen=True, kw_only=True)
class Case:
    """What AWS makes of some resources.

    Args:
        resources: The template's.
        read: Looks at one thing.
        aws: What AWS says there.
    """

    resources: dict[str, Any]
    read: Callable[[Stack], object]
    aws: object


def server(**properties: Any) -> dict[str, Any]:  # noqa: ANN401 - any property
    return resource("EC2::Instance", ImageId=IMAGE, **properties)


def group(**properties: Any) -> dict[str, Any]:  # noqa: ANN401 - any property
    return resource(
        "EC2::SecurityGroup", GroupDescription="A group", VpcId=ref("Vpc"), **properties
    )


CASES = {
    "instance MetadataOptions": Case(
        resources={
            "Server": server(
                MetadataOptions={"HttpTokens": "required", "HttpPutResponseHopLimit": 3}
            )
        },
        read=lambda stack: (
            stack.instance()["MetadataOptions"]["HttpTokens"],
            stack.instance()["MetadataOptions"]["HttpPutResponseHopLimit"],
        ),
        aws=("required", 3),
    ),
    "instance SecurityGroupIds": Case(
        resources={
            "Vpc": VPC,
            "Subnet": SUBNET,
            "Group": group(),
            "Server": server(SubnetId=ref("Subnet"), SecurityGroupIds=[ref("Group")]),
        },
        read=lambda stack: (
            [each["GroupId"] for each in stack.instance()["SecurityGroups"]] == [stack.ids["Group"]]
        ),
        aws=True,
    ),
    "instance NetworkInterfaces": Case(
        resources={
            "Vpc": VPC,
            "Subnet": PUBLIC_SUBNET,
            "Group": group(),
            "Server": server(
                NetworkInterfaces=[
                    {
                        "DeviceIndex": "0",
                        "SubnetId": ref("Subnet"),
                        "GroupSet": [ref("Group")],
                        "AssociatePublicIpAddress": False,
                    }
                ]
            ),
        },
        read=lambda stack: (
            stack.instance()["SubnetId"] == stack.ids["Subnet"],
            stack.instance().get("PublicIpAddress"),
            [each["GroupId"] for each in stack.instance()["NetworkInterfaces"][0]["Groups"]]
            == [stack.ids["Group"]],
        ),
        aws=(True, None, True),
    ),
    "instance in a subnet that gives public addresses": Case(
        resources={
            "Vpc": VPC,
            "Subnet": PUBLIC_SUBNET,
            "Server": server(SubnetId=ref("Subnet")),
        },
        read=lambda stack: bool(stack.instance().get("PublicIpAddress")),
        aws=True,
    ),
    "instance Monitoring": Case(
        resources={"Server": server(Monitoring=True)},
        read=lambda stack: stack.instance()["Monitoring"]["State"],
        aws="enabled",
    ),
    "instance EbsOptimized": Case(
        resources={"Server": server(EbsOptimized=True)},
        read=lambda stack: stack.instance()["EbsOptimized"],
        aws=True,
    ),
    "instance DisableApiTermination": Case(
        resources={"Server": server(DisableApiTermination=True)},
        read=lambda stack: stack.ec2.describe_instance_attribute(
            InstanceId=stack.ids["Server"], Attribute="disableApiTermination"
        )["DisableApiTermination"]["Value"],
        aws=True,
    ),
    "subnet MapPublicIpOnLaunch": Case(
        resources={"Vpc": VPC, "Subnet": SUBNET},
        read=lambda stack: stack.ec2.describe_subnets(SubnetIds=[stack.ids["Subnet"]])["Subnets"][
            0
        ]["MapPublicIpOnLaunch"],
        aws=False,
    ),
    "group inline egress": Case(
        resources={"Vpc": VPC, "Group": group(SecurityGroupEgress=[HTTPS_OUT])},
        read=lambda stack: [
            (each["IpProtocol"], each["FromPort"], each["IpRanges"][0]["CidrIp"])
            for each in stack.group()["IpPermissionsEgress"]
        ],
        aws=[("tcp", 443, "10.2.0.0/16")],
    ),
    "group inline ingress over IPv6": Case(
        resources={
            "Vpc": VPC,
            "Group": group(SecurityGroupIngress=[{"IpProtocol": "-1", "CidrIpv6": "::/0"}]),
        },
        read=lambda stack: [
            each["Ipv6Ranges"][0]["CidrIpv6"] for each in stack.group()["IpPermissions"]
        ],
        aws=["::/0"],
    ),
    "egress rule of its own": Case(
        resources={
            "Vpc": VPC,
            "Group": group(),
            "Rule": resource("EC2::SecurityGroupEgress", GroupId=ref("Group"), **HTTPS_OUT),
        },
        read=lambda stack: sorted(
            each["IpProtocol"] for each in stack.group()["IpPermissionsEgress"]
        ),
        aws=["-1", "tcp"],
    ),
    "ingress rule of its own from a prefix list": Case(
        resources={
            "Vpc": VPC,
            "Group": group(),
            "Rule": resource(
                "EC2::SecurityGroupIngress",
                GroupId=ref("Group"),
                IpProtocol="tcp",
                FromPort=22,
                ToPort=22,
                SourcePrefixListId="pl-0123456789abcdef0",
            ),
        },
        read=lambda stack: [
            each["PrefixListIds"][0]["PrefixListId"] for each in stack.group()["IpPermissions"]
        ],
        aws=["pl-0123456789abcdef0"],
    ),
    "default group of a new VPC": Case(
        resources={"Vpc": VPC},
        read=lambda stack: [
            each["UserIdGroupPairs"][0]["GroupId"] == stack.default_group()["GroupId"]
            for each in stack.default_group()["IpPermissions"]
        ],
        aws=[True],
    ),
    "default group closed by the CDK": Case(
        resources={
            "Vpc": VPC,
            "Close": {
                "Type": "Custom::VpcRestrictDefaultSG",
                "Properties": {
                    "ServiceToken": "arn:aws:lambda:us-east-1:123456789012:function:close",
                    "DefaultSecurityGroupId": attribute("Vpc", "DefaultSecurityGroup"),
                },
            },
        },
        read=lambda stack: (
            stack.default_group()["IpPermissions"],
            stack.default_group()["IpPermissionsEgress"],
        ),
        aws=([], []),
    ),
    "Instance Connect Endpoint": Case(
        resources={
            "Vpc": VPC,
            "Subnet": SUBNET,
            "Door": resource("EC2::InstanceConnectEndpoint", SubnetId=ref("Subnet")),
        },
        read=lambda stack: (
            [
                each["SubnetId"]
                for each in stack.ec2.describe_instance_connect_endpoints()[
                    "InstanceConnectEndpoints"
                ]
                if each["InstanceConnectEndpointId"] == stack.ids["Door"]
                and each["SecurityGroupIds"] == [stack.default_group()["GroupId"]]
            ]
            == [stack.ids["Subnet"]]
        ),
        aws=True,
    ),
    "role ManagedPolicyArns": Case(
        resources={
            "Role": resource(
                "IAM::Role",
                AssumeRolePolicyDocument={"Version": "2012-10-17", "Statement": []},
                ManagedPolicyArns=[SSM],
            )
        },
        read=lambda stack: [
            each["PolicyArn"]
            for each in stack.iam.list_attached_role_policies(RoleName=stack.ids["Role"])[
                "AttachedPolicies"
            ]
        ],
        aws=[SSM],
    ),
    "key Tags": Case(
        resources={
            "Key": resource(
                "KMS::Key",
                KeyPolicy={"Version": "2012-10-17", "Statement": []},
                Tags=[{"Key": "Name", "Value": "a key"}],
            )
        },
        read=lambda stack: stack.kms.list_resource_tags(KeyId=stack.ids["Key"])["Tags"],
        aws=[{"TagKey": "Name", "TagValue": "a key"}],
    ),
    "log group KmsKeyId": Case(
        resources={"Logs": resource("Logs::LogGroup", KmsKeyId="arn:aws:kms:us-east-1:1:key/k")},
        read=lambda stack: stack.logs.describe_log_groups(logGroupNamePrefix=stack.ids["Logs"])[
            "logGroups"
        ][0].get("kmsKeyId"),
        aws="arn:aws:kms:us-east-1:1:key/k",
    ),
}


@pytest.fixture
def plain_moto(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """moto as it is, in this process, which never applies the patches."""
    monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
    with mock_aws():
        yield


@pytest.mark.parametrize("name", CASES)
def test_the_emulator_does_as_aws_does(account: Emulated, name: str) -> None:
    case = CASES[name]

    stack = Stack(f"F{list(CASES).index(name)}", case.resources, account.endpoint)

    assert case.read(stack) == case.aws


@pytest.mark.usefixtures("plain_moto")
@pytest.mark.filterwarnings("ignore:Tried to parse:UserWarning")
@pytest.mark.parametrize("name", CASES)
def test_plain_moto_still_needs_the_patch(name: str) -> None:
    case = CASES[name]

    try:
        found = case.read(Stack("Plain", case.resources, None))
    except Exception as error:  # noqa: BLE001 - however moto fails, it is not as AWS
        found = error

    assert found != case.aws, "moto has learned this: remove the patch, and this case"


def test_a_custom_resource_that_nobody_emulates_fails_at_once(account: Emulated) -> None:
    custom = {"Type": "Custom::Anything", "Properties": {"ServiceToken": "arn:aws:lambda:::f"}}

    with pytest.raises(ClientError, match="no Custom::Anything: Thing runs a Lambda function"):
        account.create_stack("Custom", {"Resources": {"Thing": custom}})


def test_an_output_may_name_the_instance_connect_endpoint(account: Emulated) -> None:
    resources = CASES["Instance Connect Endpoint"].resources
    outputs = {"Door": {"Value": attribute("Door", "Id")}}
    account.create_stack("Output", {"Resources": resources, "Outputs": outputs})

    cloudformation = boto3.client("cloudformation", endpoint_url=account.endpoint)
    (stack,) = cloudformation.describe_stacks(StackName="Output")["Stacks"]

    assert stack["Outputs"][0]["OutputValue"].startswith("eice-")
