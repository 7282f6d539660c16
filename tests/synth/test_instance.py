"""HardenedInstance: what one call writes, and what it refuses."""

import base64
import json
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk.assertions import Annotations, Match, Template
from constructs import Construct

from hardened_ec2 import (
    HardenedInstance,
    HardenedVpc,
    HostHardening,
    Imds,
    LockedSecurityGroup,
    SshAccess,
)
from tests.synth.user_data import text_of

PUBLIC = ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC)


def instance_properties(stack: cdk.Stack) -> dict[str, Any]:
    (resource,) = Template.from_stack(stack).find_resources("AWS::EC2::Instance").values()
    properties: dict[str, Any] = resource["Properties"]
    return properties


def user_data_text(stack: cdk.Stack) -> str:
    return text_of(instance_properties(stack)["UserData"])


def test_the_defaults_lock_everything(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    server = HardenedInstance(stack, "Server", vpc=vpc)
    assert isinstance(server, ec2.Instance)
    properties = instance_properties(stack)
    assert properties["MetadataOptions"] == {
        "HttpEndpoint": "enabled",
        "HttpProtocolIpv6": "disabled",
        "HttpPutResponseHopLimit": 1,
        "HttpTokens": "required",
        "InstanceMetadataTags": "disabled",
    }
    assert properties["BlockDeviceMappings"] == [
        {
            "DeviceName": "/dev/xvda",
            "Ebs": {"Encrypted": True, "VolumeSize": 16, "VolumeType": "gp3"},
        }
    ]
    assert properties["EbsOptimized"] is True
    assert properties["Monitoring"] is True
    assert properties["DisableApiTermination"] is True
    assert properties["InstanceType"] == "t4g.small"
    assert "KeyName" not in properties
    assert "NetworkInterfaces" not in properties
    assert properties["SubnetId"] == stack.resolve(vpc.isolated_subnets[0].subnet_id)
    assert properties["SecurityGroupIds"] == [
        stack.resolve(server.security_group.security_group_id)
    ]
    delivered = base64.b64encode(HostHardening().compress()).decode()
    assert properties["UserData"] == delivered
    template = Template.from_stack(stack)
    template.resource_count_is("AWS::EC2::LaunchTemplate", 0)
    template.has_resource_properties(
        "AWS::EC2::SecurityGroup",
        {"GroupDescription": "Hardened EC2 instance", "SecurityGroupIngress": Match.absent()},
    )


def test_a_plain_instance_is_open(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    """The negative control: what CDK writes without this class."""
    ec2.Instance(
        stack,
        "Server",
        vpc=vpc,
        vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED),
        instance_type=ec2.InstanceType("t4g.small"),
        machine_image=ec2.MachineImage.latest_amazon_linux2023(),
    )
    properties = instance_properties(stack)
    for name in ("MetadataOptions", "BlockDeviceMappings", "DisableApiTermination", "Monitoring"):
        assert name not in properties


@pytest.mark.parametrize(
    ("instance_type", "architecture"), [("t4g.small", "arm64"), ("m7i.large", "x86_64")]
)
def test_the_default_image_fits_the_architecture(
    stack: cdk.Stack, vpc: HardenedVpc, instance_type: str, architecture: str
) -> None:
    HardenedInstance(stack, "Server", vpc=vpc, instance_type=ec2.InstanceType(instance_type))
    assert architecture in instance_properties(stack)["ImageId"]["Ref"].lower().replace(
        "x8664", "x86_64"
    )


def test_ids_never_collide(app: cdk.App, vpc: HardenedVpc) -> None:
    stacks = [cdk.Stack(app, name) for name in ("One", "Two")]
    for stack in stacks:
        HardenedInstance(stack, "First", vpc=vpc)
        HardenedInstance(stack, "Second", vpc=vpc)
    for stack in stacks:
        template = Template.from_stack(stack)
        template.resource_count_is("AWS::EC2::Instance", 2)
        # No physical name, so that two stacks can live in one account.
        for resource in template.to_json()["Resources"].values():
            names = {"GroupName", "RoleName", "InstanceProfileName", "ManagedPolicyName"}
            assert not names & set(resource.get("Properties", {}))


def test_logical_ids_are_part_of_the_contract(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    """A changed id replaces servers that are running, so it must not change unseen."""
    server = HardenedInstance(stack, "Server", vpc=vpc)
    assert stack.resolve(server.instance_id) == {"Ref": "Server7E7D21FA"}
    group = server.security_group.node.default_child
    assert isinstance(group, cdk.CfnResource)
    assert stack.resolve(group.ref) == {"Ref": "ServerAccessSecurityGroup4DACB9B1"}


def test_the_same_app_renders_the_same_bytes() -> None:
    def render() -> str:
        app = cdk.App(builtin_cloud_formation_validation=False)
        stack = cdk.Stack(app, "Stack")
        HardenedInstance(stack, "Server", vpc=HardenedVpc(stack, "Vpc"))
        return json.dumps(Template.from_stack(stack).to_json())

    assert render() == render()


def test_containers_get_a_second_hop_and_declare_it(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    HardenedInstance(stack, "Server", vpc=vpc, imds=Imds.for_containers())
    Template.from_stack(stack).has_resource(
        "AWS::EC2::Instance",
        {
            "Properties": {
                "MetadataOptions": {"HttpPutResponseHopLimit": 2, "HttpTokens": "required"}
            },
            "Metadata": {"hardened-ec2": {"containers": True}},
        },
    )


def test_a_disabled_metadata_service_is_said_to_need_a_hardened_image(
    stack: cdk.Stack, vpc: HardenedVpc
) -> None:
    HardenedInstance(stack, "Server", vpc=vpc, imds=Imds.disabled())
    options = instance_properties(stack)["MetadataOptions"]
    assert (options["HttpEndpoint"], options["HttpTokens"]) == ("disabled", "required")
    assert "cloud-boothook" not in json.dumps(instance_properties(stack))
    Annotations.from_stack(stack).has_warning(
        "/Stack/Server", Match.string_like_regexp("no hardening reaches the host at boot")
    )


def test_own_commands_run_after_the_hardening(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    server = HardenedInstance(stack, "Server", vpc=vpc)
    server.user_data.add_commands("systemctl enable --now web", f"echo {stack.region}")
    server.add_user_data("echo last")
    text = user_data_text(stack)
    assert 0 < text.index("#cloud-boothook") < text.index("systemctl enable --now web")
    assert text.index("systemctl") < text.index("echo <AWS::Region>") < text.index("echo last")
    assert "text/x-shellscript" in text


def test_own_user_data_is_taken_along(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    commands = ec2.UserData.for_linux(shebang="#!/bin/sh")
    commands.add_commands("echo mine")
    server = HardenedInstance(stack, "Server", vpc=vpc, user_data=commands)
    server.user_data.add_on_exit_commands("echo bye")
    text = user_data_text(stack)
    assert text.index("#!/bin/sh\n") < text.index("echo bye") < text.index("echo mine")


def test_an_image_that_carries_the_hardening_needs_none_at_boot(
    stack: cdk.Stack, vpc: HardenedVpc
) -> None:
    server = HardenedInstance(stack, "Server", vpc=vpc, host_hardening=None)
    server.user_data.add_commands("echo mine")
    assert user_data_text(stack) == "#!/bin/bash\necho mine"


def test_changed_hardening_changes_the_user_data_of_the_same_instance(
    stack: cdk.Stack, vpc: HardenedVpc
) -> None:
    """The logical id stays, so CloudFormation restarts the instance and the boothook runs."""
    HardenedInstance(stack, "One", vpc=vpc)
    HardenedInstance(stack, "Two", vpc=vpc, host_hardening=HostHardening(imds_users=("app",)))
    one, two = Template.from_stack(stack).find_resources("AWS::EC2::Instance").values()
    assert one["Properties"]["UserData"] != two["Properties"]["UserData"]


def test_replacement_changes_the_logical_id_with_the_user_data() -> None:
    def logical_id(command: str) -> str:
        stack = cdk.Stack(cdk.App(builtin_cloud_formation_validation=False), "Stack")
        server = HardenedInstance(
            stack,
            "Server",
            vpc=HardenedVpc(stack, "Vpc"),
            user_data_causes_replacement=True,
            disable_api_termination=False,
        )
        server.user_data.add_commands(command)
        (logical_id,) = Template.from_stack(stack).find_resources("AWS::EC2::Instance")
        return logical_id

    assert logical_id("echo one") == logical_id("echo one")
    assert logical_id("echo one") != logical_id("echo two")


def test_ssh_opens_port_22_and_nothing_else(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    HardenedInstance(stack, "Server", vpc=vpc, ssh=SshAccess.from_cidrs("203.0.113.7"))
    Template.from_stack(stack).has_resource_properties(
        "AWS::EC2::SecurityGroup",
        {
            "GroupDescription": "Hardened EC2 instance",
            "SecurityGroupIngress": [
                {
                    "CidrIp": "203.0.113.7/32",
                    "Description": "SSH from a whitelisted address",
                    "FromPort": 22,
                    "IpProtocol": "tcp",
                    "ToPort": 22,
                }
            ],
        },
    )


def test_a_limit_raised_for_ssh_holds_for_the_group(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    HardenedInstance(
        stack, "Server", vpc=vpc, ssh=SshAccess.from_cidrs("10.0.0.0/8", max_addresses=2**24)
    )
    assert "10.0.0.0/8" in json.dumps(Template.from_stack(stack).to_json())


def test_a_hardened_vpc_lets_its_server_reach_the_endpoints(
    stack: cdk.Stack, vpc: HardenedVpc
) -> None:
    server = HardenedInstance(stack, "Server", vpc=vpc)
    Template.from_stack(stack).has_resource_properties(
        "AWS::EC2::SecurityGroupEgress",
        {
            "GroupId": stack.resolve(server.security_group.security_group_id),
            "FromPort": 443,
            "ToPort": 443,
            "Description": "AWS services through VPC endpoints",
        },
    )


@pytest.mark.parametrize("wanted", [True, False])
def test_a_public_address_is_only_had_on_request(stack: cdk.Stack, *, wanted: bool) -> None:
    HardenedInstance(
        stack,
        "Server",
        vpc=HardenedVpc(stack, "Vpc", public_subnets=True),
        vpc_subnets=PUBLIC,
        associate_public_ip_address=wanted,
    )
    (interface,) = instance_properties(stack)["NetworkInterfaces"]
    assert interface["AssociatePublicIpAddress"] is wanted


def test_a_name_an_address_and_the_source_check_can_be_given(
    stack: cdk.Stack, vpc: HardenedVpc
) -> None:
    HardenedInstance(
        stack,
        "Server",
        vpc=vpc,
        instance_name="nat",
        private_ip_address="10.0.0.10",
        source_dest_check=False,
    )
    properties = instance_properties(stack)
    assert {"Key": "Name", "Value": "nat"} in properties["Tags"]
    assert properties["PrivateIpAddress"] == "10.0.0.10"
    assert properties["SourceDestCheck"] is False


def test_subnets_given_by_hand_get_no_public_address_either(stack: cdk.Stack) -> None:
    """Whether they hand out addresses cannot be seen, so it is written out."""
    vpc = ec2.Vpc(stack, "Plain", nat_gateways=0)
    HardenedInstance(
        stack, "Server", vpc=vpc, vpc_subnets=ec2.SubnetSelection(subnets=vpc.public_subnets)
    )
    (interface,) = instance_properties(stack)["NetworkInterfaces"]
    assert interface["AssociatePublicIpAddress"] is False


def test_a_vpc_of_someone_elses_works(stack: cdk.Stack) -> None:
    vpc = ec2.Vpc.from_vpc_attributes(
        stack,
        "Theirs",
        vpc_id="vpc-1",
        availability_zones=["eu-west-1a"],
        private_subnet_ids=["subnet-1"],
    )
    HardenedInstance(stack, "Server", vpc=vpc)
    assert instance_properties(stack)["SubnetId"] == "subnet-1"


def test_volumes_use_the_key_that_is_given(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    key = kms.Key(stack, "Key")
    HardenedInstance(
        stack,
        "Server",
        vpc=vpc,
        encryption_key=key,
        root_volume_size=32,
        block_devices=[
            ec2.BlockDevice(
                device_name="/dev/sdf", volume=ec2.BlockDeviceVolume.ebs(100, encrypted=True)
            ),
            ec2.BlockDevice(device_name="/dev/sdg", volume=ec2.BlockDeviceVolume.ephemeral(0)),
        ],
    )
    root, data, scratch = instance_properties(stack)["BlockDeviceMappings"]
    assert root["Ebs"]["KmsKeyId"] == stack.resolve(key.key_arn)
    assert root["Ebs"]["VolumeSize"] == 32
    assert data["Ebs"]["Encrypted"] is True
    assert scratch["VirtualName"] == "ephemeral0"


def test_other_images_name_their_root_device(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    image = ec2.MachineImage.generic_linux({"eu-west-1": "ami-0123456789abcdef0"})
    with pytest.raises(
        ValueError,
        match=r"cannot tell the root device of a GenericLinuxImage image: write root_dev",
    ):
        HardenedInstance(stack, "Server", vpc=vpc, machine_image=image)
    HardenedInstance(stack, "Server", vpc=vpc, machine_image=image, root_device_name="/dev/sda1")
    (root,) = instance_properties(stack)["BlockDeviceMappings"]
    assert root["DeviceName"] == "/dev/sda1"


def test_own_group_role_and_key_pair_are_used(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    group = LockedSecurityGroup(stack, "Group", vpc=vpc, description="Mine")
    role = iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"))
    HardenedInstance(
        stack,
        "Server",
        vpc=vpc,
        security_group=group,
        role=role,
        key_pair=ec2.KeyPair.from_key_pair_name(stack, "Key", "mine"),
    )
    properties = instance_properties(stack)
    assert properties["SecurityGroupIds"] == [stack.resolve(group.security_group_id)]
    assert properties["KeyName"] == "mine"
    Template.from_stack(stack).resource_properties_count_is(
        "AWS::EC2::SecurityGroup", {"GroupDescription": "Hardened EC2 instance"}, 0
    )


@pytest.mark.parametrize(
    ("props", "says"),
    [
        (
            {"user_data_causes_replacement": True},
            r"with termination protection, which .* write disable_api_termination=False as well",
        ),
        ({"associate_public_ip_address": True}, r"given without vpc_subnets: write vpc_subnets="),
        ({"ssh": "203.0.113.7"}, r"ssh is '203.0.113.7': write ssh=SshAccess.from_cidrs"),
        ({"ssh": None}, r"ssh is None: write ssh=SshAccess"),
        ({"imds": "v2"}, r"imds is 'v2': write imds=Imds\(\), Imds.for_containers\(\)"),
        ({"host_hardening": True}, r"host_hardening is True: write host_hardening=HostHardening"),
        ({"vpc_subnets": "public"}, r"vpc_subnets is 'public': write vpc_subnets=ec2.SubnetSel"),
        ({"root_volume_size": 0}, r"root_volume_size is 0: write a size in GiB"),
        (
            {"imds": Imds.disabled(), "host_hardening": HostHardening(imds_users=("app",))},
            r"imds=Imds.disabled\(\) is given with host_hardening, .* leave host_hardening out",
        ),
        ({"block_devices": ["/dev/sdf"]}, r"block_devices contains '/dev/sdf': write ec2.Block"),
        (
            {"security_group": "sg-1"},
            r"security_group is 'sg-1': write security_group=LockedSecurityGroup\(.* leave sec",
        ),
    ],
)
def test_wrong_props_are_refused_and_leave_nothing_behind(
    stack: cdk.Stack, vpc: HardenedVpc, props: dict[str, Any], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        HardenedInstance(stack, "Server", vpc=vpc, **props)
    assert not [child for child in stack.node.children if child.node.id.startswith("Server")]


@pytest.mark.parametrize("encrypted", [None, False])
def test_an_unencrypted_data_volume_is_refused(
    stack: cdk.Stack, vpc: HardenedVpc, *, encrypted: bool | None
) -> None:
    volume = ec2.BlockDeviceVolume.ebs(100, encrypted=encrypted)
    with pytest.raises(ValueError, match=r"'/dev/sdf' has encrypted=.*ebs\(size, encrypted=True\)"):
        HardenedInstance(
            stack,
            "Server",
            vpc=vpc,
            block_devices=[ec2.BlockDevice(device_name="/dev/sdf", volume=volume)],
        )


def test_a_device_named_twice_is_refused(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    device = ec2.BlockDevice(
        device_name="/dev/sdf", volume=ec2.BlockDeviceVolume.ebs(100, encrypted=True)
    )
    with pytest.raises(ValueError, match="names '/dev/sdf' twice"):
        HardenedInstance(stack, "Server", vpc=vpc, block_devices=[device, device])


def test_a_vpc_without_private_subnets_is_refused_not_fallen_back_from(stack: cdk.Stack) -> None:
    vpc = ec2.Vpc(
        stack,
        "Open",
        subnet_configuration=[
            ec2.SubnetConfiguration(name="Public", subnet_type=ec2.SubnetType.PUBLIC)
        ],
    )
    with pytest.raises(ValueError, match=r"VPC Stack/Open has no private subnet: write HardenedV"):
        HardenedInstance(stack, "Server", vpc=vpc)


def test_what_cdk_itself_refuses_leaves_nothing_behind(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    with pytest.raises(RuntimeError, match=r"you must select Public subnets|no 'Public' subnet"):
        HardenedInstance(
            stack, "Server", vpc=vpc, vpc_subnets=PUBLIC, associate_public_ip_address=True
        )
    assert not [child for child in stack.node.children if child.node.id.startswith("Server")]


def test_an_imported_group_is_used(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    group = ec2.SecurityGroup.from_security_group_id(stack, "Imported", "sg-0123456789abcdef0")
    HardenedInstance(stack, "Server", vpc=vpc, security_group=group)
    assert instance_properties(stack)["SecurityGroupIds"] == ["sg-0123456789abcdef0"]


def test_a_server_in_place_of_its_group_is_refused(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    other: Any = HardenedInstance(stack, "Other", vpc=vpc)
    with pytest.raises(ValueError, match=r"security_group is <hardened_ec2.*>: write security_gro"):
        HardenedInstance(stack, "Server", vpc=vpc, security_group=other)
    assert not [child for child in stack.node.children if child.node.id.startswith("Server")]


@pytest.mark.parametrize("wrong", [None, 5])
def test_a_scope_or_id_of_another_type_is_refused_by_its_name(
    stack: cdk.Stack,
    vpc: HardenedVpc,
    wrong: Any,  # noqa: ANN401
) -> None:
    with pytest.raises(TypeError, match=r"argument scope must be constructs\.Construct"):
        HardenedInstance(wrong, "Server", vpc=vpc)
    with pytest.raises(TypeError, match="argument id must be str"):
        HardenedInstance(stack, wrong, vpc=vpc)
    assert {each.node.id for each in stack.node.children} & {f"{wrong}Access", f"{wrong}"} == set()


def test_an_id_that_is_taken_is_refused_and_its_construct_stays(
    stack: cdk.Stack, vpc: HardenedVpc
) -> None:
    for taken in ("Server", "ServerAccess"):
        Construct(stack, taken)
        with pytest.raises(RuntimeError, match=f"already a Construct with name '{taken}'"):
            HardenedInstance(stack, "Server", vpc=vpc)
        assert {each.node.id for each in stack.node.children} & {"Server", "ServerAccess"} == {
            taken
        }
        stack.node.try_remove_child(taken)


def test_multipart_commands_are_refused(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    with pytest.raises(ValueError, match=r"must be the first part of .*: write user_data="):
        HardenedInstance(stack, "Server", vpc=vpc, user_data=ec2.MultipartUserData())


def test_commands_for_windows_are_refused(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    with pytest.raises(ValueError, match=r"write '#!/bin/bash' as the first line"):
        HardenedInstance(stack, "Server", vpc=vpc, user_data=ec2.UserData.for_windows())
    assert not [child for child in stack.node.children if child.node.id.startswith("Server")]


def test_commands_may_have_any_letters_and_tokens(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    server = HardenedInstance(stack, "Server", vpc=vpc)
    server.user_data.add_commands(f"echo naïve {stack.region}")
    assert "naïve" in json.dumps(instance_properties(stack)["UserData"], ensure_ascii=False)
    assert "Content-Transfer-Encoding: base64" in user_data_text(stack)


def test_user_data_over_the_limit_is_refused_with_the_sizes(
    app: cdk.App, stack: cdk.Stack, vpc: HardenedVpc
) -> None:
    server = HardenedInstance(stack, "Server", vpc=vpc)
    server.user_data.add_commands("echo " + "x" * 16_000)
    core = len(HostHardening().compress())
    with pytest.raises(
        RuntimeError,
        match=rf"\[Stack/Server\] user data has [\d,]+ bytes \({core:,} of hardening, 16,\d\d\d of "
        r"your commands\), and 16,384 are allowed: bake the commands into the image",
    ):
        app.synth()


def test_user_data_below_the_limit_is_not(app: cdk.App, stack: cdk.Stack, vpc: HardenedVpc) -> None:
    server = HardenedInstance(stack, "Server", vpc=vpc)
    server.user_data.add_commands(f"echo {'x' * 1_000} {stack.region}")
    app.synth()
    Annotations.from_stack(stack).has_info(
        "/Stack/Server",
        Match.string_like_regexp(
            r"user data: \d\d,\d{3} of 16,384 bytes, \d,\d{3} left for your commands"
        ),
    )


def stated_sizes(stack: cdk.Stack) -> list[str]:
    infos = Annotations.from_stack(stack).find_info("*", Match.any_value())
    return [str(info.entry.data) for info in infos if "user data: " in str(info.entry.data)]


def test_the_size_is_stated_once_with_or_without_commands(
    app: cdk.App, stack: cdk.Stack, vpc: HardenedVpc
) -> None:
    HardenedInstance(stack, "Bare", vpc=vpc)
    with_commands = HardenedInstance(stack, "Server", vpc=vpc)
    with_commands.user_data.add_commands(*(f"echo {number} {number**9}" for number in range(99)))
    with_commands.user_data.add_commands("true")
    app.synth()
    without, more = sorted(stated_sizes(stack))
    assert without != more


def test_what_was_stated_of_a_server_with_commands_is_stated_of_the_next_one(
    app: cdk.App, stack: cdk.Stack, vpc: HardenedVpc
) -> None:
    HardenedInstance(stack, "Server", vpc=vpc).user_data.add_commands("true")
    HardenedInstance(stack, "Bare", vpc=vpc)
    app.synth()
    assert len(set(stated_sizes(stack))) == 2


def test_commands_that_come_late_are_in_the_template(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    server = HardenedInstance(stack, "Server", vpc=vpc)
    before = server.instance.user_data
    server.user_data.add_commands("systemctl enable --now late")
    assert server.instance.user_data != before
    assert "enable --now late" in user_data_text(stack)
