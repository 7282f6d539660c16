"""InstanceConnectEndpoint: where it stands, how little it may reach, and whom it lets in."""

from collections.abc import Callable
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk.assertions import Match, Template

from hardened_ec2 import (
    HardenedAutoScalingGroup,
    HardenedInstance,
    HardenedVpc,
    InstanceConnectEndpoint,
    LockedSecurityGroup,
    SshAccess,
)


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


# Who is let in.


def endpoint_of(
    stack: cdk.Stack,
    vpc: HardenedVpc,
    **props: Any,  # noqa: ANN401
) -> tuple[InstanceConnectEndpoint, HardenedInstance]:
    endpoint = InstanceConnectEndpoint(stack, "Endpoint", vpc=vpc, **props)
    ssh = SshAccess.via_instance_connect_endpoint(endpoint)
    return endpoint, HardenedInstance(stack, "Server", vpc=vpc, ssh=ssh)


def statements(stack: cdk.Stack) -> list[dict[str, Any]]:
    (policy,) = (
        each["Properties"]["PolicyDocument"]["Statement"]
        for each in Template.from_stack(stack).find_resources("AWS::IAM::ManagedPolicy").values()
        if "OpenTunnel" in str(each)
    )
    return list(policy)


def test_a_grant_is_for_one_server_one_port_and_one_user(
    stack: cdk.Stack, vpc: HardenedVpc
) -> None:
    endpoint, server = endpoint_of(stack, vpc)
    policy = iam.ManagedPolicy(stack, "Operators")
    grant = endpoint.grant_connect(policy, server)
    assert grant.success
    tunnel, key, look_up = statements(stack)
    resource = stack.resolve(server.instance.ref)
    arn = ["arn:", {"Ref": "AWS::Partition"}, ":ec2:", {"Ref": "AWS::Region"}, ":"]
    assert tunnel == {
        "Action": "ec2-instance-connect:OpenTunnel",
        "Condition": {
            "NumericEquals": {"ec2-instance-connect:remotePort": "22"},
            "NumericLessThanEquals": {"ec2-instance-connect:maxTunnelDuration": "3600"},
            "IpAddress": {
                "ec2-instance-connect:privateIpAddress": {
                    "Fn::Join": ["", [{"Fn::GetAtt": [resource["Ref"], "PrivateIp"]}, "/32"]]
                }
            },
        },
        "Effect": "Allow",
        "Resource": {
            "Fn::Join": [
                "",
                [
                    *arn,
                    {"Ref": "AWS::AccountId"},
                    ":instance-connect-endpoint/",
                    stack.resolve(endpoint.instance_connect_endpoint_id),
                ],
            ]
        },
    }
    assert key == {
        "Action": "ec2-instance-connect:SendSSHPublicKey",
        "Condition": {"StringEquals": {"ec2:osuser": "ec2-user"}},
        "Effect": "Allow",
        "Resource": {
            "Fn::Join": ["", [*arn, {"Ref": "AWS::AccountId"}, ":instance/", resource]],
        },
    }
    assert look_up == {
        "Action": ["ec2:DescribeInstanceConnectEndpoints", "ec2:DescribeInstances"],
        "Condition": {"StringEquals": {"aws:RequestedRegion": {"Ref": "AWS::Region"}}},
        "Effect": "Allow",
        "Resource": "*",
    }


def test_nobody_is_let_in_unasked(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    """The negative control: an endpoint alone is in no policy."""
    endpoint_of(stack, vpc)
    assert "ec2-instance-connect:" not in str(Template.from_stack(stack).to_json())


def test_the_whitelist_is_in_every_grant_in_the_fewest_blocks(
    stack: cdk.Stack, vpc: HardenedVpc
) -> None:
    endpoint, server = endpoint_of(
        stack, vpc, whitelist=["203.0.113.7", "203.0.113.6", "2001:db8::7"]
    )
    policy = iam.ManagedPolicy(stack, "Operators")
    endpoint.grant_connect(
        policy,
        server,
        os_user="admin",
        max_tunnel_duration=cdk.Duration.minutes(5),
        describe=False,
    )
    tunnel, key = statements(stack)
    whitelist = ["203.0.113.6/31", "2001:db8::7/128"]
    assert tunnel["Condition"]["IpAddress"]["aws:SourceIp"] == whitelist
    assert "ec2-instance-connect:privateIpAddress" in tunnel["Condition"]["IpAddress"]
    assert tunnel["Condition"]["NumericLessThanEquals"] == {
        "ec2-instance-connect:maxTunnelDuration": "300"
    }
    assert key["Condition"] == {
        "StringEquals": {"ec2:osuser": "admin"},
        "IpAddress": {"aws:SourceIp": whitelist},
    }


@pytest.mark.parametrize("kind", ["role", "group", "user"])
def test_whoever_can_be_granted_can_connect(stack: cdk.Stack, vpc: HardenedVpc, kind: str) -> None:
    endpoint, server = endpoint_of(stack, vpc)
    made: dict[str, Callable[[], iam.IGrantable]] = {
        "role": lambda: iam.Role(stack, "Who", assumed_by=iam.AccountRootPrincipal()),
        "group": lambda: iam.Group(stack, "Who"),
        "user": lambda: iam.User(stack, "Who"),
    }
    endpoint.grant_connect(made[kind](), server)
    Template.from_stack(stack).has_resource_properties(
        "AWS::IAM::Policy",
        {
            "PolicyDocument": {
                "Statement": Match.array_with(
                    [Match.object_like({"Action": "ec2-instance-connect:OpenTunnel"})]
                )
            },
            f"{kind.title()}s": [{"Ref": Match.string_like_regexp("^Who")}],
        },
    )


def test_what_is_granted_for_one_server_opens_no_other(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    endpoint, server = endpoint_of(stack, vpc)
    other = HardenedInstance(stack, "Other", vpc=vpc)
    endpoint.grant_connect(iam.ManagedPolicy(stack, "Operators"), server, describe=False)
    granted = str(statements(stack))
    assert stack.get_logical_id(server.instance) in granted
    assert stack.get_logical_id(other.instance) not in granted


@pytest.mark.parametrize(
    ("whitelist", "says"),
    [
        ([], r"whitelist is \[\]: write a list of addresses .*, or leave whitelist out"),
        ("203.0.113.7", r"whitelist is '203.0.113.7': write a list of addresses"),
        (["office"], r"'office' is not an IP address or CIDR block"),
        (["0.0.0.0/1", "128.0.0.0/1"], r"the EC2 Instance Connect Endpoint is open to the world"),
        (["10.0.0.0/8"], r"write max_whitelisted_addresses=16777216"),
        ([cdk.Aws.REGION], r"known only at deployment, .*write the addresses"),
    ],
)
def test_a_whitelist_that_is_none_is_refused(
    stack: cdk.Stack, vpc: HardenedVpc, whitelist: list[str], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        InstanceConnectEndpoint(stack, "Endpoint", vpc=vpc, whitelist=whitelist)
    assert stack.node.try_find_child("Endpoint") is None


def test_a_wide_whitelist_can_be_had_by_its_number(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    InstanceConnectEndpoint(
        stack,
        "Endpoint",
        vpc=vpc,
        whitelist=["10.0.0.0/8"],
        max_whitelisted_addresses=16_777_216,
    )


@pytest.mark.parametrize(
    ("props", "says"),
    [
        ({"os_user": "root"}, r"os_user is 'root', which sshd refuses: write a user with sudo"),
        ({"os_user": "*"}, r"os_user is '\*': write the name of one user"),
        ({"os_user": ""}, r"os_user is '': write the name"),
        (
            {"max_tunnel_duration": cdk.Duration.hours(2)},
            r"max_tunnel_duration is 7200 seconds, and 1 to 3600 are allowed",
        ),
        ({"max_tunnel_duration": cdk.Duration.seconds(0)}, r"is 0 seconds, and 1 to"),
    ],
)
def test_a_grant_that_means_nothing_is_refused(
    stack: cdk.Stack, vpc: HardenedVpc, props: dict[str, Any], says: str
) -> None:
    endpoint, server = endpoint_of(stack, vpc)
    role = iam.Role(stack, "Operators", assumed_by=iam.AccountRootPrincipal())
    with pytest.raises(ValueError, match=says):
        endpoint.grant_connect(role, server, **props)
    assert "ec2-instance-connect:" not in str(Template.from_stack(stack).to_json())


def test_a_fleet_is_no_server(stack: cdk.Stack) -> None:
    vpc = HardenedVpc(stack, "Vpc", interface_endpoints=("ssm", "ssmmessages", "autoscaling"))
    endpoint = InstanceConnectEndpoint(stack, "Endpoint", vpc=vpc)
    fleet = HardenedAutoScalingGroup(stack, "Fleet", vpc=vpc)
    policy = iam.ManagedPolicy(stack, "Operators")
    with pytest.raises(ValueError, match=r"servers of a fleet, .*use Session Manager"):
        endpoint.grant_connect(policy, fleet)  # type: ignore[arg-type]
