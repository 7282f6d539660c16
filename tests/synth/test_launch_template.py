"""HardenedLaunchTemplate: what its servers have, and what it refuses."""

import base64
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk.assertions import Annotations, Match, Template

from hardened_ec2 import (
    HardenedLaunchTemplate,
    HardenedVpc,
    HostHardening,
    Imds,
    LockedSecurityGroup,
    SshAccess,
)
from tests.synth.user_data import text_of


def resource(stack: cdk.Stack) -> dict[str, Any]:
    (found,) = Template.from_stack(stack).find_resources("AWS::EC2::LaunchTemplate").values()
    return dict(found)


def data(stack: cdk.Stack) -> dict[str, Any]:
    return dict(resource(stack)["Properties"]["LaunchTemplateData"])


def test_the_defaults_lock_everything(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    template = HardenedLaunchTemplate(stack, "Template", vpc=vpc)
    assert isinstance(template, ec2.LaunchTemplate)
    found = data(stack)
    assert found["MetadataOptions"] == {
        "HttpEndpoint": "enabled",
        "HttpProtocolIpv6": "disabled",
        "HttpPutResponseHopLimit": 1,
        "HttpTokens": "required",
        "InstanceMetadataTags": "disabled",
    }
    assert found["BlockDeviceMappings"] == [
        {
            "DeviceName": "/dev/xvda",
            "Ebs": {"Encrypted": True, "VolumeSize": 16, "VolumeType": "gp3"},
        }
    ]
    assert found["EbsOptimized"] is True
    assert found["Monitoring"] == {"Enabled": True}
    assert found["DisableApiTermination"] is True
    assert found["DisableApiStop"] is True
    assert found["InstanceType"] == "t4g.small"
    assert found["UserData"] == base64.b64encode(HostHardening().compress()).decode()
    assert "KeyName" not in found
    assert "SecurityGroupIds" not in found
    assert found["NetworkInterfaces"] == [
        {
            "AssociatePublicIpAddress": False,
            "DeviceIndex": 0,
            "Groups": [stack.resolve(template.security_group.security_group_id)],
        }
    ]
    assert "LaunchTemplateName" not in resource(stack)["Properties"]


def test_a_plain_launch_template_is_open(stack: cdk.Stack) -> None:
    """The negative control: what CDK writes without this class."""
    ec2.LaunchTemplate(
        stack,
        "Template",
        instance_type=ec2.InstanceType("t4g.small"),
        machine_image=ec2.MachineImage.latest_amazon_linux2023(),
    )
    assert not {"MetadataOptions", "BlockDeviceMappings", "DisableApiStop", "Monitoring"} & {
        *data(stack)
    }


def test_the_group_and_the_role_are_closed(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    HardenedLaunchTemplate(stack, "Template", vpc=vpc)
    template = Template.from_stack(stack)
    template.has_resource_properties(
        "AWS::EC2::SecurityGroup",
        {"GroupDescription": "Hardened EC2 instance", "SecurityGroupIngress": Match.absent()},
    )
    template.has_resource_properties(
        "AWS::EC2::SecurityGroupEgress", {"Description": "AWS services through VPC endpoints"}
    )
    template.has_resource_properties(
        "AWS::IAM::ManagedPolicy",
        {
            "PolicyDocument": {
                "Statement": [{"Action": Match.array_with(["ssmmessages:OpenDataChannel"])}]
            }
        },
    )


def test_tags_reach_the_servers_and_their_volumes(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    template = HardenedLaunchTemplate(stack, "Template", vpc=vpc)
    cdk.Tags.of(template).add("team", "shop")
    specifications = data(stack)["TagSpecifications"]
    assert {each["ResourceType"] for each in specifications} == {"instance", "volume"}
    for each in specifications:
        assert {"Key": "team", "Value": "shop"} in each["Tags"]


def test_commands_run_after_the_hardening(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    commands = ec2.UserData.for_linux()
    commands.add_commands("echo first")
    template = HardenedLaunchTemplate(stack, "Template", vpc=vpc, user_data=commands)
    assert template.user_data is not None
    template.user_data.add_commands(f"echo {stack.region}")
    text = text_of(data(stack)["UserData"])
    assert 0 < text.index("#cloud-boothook") < text.index("echo first")
    assert text.index("echo first") < text.index("echo <AWS::Region>")


def test_an_image_that_carries_the_hardening_needs_none_at_boot(
    stack: cdk.Stack, vpc: HardenedVpc
) -> None:
    template = HardenedLaunchTemplate(stack, "Template", vpc=vpc, host_hardening=None)
    assert template.hardens_at_boot is False
    assert template.user_data is not None
    template.user_data.add_commands("echo mine")
    assert text_of(data(stack)["UserData"]) == "#!/bin/bash\necho mine"


def test_containers_get_a_second_hop_and_declare_it(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    HardenedLaunchTemplate(stack, "Template", vpc=vpc, imds=Imds.for_containers())
    assert data(stack)["MetadataOptions"]["HttpPutResponseHopLimit"] == 2
    assert resource(stack)["Metadata"]["hardened-ec2"] == {"containers": True}


def test_a_disabled_metadata_service_is_said_to_need_a_hardened_image(
    stack: cdk.Stack, vpc: HardenedVpc
) -> None:
    template = HardenedLaunchTemplate(stack, "Template", vpc=vpc, imds=Imds.disabled())
    found = data(stack)
    assert found["MetadataOptions"]["HttpEndpoint"] == "disabled"
    assert found["MetadataOptions"]["HttpTokens"] == "required"
    assert "UserData" not in found
    assert template.hardens_at_boot is False
    Annotations.from_stack(stack).has_warning(
        "/Stack/Template", Match.string_like_regexp("no hardening reaches the host at boot")
    )


def test_a_public_address_is_only_had_on_request(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    HardenedLaunchTemplate(stack, "Template", vpc=vpc, associate_public_ip_address=True)
    (interface,) = data(stack)["NetworkInterfaces"]
    assert interface["AssociatePublicIpAddress"] is True


def test_protection_can_be_left_to_who_launches(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    HardenedLaunchTemplate(
        stack, "Template", vpc=vpc, disable_api_termination=False, disable_api_stop=False
    )
    found = data(stack)
    assert (found["DisableApiTermination"], found["DisableApiStop"]) == (False, False)


def test_its_own_group_role_key_and_image_are_used(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    group = LockedSecurityGroup(stack, "Group", vpc=vpc, description="Mine")
    role = iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"))
    key = kms.Key(stack, "Key")
    template = HardenedLaunchTemplate(
        stack,
        "Template",
        vpc=vpc,
        instance_type=ec2.InstanceType("m7i.large"),
        machine_image=ec2.MachineImage.generic_linux({"eu-west-1": "ami-0123456789abcdef0"}),
        root_device_name="/dev/sda1",
        root_volume_size=32,
        encryption_key=key,
        security_group=group,
        role=role,
        ssh=SshAccess.from_cidrs("203.0.113.7"),
        key_pair=ec2.KeyPair.from_key_pair_name(stack, "KeyPair", "mine"),
        launch_template_name="shop",
        version_description="First",
        detailed_monitoring=False,
    )
    assert template.server_role is role
    found = data(stack)
    assert found["BlockDeviceMappings"] == [
        {
            "DeviceName": "/dev/sda1",
            "Ebs": {
                "Encrypted": True,
                "KmsKeyId": stack.resolve(key.key_arn),
                "VolumeSize": 32,
                "VolumeType": "gp3",
            },
        }
    ]
    assert found["NetworkInterfaces"][0]["Groups"] == [stack.resolve(group.security_group_id)]
    assert found["KeyName"] == "mine"
    assert found["Monitoring"] == {"Enabled": False}
    assert found["InstanceType"] == "m7i.large"
    assert resource(stack)["Properties"]["LaunchTemplateName"] == "shop"
    Template.from_stack(stack).has_resource_properties(
        "AWS::EC2::SecurityGroup",
        {"SecurityGroupIngress": [{"CidrIp": "203.0.113.7/32", "FromPort": 22, "ToPort": 22}]},
    )


def test_the_keys_of_all_volumes_are_known_once(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    one, two = kms.Key(stack, "One"), kms.Key(stack, "Two")
    volumes = [
        ec2.BlockDevice(
            device_name=name,
            volume=ec2.BlockDeviceVolume.ebs(8, encrypted=True, kms_key=key),
        )
        for name, key in (("/dev/sdf", two), ("/dev/sdg", one), ("/dev/sdh", None))
    ]
    template = HardenedLaunchTemplate(
        stack, "Template", vpc=vpc, encryption_key=one, block_devices=volumes
    )
    assert template.encryption_keys == (one, two)


def test_user_data_over_the_limit_is_refused_with_the_sizes(
    app: cdk.App, stack: cdk.Stack, vpc: HardenedVpc
) -> None:
    template = HardenedLaunchTemplate(stack, "Template", vpc=vpc)
    assert template.user_data is not None
    template.user_data.add_commands("echo " + "x" * 16_000)
    with pytest.raises(RuntimeError, match=r"\[Stack/Template\] user data has [\d,]+ bytes"):
        app.synth()


def test_logical_ids_are_part_of_the_contract(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    template = HardenedLaunchTemplate(stack, "Template", vpc=vpc)
    assert stack.resolve(template.launch_template_id) == {"Ref": "Template576A9730"}


@pytest.mark.parametrize(
    ("props", "says"),
    [
        ({"ssh": "203.0.113.7"}, r"ssh is '203.0.113.7': write ssh=SshAccess.from_cidrs"),
        ({"imds": "v2"}, r"imds is 'v2': write imds=Imds\(\), Imds.for_containers\(\)"),
        ({"host_hardening": True}, r"host_hardening is True: write host_hardening=HostHardening"),
        ({"root_volume_size": 0}, r"root_volume_size is 0: write a size in GiB"),
        (
            {"imds": Imds.disabled(), "host_hardening": HostHardening(imds_users=("app",))},
            r"imds=Imds.disabled\(\) is given with host_hardening, .* leave host_hardening out",
        ),
        ({"block_devices": ["/dev/sdf"]}, r"block_devices contains '/dev/sdf': write ec2.Block"),
        (
            {
                "block_devices": [
                    ec2.BlockDevice(device_name="/dev/sdf", volume=ec2.BlockDeviceVolume.ebs(8))
                ]
            },
            r"'/dev/sdf' has encrypted=None: write ec2.BlockDeviceVolume.ebs\(size, encrypted=True",
        ),
        (
            {"machine_image": ec2.MachineImage.generic_linux({"eu-west-1": "ami-1"})},
            r"cannot tell the root device of a GenericLinuxImage image: write root_dev",
        ),
        (
            {"user_data": ec2.MultipartUserData()},
            r"write user_data=ec2.UserData.for_linux\(\) with the",
        ),
    ],
)
def test_wrong_props_are_refused_and_leave_nothing_behind(
    stack: cdk.Stack, vpc: HardenedVpc, props: dict[str, Any], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        HardenedLaunchTemplate(stack, "Template", vpc=vpc, **props)
    assert not [child for child in stack.node.children if child.node.id.startswith("Template")]


def test_what_cdk_itself_refuses_leaves_nothing_behind(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    with pytest.raises(RuntimeError, match="versionDescription must be less than"):
        HardenedLaunchTemplate(stack, "Template", vpc=vpc, version_description="x" * 256)
    assert not [child for child in stack.node.children if child.node.id.startswith("Template")]
