"""HardenedVpc: what it has, and above all what it has not."""

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk.assertions import Match, Template

from hardened_ec2 import HardenedVpc, InterfaceEndpoints, LockedSecurityGroup
from hardened_ec2.network.vpc import private_subnets


def test_nothing_reaches_in_or_out_by_default(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    assert isinstance(vpc, ec2.Vpc)
    template = Template.from_stack(stack)
    for kind in ("InternetGateway", "NatGateway", "VPCGatewayAttachment", "EIP", "Route"):
        template.resource_count_is(f"AWS::EC2::{kind}", 0)
    template.resource_count_is("AWS::EC2::Subnet", 2)
    template.all_resources_properties("AWS::EC2::Subnet", {"MapPublicIpOnLaunch": False})


def test_a_plain_vpc_reaches_the_internet(stack: cdk.Stack) -> None:
    """The negative control: what CDK writes without this class."""
    ec2.Vpc(stack, "Plain")
    template = Template.from_stack(stack)
    template.resource_count_is("AWS::EC2::InternetGateway", 1)
    template.has_resource_properties("AWS::EC2::Subnet", {"MapPublicIpOnLaunch": True})
    template.resource_count_is("AWS::EC2::FlowLog", 0)


def test_public_subnets_still_hand_out_no_address(stack: cdk.Stack) -> None:
    HardenedVpc(stack, "Vpc", public_subnets=True)
    template = Template.from_stack(stack)
    template.resource_count_is("AWS::EC2::InternetGateway", 1)
    template.resource_count_is("AWS::EC2::NatGateway", 0)
    template.all_resources_properties("AWS::EC2::Subnet", {"MapPublicIpOnLaunch": False})
    for subnet in template.find_resources("AWS::EC2::Subnet").values():
        assert "AssignIpv6AddressOnCreation" not in subnet["Properties"]


def test_its_addresses_can_be_given(stack: cdk.Stack) -> None:
    HardenedVpc(stack, "Vpc", ip_addresses=ec2.IpAddresses.cidr("10.20.0.0/16"))
    Template.from_stack(stack).has_resource_properties(
        "AWS::EC2::VPC", {"CidrBlock": "10.20.0.0/16"}
    )


def test_nat_gateways_are_had_on_request(stack: cdk.Stack) -> None:
    vpc = HardenedVpc(stack, "Vpc", public_subnets=True, nat_gateways=1)
    assert private_subnets(vpc) is ec2.SubnetType.PRIVATE_WITH_EGRESS
    Template.from_stack(stack).resource_count_is("AWS::EC2::NatGateway", 1)


def test_the_default_security_group_is_closed(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    Template.from_stack(stack).has_resource_properties(
        "Custom::VpcRestrictDefaultSG",
        {
            "DefaultSecurityGroupId": {
                "Fn::GetAtt": [
                    stack.get_logical_id(vpc.node.default_child),  # type: ignore[arg-type]
                    "DefaultSecurityGroup",
                ]
            }
        },
    )


def test_all_traffic_is_logged_encrypted_and_for_a_year(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    template = Template.from_stack(stack)
    template.has_resource_properties(
        "AWS::EC2::FlowLog",
        {
            "ResourceId": stack.resolve(vpc.vpc_id),
            "ResourceType": "VPC",
            "TrafficType": "ALL",
            "LogDestinationType": "cloud-watch-logs",
        },
    )
    template.has_resource_properties(
        "AWS::Logs::LogGroup", {"RetentionInDays": 365, "KmsKeyId": Match.any_value()}
    )
    template.has_resource_properties("AWS::KMS::Key", {"EnableKeyRotation": True})
    # Only the log groups of this account and region may use the key.
    template.has_resource_properties(
        "AWS::KMS::Key",
        {
            "KeyPolicy": {
                "Statement": Match.array_with(
                    [
                        Match.object_like(
                            {
                                "Principal": {
                                    "Service": {
                                        "Fn::Join": [
                                            "",
                                            ["logs.", {"Ref": "AWS::Region"}, ".amazonaws.com"],
                                        ]
                                    }
                                },
                                "Condition": {"ArnLike": Match.any_value()},
                            }
                        )
                    ]
                )
            }
        },
    )
    template.resource_count_is("AWS::IAM::Policy", 0)


def test_flow_logs_go_where_they_are_told(stack: cdk.Stack) -> None:
    bucket = s3.Bucket.from_bucket_name(stack, "Logs", "flow-logs-of-ours")
    HardenedVpc(stack, "Vpc", flow_log_bucket=bucket)
    template = Template.from_stack(stack)
    template.has_resource_properties(
        "AWS::EC2::FlowLog", {"LogDestinationType": "s3", "TrafficType": "ALL"}
    )
    template.resource_count_is("AWS::Logs::LogGroup", 0)
    template.resource_count_is("AWS::KMS::Key", 0)


def test_retention_and_key_can_be_given(stack: cdk.Stack) -> None:
    key = kms.Key(stack, "Key")
    HardenedVpc(stack, "Vpc", flow_log_retention=logs.RetentionDays.TWO_YEARS, encryption_key=key)
    template = Template.from_stack(stack)
    template.resource_count_is("AWS::KMS::Key", 1)
    template.has_resource_properties(
        "AWS::Logs::LogGroup", {"RetentionInDays": 731, "KmsKeyId": stack.resolve(key.key_arn)}
    )


@pytest.mark.usefixtures("vpc")
def test_the_endpoints_are_closed_until_a_server_is_let_in(stack: cdk.Stack) -> None:
    template = Template.from_stack(stack)
    template.resource_properties_count_is(
        "AWS::EC2::VPCEndpoint", {"VpcEndpointType": "Interface", "PrivateDnsEnabled": True}, 2
    )
    template.resource_properties_count_is(
        "AWS::EC2::VPCEndpoint", {"VpcEndpointType": "Gateway"}, 1
    )
    template.has_resource_properties(
        "AWS::EC2::SecurityGroup",
        {"GroupDescription": "VPC interface endpoints", "SecurityGroupIngress": Match.absent()},
    )
    template.resource_count_is("AWS::EC2::SecurityGroupIngress", 0)


def test_a_server_is_let_in_on_443_and_nowhere_else(stack: cdk.Stack) -> None:
    vpc = HardenedVpc(stack, "Vpc", s3_prefix_list_id="pl-1")
    server = LockedSecurityGroup(stack, "Server", vpc=vpc, description="Server")
    vpc.allow_endpoints_from(server)
    template = Template.from_stack(stack)
    template.resource_count_is("AWS::EC2::SecurityGroupIngress", 1)
    template.has_resource_properties(
        "AWS::EC2::SecurityGroupIngress",
        {"FromPort": 443, "SourceSecurityGroupId": stack.resolve(server.security_group_id)},
    )
    template.has_resource_properties(
        "AWS::EC2::SecurityGroupEgress", {"FromPort": 443, "DestinationPrefixListId": "pl-1"}
    )


def test_an_endpoint_that_two_features_need_is_created_once(stack: cdk.Stack) -> None:
    vpc = HardenedVpc(
        stack,
        "Vpc",
        interface_endpoints=(
            *InterfaceEndpoints.SESSION_RECORDING,
            *InterfaceEndpoints.IMAGE_BUILDER,
        ),
    )
    assert vpc.interface_endpoints == ("ssm", "ssmmessages", "kms", "logs", "imagebuilder")
    Template.from_stack(stack).resource_properties_count_is(
        "AWS::EC2::VPCEndpoint", {"VpcEndpointType": "Interface"}, 5
    )


def test_a_vpc_may_do_without_endpoints(stack: cdk.Stack) -> None:
    vpc = HardenedVpc(stack, "Vpc", interface_endpoints=())
    server = LockedSecurityGroup(stack, "Server", vpc=vpc, description="Server")
    vpc.allow_endpoints_from(server)
    template = Template.from_stack(stack)
    template.resource_properties_count_is(
        "AWS::EC2::VPCEndpoint", {"VpcEndpointType": "Interface"}, 0
    )
    template.resource_count_is("AWS::EC2::SecurityGroupEgress", 0)


@pytest.mark.parametrize(
    ("props", "says"),
    [
        ({"nat_gateways": 1}, r"nat_gateways=1 is given without public subnets.*public_subnets=Tr"),
        ({"interface_endpoints": "ssm"}, r"the text 'ssm': write a tuple.*\('ssm',\)"),
        ({"s3_prefix_list_id": "com.amazonaws.s3"}, r"'com.amazonaws.s3': write the id .*'pl-...'"),
    ],
)
def test_wrong_props_are_refused(stack: cdk.Stack, props: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        HardenedVpc(stack, "Vpc", **props)
    assert stack.node.try_find_child("Vpc") is None


def test_a_bucket_takes_no_settings_of_the_log_group(stack: cdk.Stack) -> None:
    bucket = s3.Bucket.from_bucket_name(stack, "Logs", "flow-logs-of-ours")
    with pytest.raises(ValueError, match="flow_log_bucket is given together with"):
        HardenedVpc(
            stack, "Vpc", flow_log_bucket=bucket, flow_log_retention=logs.RetentionDays.ONE_DAY
        )
