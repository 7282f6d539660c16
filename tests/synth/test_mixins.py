"""Mixins: L1 constructs and what is inside others, before and after."""

import base64
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_autoscaling as autoscaling
from aws_cdk import aws_ec2 as ec2
from aws_cdk.assertions import Annotations, Match, Template

from hardened_ec2 import HardenedVpc, HardenInstance, HardenSecurityGroup, HardenVolume
from tests.synth.findings import errors
from tests.synth.user_data import text_of

AMI = "ami-0123456789abcdef0"
AMAZON_LINUX = "resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
REQUIRED = {"HttpTokens": "required", "HttpPutResponseHopLimit": 1}
ENCRYPTED = {"DeviceName": "/dev/xvda", "Ebs": {"Encrypted": True}}


def only(stack: cdk.Stack, kind: str) -> dict[str, Any]:
    (resource,) = Template.from_stack(stack).find_resources(kind).values()
    properties: dict[str, Any] = resource["Properties"]
    return properties


def test_an_l1_instance(stack: cdk.Stack) -> None:
    script = cdk.Fn.base64("#!/bin/bash\necho mine")
    ec2.CfnInstance(stack, "Raw", image_id=AMAZON_LINUX, user_data=script).with_(HardenInstance())
    properties = only(stack, "AWS::EC2::Instance")
    assert properties["MetadataOptions"] == REQUIRED
    assert properties["BlockDeviceMappings"] == [ENCRYPTED]
    assert properties["Monitoring"] is True
    text = text_of(properties["UserData"])
    assert text.index("#cloud-boothook") < text.index("echo mine")


def test_an_l1_launch_template(stack: cdk.Stack) -> None:
    data = ec2.CfnLaunchTemplate.LaunchTemplateDataProperty(
        image_id=AMI,
        block_device_mappings=[
            ec2.CfnLaunchTemplate.BlockDeviceMappingProperty(
                device_name="/dev/sda1", ebs=ec2.CfnLaunchTemplate.EbsProperty(volume_size=30)
            )
        ],
        metadata_options=ec2.CfnLaunchTemplate.MetadataOptionsProperty(
            instance_metadata_tags="enabled"
        ),
    )
    template = ec2.CfnLaunchTemplate(stack, "Raw", launch_template_data=data)
    template.with_(HardenInstance(root_device_name="/dev/sda1"))
    written = only(stack, "AWS::EC2::LaunchTemplate")["LaunchTemplateData"]
    assert written["MetadataOptions"] == {**REQUIRED, "InstanceMetadataTags": "enabled"}
    assert written["BlockDeviceMappings"] == [
        {"DeviceName": "/dev/sda1", "Ebs": {"Encrypted": True, "VolumeSize": 30}}
    ]
    assert written["Monitoring"] == {"Enabled": True}
    assert written["ImageId"] == AMI
    assert "#cloud-boothook" in text_of(written["UserData"])


def test_an_l1_launch_configuration(stack: cdk.Stack) -> None:
    autoscaling.CfnLaunchConfiguration(
        stack, "Raw", image_id=AMAZON_LINUX, instance_type="t3.micro"
    ).with_(HardenInstance(host_hardening=None))
    properties = only(stack, "AWS::AutoScaling::LaunchConfiguration")
    assert properties["MetadataOptions"] == REQUIRED
    assert properties["BlockDeviceMappings"] == [ENCRYPTED]
    assert properties["InstanceMonitoring"] is True
    assert "UserData" not in properties


def test_everything_in_a_stack_before_and_after() -> None:
    def build(*, harden: bool) -> set[tuple[str, str]]:
        app = cdk.App(builtin_cloud_formation_validation=False)
        stack = cdk.Stack(app, "Stack")
        vpc = HardenedVpc(stack, "Vpc")
        ec2.Instance(
            stack,
            "Server",
            vpc=vpc,
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED),
            instance_type=ec2.InstanceType("t3.micro"),
            machine_image=ec2.MachineImage.latest_amazon_linux2023(),
        )
        ec2.CfnVolume(stack, "Data", availability_zone="us-east-1a", size=8)
        if harden:
            stack.with_(HardenInstance(), HardenVolume(), HardenSecurityGroup())
        return errors(app)

    assert build(harden=False) == {
        ("ImdsV2", "Stack/Server/Resource"),
        ("VolumeEncryption", "Stack/Server/Resource"),
        ("VolumeEncryption", "Stack/Data"),
    }
    assert build(harden=True) == set()


def test_commands_that_are_added_later_are_in_the_user_data(
    stack: cdk.Stack, vpc: HardenedVpc
) -> None:
    server = ec2.Instance(
        stack,
        "Server",
        vpc=vpc,
        vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED),
        instance_type=ec2.InstanceType("t3.micro"),
        machine_image=ec2.MachineImage.latest_amazon_linux2023(),
    )
    server.with_(HardenInstance())
    server.add_user_data(f"echo later in {stack.region}")
    text = text_of(only(stack, "AWS::EC2::Instance")["UserData"])
    assert text.index("#cloud-boothook") < text.index("echo later in <AWS::Region>")


def test_it_is_not_prepended_twice(stack: cdk.Stack) -> None:
    instance = ec2.CfnInstance(stack, "Raw", image_id=AMAZON_LINUX)
    instance.with_(HardenInstance(), HardenInstance())
    properties = only(stack, "AWS::EC2::Instance")
    assert text_of(properties["UserData"]).count("#cloud-boothook") == 1
    assert properties["BlockDeviceMappings"] == [ENCRYPTED]


def test_base64_that_is_written_out_is_read(stack: cdk.Stack) -> None:
    encoded = base64.b64encode(b"#!/bin/sh\necho mine\n").decode()
    ec2.CfnInstance(stack, "Raw", image_id=AMI, user_data=encoded).with_(HardenInstance())
    text = text_of(only(stack, "AWS::EC2::Instance")["UserData"])
    assert text.index("#cloud-boothook") < text.index("echo mine")


@pytest.mark.parametrize(
    ("user_data", "reason"),
    [
        ("not base64!", "cannot be read at synth"),
        (base64.b64encode(b"\xff\xfe").decode(), "cannot be read at synth"),
        # A token's number depends on what was imported before, so it is kept out of the name.
        pytest.param(cdk.Fn.ref("AWS::StackName"), "cannot be read at synth", id="a reference"),
        pytest.param(
            cdk.Fn.base64("#cloud-config\n{}"), "begins with '#cloud-config'", id="cloud-config"
        ),
    ],
)
def test_user_data_that_cannot_be_prepended_is_left_and_said(
    stack: cdk.Stack, user_data: str, reason: str
) -> None:
    instance = ec2.CfnInstance(stack, "Raw", image_id=AMI, user_data=user_data)
    instance.with_(HardenInstance())
    assert only(stack, "AWS::EC2::Instance")["UserData"] == stack.resolve(user_data)
    Annotations.from_stack(stack).has_warning(
        "/Stack/Raw", Match.string_like_regexp(f"not hardened at boot: its user data {reason}")
    )


def test_a_root_device_nobody_knows_is_left_and_said(stack: cdk.Stack) -> None:
    ec2.CfnInstance(stack, "Raw", image_id=AMI).with_(HardenInstance())
    assert "BlockDeviceMappings" not in only(stack, "AWS::EC2::Instance")
    Annotations.from_stack(stack).has_warning(
        "/Stack/Raw", Match.string_like_regexp("cannot tell the root device of this image")
    )


def test_properties_that_are_tokens_are_left_and_said(stack: cdk.Stack) -> None:
    chosen = cdk.Fn.condition_if("Wanted", cdk.Aws.NO_VALUE, cdk.Aws.NO_VALUE)
    cdk.CfnCondition(stack, "Wanted", expression=cdk.Fn.condition_equals("a", "b"))
    ec2.CfnInstance(
        stack, "Raw", image_id=AMI, metadata_options=chosen, block_device_mappings=chosen
    ).with_(HardenInstance())
    properties = only(stack, "AWS::EC2::Instance")
    assert "Fn::If" in properties["MetadataOptions"]
    for name in ("MetadataOptions", "BlockDeviceMappings"):
        Annotations.from_stack(stack).has_warning(
            "/Stack/Raw",
            Match.string_like_regexp(f"{name} is known only at deployment.*: write its values in"),
        )


def test_the_opposite_of_a_guarantee_is_refused_at_synth(app: cdk.App, stack: cdk.Stack) -> None:
    ec2.CfnInstance(
        stack,
        "Raw",
        image_id=AMI,
        metadata_options=ec2.CfnInstance.MetadataOptionsProperty(http_tokens="optional"),
        block_device_mappings=[
            ec2.CfnInstance.BlockDeviceMappingProperty(
                device_name="/dev/sdf", ebs=ec2.CfnInstance.EbsProperty(encrypted=False)
            )
        ],
    )
    ec2.CfnVolume(stack, "Data", availability_zone="a", size=8, encrypted=False)
    stack.with_(HardenInstance(), HardenVolume())
    with pytest.raises(
        RuntimeError,
        match=r"(?s)Stack/Raw: http_tokens=OPTIONAL.*the volume /dev/sdf has encrypted=False"
        r".*Stack/Data: the volume has encrypted=False",
    ):
        app.synth()


def test_an_override_wins(stack: cdk.Stack) -> None:
    instance = ec2.CfnInstance(stack, "Raw", image_id=AMI)
    instance.add_property_override("MetadataOptions.HttpTokens", "optional")
    instance.with_(HardenInstance())
    assert only(stack, "AWS::EC2::Instance")["MetadataOptions"]["HttpTokens"] == "optional"


def egress(stack: cdk.Stack) -> list[tuple[str, int]]:
    rules = only(stack, "AWS::EC2::SecurityGroup")["SecurityGroupEgress"]
    return [(rule["IpProtocol"], rule.get("FromPort")) for rule in rules]


def test_a_group_without_egress_is_closed(stack: cdk.Stack) -> None:
    ec2.CfnSecurityGroup(stack, "Raw", group_description="Web").with_(HardenSecurityGroup())
    assert egress(stack) == [("tcp", 443), ("udp", 123)]


def test_a_group_loses_only_the_rule_that_lets_out_everything(stack: cdk.Stack) -> None:
    make = ec2.CfnSecurityGroup.EgressProperty
    ec2.CfnSecurityGroup(
        stack,
        "Raw",
        group_description="Web",
        security_group_egress=[
            make(ip_protocol="-1", cidr_ip="0.0.0.0/0"),
            make(ip_protocol="tcp", from_port=5432, to_port=5432, cidr_ip="10.0.0.0/16"),
            make(ip_protocol="-1", cidr_ipv6="::/0"),
        ],
    ).with_(HardenSecurityGroup(egress_ports=()))
    assert egress(stack) == [("tcp", 5432), ("udp", 123)]


def test_a_narrow_group_is_left_alone(stack: cdk.Stack) -> None:
    rule = ec2.CfnSecurityGroup.EgressProperty(
        ip_protocol="tcp", from_port=80, to_port=80, cidr_ip="10.0.0.0/16"
    )
    ec2.CfnSecurityGroup(stack, "Raw", group_description="Web", security_group_egress=[rule]).with_(
        HardenSecurityGroup()
    )
    assert egress(stack) == [("tcp", 80)]


def test_a_group_of_cdks_own_class_is_closed_with_a_warning(stack: cdk.Stack) -> None:
    vpc = ec2.Vpc.from_vpc_attributes(stack, "Vpc", vpc_id="vpc-1", availability_zones=["a"])
    ec2.SecurityGroup(stack, "Group", vpc=vpc).with_(HardenSecurityGroup())
    assert egress(stack) == [("tcp", 443), ("udp", 123)]
    Annotations.from_stack(stack).has_warning(
        "/Stack/Group/Resource", Match.string_like_regexp("allow_all_outbound=False where it is")
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: HardenInstance(host_hardening="core"), "host_hardening is 'core'"),  # type: ignore[arg-type]
        (lambda: HardenSecurityGroup(egress_ports=[70000]), r"egress_ports is \[70000\]"),
    ],
)
def test_wrong_arguments_are_refused(make: Any, message: str) -> None:  # noqa: ANN401
    with pytest.raises(ValueError, match=message):
        make()
