"""InstanceConnectEndpoint: where it stands, and how little it may reach."""

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk.assertions import Match, Template

from hardened_ec2 import HardenedVpc, InstanceConnectEndpoint, LockedSecurityGroup


def test_it_reaches_nothing_until_a_server_names_it(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    endpoint = InstanceConnectEndpoint(stack, "Endpoint", vpc=vpc)
    template = Template.from_stack(stack)
    template.has_resource_properties(
        "AWS::EC2::InstanceConnectEndpoint",
        {
            "SubnetId": stack.resolve(vpc.isolated_subnets[0].subnet_id),
            "SecurityGroupIds": [stack.resolve(endpoint.security_group.security_group_id)],
            "PreserveClientIp": False,
        },
    )
    template.has_resource_properties(
        "AWS::EC2::SecurityGroup",
        {
            "GroupDescription": "EC2 Instance Connect Endpoint",
            "SecurityGroupIngress": Match.absent(),
            "SecurityGroupEgress": [Match.object_like({"CidrIp": "169.254.169.123/32"})],
        },
    )
    template.resource_count_is("AWS::EC2::SecurityGroupEgress", 0)
    assert stack.resolve(endpoint.instance_connect_endpoint_id) == {
        "Fn::GetAtt": [stack.get_logical_id(endpoint.endpoint), "Id"]
    }


def test_subnet_and_group_can_be_given(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    group = LockedSecurityGroup(stack, "Group", vpc=vpc, description="Mine")
    second = vpc.isolated_subnets[1]
    InstanceConnectEndpoint(stack, "Endpoint", vpc=vpc, subnet=second, security_group=group)
    Template.from_stack(stack).has_resource_properties(
        "AWS::EC2::InstanceConnectEndpoint",
        {
            "SubnetId": stack.resolve(second.subnet_id),
            "SecurityGroupIds": [stack.resolve(group.security_group_id)],
        },
    )


def test_a_vpc_without_private_subnets_is_refused(stack: cdk.Stack) -> None:
    vpc = ec2.Vpc(
        stack,
        "Open",
        subnet_configuration=[
            ec2.SubnetConfiguration(name="Public", subnet_type=ec2.SubnetType.PUBLIC)
        ],
    )
    with pytest.raises(ValueError, match=r"with subnet=vpc\.public_subnets\[0\]"):
        InstanceConnectEndpoint(stack, "Endpoint", vpc=vpc)
    assert stack.node.try_find_child("Endpoint") is None
