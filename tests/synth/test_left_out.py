"""What is left out follows the image and the metadata service; what is written out is meant."""

from collections.abc import Callable
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk.assertions import Template

from hardened_ec2 import (
    HardenedAutoScalingGroup,
    HardenedEc2Defaults,
    HardenedInstance,
    HardenedLaunchTemplate,
    HardenedMachineImage,
    HardenedVpc,
    HardeningAssociation,
    HostHardening,
    Imds,
    ManagedNodes,
)
from tests.synth.user_data import text_of

STRICT = HostHardening(profile="strict")
AMI = HardenedMachineImage(image_id="ami-0123456789abcdef0", host_hardening=STRICT)
PLAIN = ec2.MachineImage.latest_amazon_linux2023()
NO_METADATA = Imds.disabled()

Server = HardenedInstance | HardenedLaunchTemplate
NEVER_RECEIVED = r"^imds=Imds.disabled\(\) is given with host_hardening, but an instance without"


@pytest.fixture(params=[HardenedInstance, HardenedLaunchTemplate])
def make(
    request: pytest.FixtureRequest, stack: cdk.Stack, vpc: HardenedVpc
) -> Callable[..., Server]:
    construct: type[Any] = request.param
    return lambda **props: construct(stack, "Server", vpc=vpc, **props)


@pytest.mark.parametrize(
    ("image", "imds", "hardening"),
    [
        (PLAIN, Imds(), HostHardening()),
        (PLAIN, NO_METADATA, None),
        (AMI, Imds(), STRICT),
        (AMI, NO_METADATA, STRICT),
    ],
)
def test_left_out_it_follows_the_image_and_the_metadata_service(
    make: Callable[..., Server],
    image: ec2.IMachineImage,
    imds: Imds,
    hardening: HostHardening | None,
) -> None:
    assert make(machine_image=image, imds=imds).host_hardening == hardening


@pytest.mark.parametrize(
    ("image", "imds", "written"),
    [
        (PLAIN, Imds(), HostHardening()),
        (PLAIN, Imds(), STRICT),
        (PLAIN, Imds(), None),
        (PLAIN, NO_METADATA, None),
        (AMI, Imds(), STRICT),
        (AMI, NO_METADATA, STRICT),
        (AMI, Imds(), None),
        (AMI, NO_METADATA, None),
    ],
)
def test_written_out_it_is_what_the_server_has(
    make: Callable[..., Server],
    image: ec2.IMachineImage,
    imds: Imds,
    written: HostHardening | None,
) -> None:
    assert make(machine_image=image, imds=imds, host_hardening=written).host_hardening == written


@pytest.mark.parametrize(
    ("image", "imds", "says"),
    [
        (PLAIN, NO_METADATA, NEVER_RECEIVED),
        (AMI, Imds(), "^host_hardening has profile='baseline' where the image has 'strict'"),
        (AMI, NO_METADATA, "^host_hardening has profile='baseline' where the image has 'strict'"),
    ],
)
def test_written_out_it_is_refused_where_the_server_could_not_have_it(
    stack: cdk.Stack,
    make: Callable[..., Server],
    image: ec2.IMachineImage,
    imds: Imds,
    says: str,
) -> None:
    with pytest.raises(ValueError, match=says):
        make(machine_image=image, imds=imds, host_hardening=HostHardening())
    assert not [child for child in stack.node.children if child.node.id.startswith("Server")]


def test_user_data_of_a_server_without_metadata_is_refused(make: Callable[..., Server]) -> None:
    says = r"^imds=Imds.disabled\(\) is given with user_data, .* leave user_data out"
    for image in (PLAIN, AMI):
        with pytest.raises(ValueError, match=says):
            make(machine_image=image, imds=NO_METADATA, user_data=ec2.UserData.for_linux())


def test_a_group_waits_only_for_servers_that_harden_at_boot(stack: cdk.Stack) -> None:
    vpc = HardenedVpc(stack, "Vpc", interface_endpoints=("autoscaling",))
    silent = HardenedLaunchTemplate(stack, "Silent", vpc=vpc, imds=NO_METADATA)
    with pytest.raises(ValueError, match=r"Stack/Silent hardens nothing at boot.*wait_for_hard"):
        HardenedAutoScalingGroup(stack, "Fleet", vpc=vpc, launch_template=silent)
    HardenedAutoScalingGroup(
        stack, "Fleet", vpc=vpc, launch_template=silent, wait_for_hardening=False
    )


def test_an_association_follows_its_servers(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    hardened = HardenedInstance(stack, "Hardened", vpc=vpc, machine_image=AMI)
    nodes = ManagedNodes.instances(hardened)
    assert HardeningAssociation(stack, "Follows", nodes=nodes).host_hardening == STRICT
    with pytest.raises(ValueError, match="host_hardening differs from what the servers apply"):
        HardeningAssociation(stack, "Other", nodes=nodes, host_hardening=HostHardening())


def test_an_association_hardens_servers_that_have_no_hardening_as_it_is_told(
    stack: cdk.Stack, vpc: HardenedVpc
) -> None:
    bare = HardenedInstance(stack, "Bare", vpc=vpc, imds=NO_METADATA)
    nodes = ManagedNodes.instances(bare)
    assert HardeningAssociation(stack, "Default", nodes=nodes).host_hardening == HostHardening()
    told = HardeningAssociation(stack, "Told", nodes=nodes, host_hardening=STRICT)
    assert told.host_hardening == STRICT


def retrofitted(app: cdk.App) -> cdk.Stack:
    stack = cdk.Stack(app, "Shop")
    ec2.Instance(
        stack,
        "Server",
        vpc=ec2.Vpc(stack, "Vpc"),
        instance_type=ec2.InstanceType("t4g.small"),
        machine_image=AMI,
    )
    return stack


def test_defaults_that_are_left_out_follow_the_image_of_a_plain_instance(app: cdk.App) -> None:
    HardenedEc2Defaults.attach(app)
    resources = Template.from_stack(retrofitted(app)).find_resources("AWS::EC2::Instance")
    (server,) = resources.values()
    assert "PROFILE='strict'\n" in text_of(server["Properties"]["UserData"])


def test_defaults_that_are_written_out_are_refused_against_the_image(app: cdk.App) -> None:
    HardenedEc2Defaults.attach(app, host_hardening=HostHardening())
    retrofitted(app)
    with pytest.raises(RuntimeError, match="Shop/Server: host_hardening has profile='baseline' wh"):
        app.synth()
