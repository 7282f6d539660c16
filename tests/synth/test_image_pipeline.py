"""HardenedImage as template: closed servers that build, an encrypted AMI, and who knows it."""

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_events as events
from aws_cdk import aws_kms as kms
from aws_cdk.assertions import Match, Template

from hardened_ec2 import (
    HardenedAutoScalingGroup,
    HardenedImage,
    HardenedInstance,
    HardenedLaunchTemplate,
    HardenedMachineImage,
    HardenedVpc,
    HostHardening,
    Imds,
    InterfaceEndpoints,
)
from hardened_ec2.host.delivery import digest
from hardened_ec2.host.image_component import build_component, check_component
from tests.host.boot import boothook_of
from tests.synth.findings import errors, findings

STRICT = HostHardening(profile="strict")
AMI = HardenedMachineImage(image_id="ami-0123456789abcdef0", host_hardening=STRICT)


@pytest.fixture
def builders(stack: cdk.Stack) -> HardenedVpc:
    return HardenedVpc(
        stack,
        "Builders",
        interface_endpoints=(*InterfaceEndpoints.IMAGE_BUILDER, "autoscaling"),
        s3_prefix_list_id="pl-0123456789abcdef0",
    )


def only(stack: cdk.Stack, kind: str) -> dict[str, Any]:
    found = Template.from_stack(stack).find_resources(f"AWS::{kind}")
    (resource,) = found.values()
    return dict(resource["Properties"])


def user_data(stack: cdk.Stack, kind: str = "EC2::Instance") -> str:
    properties = only(stack, kind)
    encoded = properties.get("UserData") or properties["LaunchTemplateData"]["UserData"]
    return gzip.decompress(base64.b64decode(encoded)).decode()


def documents(stack: cdk.Stack) -> list[dict[str, Any]]:
    """Read the documents of the components as they would be uploaded."""
    assembly = Path(cdk.App.of(stack).outdir)  # type: ignore[union-attr]
    components = Template.from_stack(stack).find_resources("AWS::ImageBuilder::Component")
    names = [
        each["Properties"]["Uri"]["Fn::Sub"].rpartition("/")[2] for each in components.values()
    ]
    return [json.loads((assembly / f"asset.{name}").read_text("utf-8")) for name in names]


def test_its_components_are_those_of_the_hardening(stack: cdk.Stack, builders: HardenedVpc) -> None:
    HardenedImage(stack, "Image", vpc=builders, host_hardening=STRICT)
    wanted = [build_component(STRICT), check_component(STRICT)]
    found = documents(stack)
    assert sorted(found, key=str) == sorted(json.loads(json.dumps(wanted)), key=str)


def test_the_hardening_comes_after_what_is_installed(
    stack: cdk.Stack, builders: HardenedVpc
) -> None:
    mine = "arn:aws:imagebuilder:eu-west-1:123456789012:component/nginx/1.0.0/1"
    HardenedImage(stack, "Image", vpc=builders, components=[mine])
    arns = [each["ComponentArn"] for each in only(stack, "ImageBuilder::ImageRecipe")["Components"]]
    assert arns[0] == mine
    assert [str(arn["Fn::GetAtt"][0])[:10] for arn in arns[1:]] == ["ImageBuild", "ImageTestC"]


def test_servers_that_build_are_closed(stack: cdk.Stack, builders: HardenedVpc) -> None:
    image = HardenedImage(stack, "Image", vpc=builders)
    infrastructure = only(stack, "ImageBuilder::InfrastructureConfiguration")
    assert infrastructure["InstanceMetadataOptions"] == {
        "HttpTokens": "required",
        "HttpPutResponseHopLimit": 1,
    }
    assert infrastructure["TerminateInstanceOnFailure"] is True
    assert "KeyPair" not in infrastructure
    assert len(infrastructure["SecurityGroupIds"]) == 1
    assert "PrivateSubnet" in str(infrastructure["SubnetId"])
    group = stack.resolve(image.security_group.security_group_id)["Fn::GetAtt"][0]
    template = Template.from_stack(stack)
    properties = template.find_resources("AWS::EC2::SecurityGroup")[group]["Properties"]
    assert "SecurityGroupIngress" not in properties
    ingress = template.find_resources("AWS::EC2::SecurityGroupIngress")
    assert not [each for each in ingress.values() if group in str(each["Properties"]["GroupId"])]


def test_the_role_may_do_what_building_takes_and_no_more(
    stack: cdk.Stack, builders: HardenedVpc
) -> None:
    HardenedImage(stack, "Image", vpc=builders)
    policies = Template.from_stack(stack).find_resources(
        "AWS::IAM::ManagedPolicy",
        {"Properties": {"Description": "What building and testing an image takes"}},
    )
    (policy,) = policies.values()
    statements = policy["Properties"]["PolicyDocument"]["Statement"]
    allowed = [
        (action, statement["Resource"])
        for statement in statements
        for action in [statement["Action"]]
    ]
    assert [action for action, _ in allowed[1:]] == [
        "imagebuilder:GetComponent",
        "s3:GetObject",
        ["logs:CreateLogStream", "logs:PutLogEvents"],
    ]
    assert allowed[0][1] == "*"
    assert all(action.startswith(("ssm:", "ssmmessages:")) for action in allowed[0][0])
    assert all(resource != "*" for _, resource in allowed[1:])


def test_the_ami_is_encrypted_and_for_nobody_else(stack: cdk.Stack, builders: HardenedVpc) -> None:
    key = kms.Key(stack, "Key")
    HardenedImage(stack, "Image", vpc=builders, encryption_key=key)
    (mapping,) = only(stack, "ImageBuilder::ImageRecipe")["BlockDeviceMappings"]
    assert mapping["DeviceName"] == "/dev/xvda"
    assert mapping["Ebs"]["Encrypted"] is True
    assert mapping["Ebs"]["KmsKeyId"] == stack.resolve(key.key_arn)
    (distribution,) = only(stack, "ImageBuilder::DistributionConfiguration")["Distributions"]
    ami = distribution["AmiDistributionConfiguration"]
    assert ami["KmsKeyId"] == stack.resolve(key.key_arn)
    assert "LaunchPermissionConfiguration" not in ami
    assert "TargetAccountIds" not in ami


def test_images_are_tested_and_their_log_is_encrypted(
    stack: cdk.Stack, builders: HardenedVpc
) -> None:
    every = events.Schedule.rate(cdk.Duration.days(7))
    image = HardenedImage(stack, "Image", vpc=builders, schedule=every)
    assert image.machine_image is image.machine_image
    pipeline = only(stack, "ImageBuilder::ImagePipeline")
    built = only(stack, "ImageBuilder::Image")
    for each in (pipeline, built):
        assert each["ImageTestsConfiguration"]["ImageTestsEnabled"] is True
    assert pipeline["Schedule"]["ScheduleExpression"] == "rate(7 days)"
    template = Template.from_stack(stack)
    template.has_resource_properties(
        "AWS::Logs::LogGroup",
        {
            "LogGroupName": Match.string_like_regexp("^/aws/imagebuilder/"),
            "KmsKeyId": Match.any_value(),
        },
    )
    template.has_resource("AWS::ImageBuilder::Image", {"UpdateReplacePolicy": "Retain"})


def test_the_key_of_the_log_can_be_given(stack: cdk.Stack, builders: HardenedVpc) -> None:
    key = kms.Key(stack, "Logs", enable_key_rotation=True)
    HardenedImage(stack, "Image", vpc=builders, host_hardening=STRICT, log_encryption_key=key)
    Template.from_stack(stack).has_resource_properties(
        "AWS::Logs::LogGroup",
        {
            "LogGroupName": Match.string_like_regexp("^/aws/imagebuilder/"),
            "KmsKeyId": stack.resolve(key.key_arn),
        },
    )


def test_without_a_schedule_the_pipeline_waits_and_nothing_is_built(
    stack: cdk.Stack, builders: HardenedVpc
) -> None:
    HardenedImage(stack, "Image", vpc=builders)
    assert "Schedule" not in only(stack, "ImageBuilder::ImagePipeline")
    Template.from_stack(stack).resource_count_is("AWS::ImageBuilder::Image", 0)


def names(**changes: Any) -> dict[str, str]:  # noqa: ANN401 - the construct's own arguments
    stack = cdk.Stack(cdk.App(builtin_cloud_formation_validation=False), "Stack")
    vpc = ec2.Vpc(stack, "Vpc")
    HardenedImage(stack, "Image", vpc=vpc, **changes)
    found = {
        key: resource["Properties"]["Name"]
        for key, resource in Template.from_stack(stack).to_json()["Resources"].items()
        if resource["Type"] in ("AWS::ImageBuilder::Component", "AWS::ImageBuilder::ImageRecipe")
    }
    assert len(found) == 3
    return found


def test_what_is_never_changed_has_another_name_when_it_is_another() -> None:
    """Image Builder's components and recipes are immutable, and so are their names' contents."""
    first = names()
    assert names() == first
    another = names(host_hardening=STRICT)
    assert set(another.values()) & set(first.values()) == set()
    for changes in (
        {"root_volume_size": 20},
        {"parent_image": "ami-0123456789abcdef0", "root_device_name": "/dev/xvda"},
        {"instance_type": ec2.InstanceType("m7i.large")},
        {"components": ["arn:aws:imagebuilder:eu-west-1:aws:component/update-linux/x.x.x"]},
    ):
        changed = {key for key, name in names(**changes).items() if name != first[key]}
        assert [key[:11] for key in changed] == ["ImageRecipe"], changes


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"host_hardening": None}, "host_hardening is None, and a HardenedImage requires"),
        ({"parent_image": "ami-0123456789abcdef0"}, "is given without its root device name: write"),
        ({"release": "1.0"}, "release is '1.0': write three numbers"),
        ({"release": "x.x.x"}, "release is 'x.x.x': write three numbers"),
        ({"components": "arn:aws"}, "components is the text 'arn:aws': write a list of ARNs"),
    ],
)
def test_wrong_arguments_are_refused(
    stack: cdk.Stack, builders: HardenedVpc, changes: dict[str, Any], says: str
) -> None:
    with pytest.raises(ValueError, match=says.replace("(", r"\(")):
        HardenedImage(stack, "Image", vpc=builders, **changes)
    assert stack.node.try_find_child("Image") is None


def test_a_vpc_in_which_nothing_could_be_built_is_refused(
    stack: cdk.Stack, vpc: HardenedVpc
) -> None:
    with pytest.raises(ValueError, match=r"no endpoint for imagebuilder, logs: write HardenedVpc"):
        HardenedImage(stack, "Image", vpc=vpc)
    blind = HardenedVpc(stack, "Blind", interface_endpoints=InterfaceEndpoints.IMAGE_BUILDER)
    with pytest.raises(ValueError, match=r"cannot reach S3: write .*s3_prefix_list_id='pl-"):
        HardenedImage(stack, "Image", vpc=blind)
    outwards = HardenedVpc(stack, "Out", public_subnets=True, nat_gateways=1)
    HardenedImage(stack, "Image", vpc=outwards)


# Who knows the image.


def test_a_server_of_the_image_verifies_what_is_in_it(
    stack: cdk.Stack, builders: HardenedVpc
) -> None:
    image = HardenedImage(stack, "Image", vpc=builders, host_hardening=STRICT)
    server = HardenedInstance(stack, "Server", vpc=builders, machine_image=image.machine_image)
    assert server.host_hardening == STRICT
    text = user_data(stack)
    assert f"IMAGE='{digest(STRICT)}'\n" in text
    assert "PROFILE='strict'\n" in text
    # The hardening itself comes along, for an image that turns out to be another.
    assert STRICT.installer().partition("SHA256=")[2] in boothook_of(text)
    properties = only(stack, "EC2::Instance")
    assert properties["ImageId"] == stack.resolve(image.machine_image.image_id)
    (device,) = properties["BlockDeviceMappings"]
    assert device["DeviceName"] == "/dev/xvda"
    assert device["Ebs"]["Encrypted"] is True


def test_a_server_of_another_image_has_nothing_of_it(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    HardenedInstance(stack, "Server", vpc=vpc)
    assert "IMAGE=" not in user_data(stack)


def test_a_fleet_of_the_image_reports_as_any_other(stack: cdk.Stack, builders: HardenedVpc) -> None:
    template = HardenedLaunchTemplate(
        stack,
        "Template",
        vpc=builders,
        machine_image=AMI,
        disable_api_termination=False,
        disable_api_stop=False,
    )
    HardenedAutoScalingGroup(stack, "Fleet", vpc=builders, launch_template=template)
    text = user_data(stack, "EC2::LaunchTemplate")
    assert "SIGNAL='--auto-scaling-group-name Stack-Fleet" in text
    assert f"IMAGE='{digest(STRICT)}'\n" in text


def test_another_hardening_than_the_images_is_refused(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    says = (
        r"host_hardening has profile='baseline' where the image has 'strict', open_ports="
        r"\('443/tcp',\) where the image has \(\): leave host_hardening out"
    )
    other = HostHardening(open_ports=["443/tcp"])
    with pytest.raises(ValueError, match=says):
        HardenedInstance(stack, "Server", vpc=vpc, machine_image=AMI, host_hardening=other)
    with pytest.raises(ValueError, match=says):
        HardenedLaunchTemplate(stack, "T", vpc=vpc, machine_image=AMI, host_hardening=other)
    assert stack.node.try_find_child("Server") is None
    # What was written out and is the default all the same is another one too.
    with pytest.raises(ValueError, match="profile='baseline' where the image has 'strict'"):
        HardenedInstance(
            stack, "Server", vpc=vpc, machine_image=AMI, host_hardening=HostHardening()
        )


def test_the_same_hardening_written_out_is_welcome(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    same = HostHardening(profile="strict")
    HardenedInstance(stack, "Server", vpc=vpc, machine_image=AMI, host_hardening=same)
    assert "IMAGE=" in user_data(stack)


def test_an_image_can_be_left_to_itself(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    HardenedInstance(stack, "Server", vpc=vpc, machine_image=AMI, host_hardening=None)
    assert only(stack, "EC2::Instance").get("UserData") in (None, {"Fn::Base64": ""}, "")


def test_values_of_the_deployment_make_it_text_that_applies(
    stack: cdk.Stack, vpc: HardenedVpc
) -> None:
    server = HardenedInstance(stack, "Server", vpc=vpc, machine_image=AMI)
    server.user_data.add_commands(f"echo {cdk.Aws.REGION}")
    text = json.dumps(only(stack, "EC2::Instance")["UserData"])
    assert "IMAGE=" not in text
    assert "PROFILE='strict'" in text


def test_a_server_without_metadata_is_hardened_by_its_image(
    app: cdk.App, stack: cdk.Stack, vpc: HardenedVpc
) -> None:
    HardenedInstance(stack, "Known", vpc=vpc, machine_image=AMI, imds=Imds.disabled())
    plain = ec2.MachineImage.latest_amazon_linux2023()
    HardenedInstance(stack, "Unknown", vpc=vpc, machine_image=plain, imds=Imds.disabled())
    app.synth()
    warned = [
        message.id
        for message in app.synth().get_stack_by_name("Stack").messages
        if "the image must contain it" in str(message.entry.data)
    ]
    assert [path.split("/")[2] for path in warned] == ["Unknown"]


def test_a_machine_image_without_hardening_is_refused() -> None:
    with pytest.raises(ValueError, match=r"host_hardening is None: write the HostHardening\("):
        HardenedMachineImage(image_id="ami-1", host_hardening=None)  # type: ignore[arg-type]


def test_the_pack_finds_nothing(app: cdk.App, stack: cdk.Stack, builders: HardenedVpc) -> None:
    image = HardenedImage(stack, "Image", vpc=builders)
    HardenedInstance(stack, "Server", vpc=builders, machine_image=image.machine_image)
    assert findings(app) == set()


def test_the_pack_finds_what_an_override_opens(
    app: cdk.App, stack: cdk.Stack, builders: HardenedVpc
) -> None:
    """The negative control: the same image with its guarantees overridden."""
    image = HardenedImage(stack, "Image", vpc=builders)
    infrastructure = image.node.find_child("Infrastructure")
    distribution = image.node.find_child("Distribution")
    recipe = image.node.find_child("Recipe")
    assert isinstance(infrastructure, cdk.CfnResource)
    assert isinstance(distribution, cdk.CfnResource)
    assert isinstance(recipe, cdk.CfnResource)
    infrastructure.add_property_override("InstanceMetadataOptions.HttpTokens", "optional")
    infrastructure.add_property_override("InstanceMetadataOptions.HttpPutResponseHopLimit", 2)
    distribution.add_property_override(
        "Distributions.0.AmiDistributionConfiguration.LaunchPermissionConfiguration",
        {"UserGroups": ["all"]},
    )
    recipe.add_property_override("BlockDeviceMappings.0.Ebs.Encrypted", value=False)
    assert errors(app) == {
        ("ImageBuildMetadata", "Stack/Image/Infrastructure"),
        ("ImagePublic", "Stack/Image/Distribution"),
        ("ImageEncryption", "Stack/Image/Recipe"),
    }
