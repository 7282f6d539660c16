"""HardenedEc2Defaults: plain apps before and after, what it refuses, and what it leaves alone."""

from collections.abc import Callable
from typing import Any

import aws_cdk as cdk
import jsii
import pytest
from aws_cdk import aws_autoscaling as autoscaling
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk.assertions import Annotations, Match, Template
from constructs import Construct

from hardened_ec2 import (
    HardenedEc2Defaults,
    HardenedInstance,
    HardenedUserData,
    HardenedVpc,
    HostHardening,
    LockedSecurityGroup,
)
from tests.synth.findings import errors, findings
from tests.synth.user_data import text_of

AMAZON_LINUX = ec2.MachineImage.latest_amazon_linux2023
T3 = "t3.micro"
LAUNCH_TEMPLATES = {"@aws-cdk/aws-autoscaling:generateLaunchTemplateInsteadOfLaunchConfig": True}
REQUIRED = {"HttpTokens": "required", "HttpPutResponseHopLimit": 1}
ENCRYPTED_ROOT = [{"DeviceName": "/dev/xvda", "Ebs": {"Encrypted": True}}]


def new_app(*, attach: bool = True, context: dict[str, Any] | None = None) -> cdk.App:
    app = cdk.App(builtin_cloud_formation_validation=False, context=context)
    if attach:
        HardenedEc2Defaults.attach(app)
    return app


def instance(
    scope: Construct,
    vpc: ec2.IVpc,
    name: str = "Server",
    **props: Any,  # noqa: ANN401
) -> ec2.Instance:
    image = props.pop("machine_image", None) or AMAZON_LINUX()
    return ec2.Instance(
        scope, name, vpc=vpc, instance_type=ec2.InstanceType(T3), machine_image=image, **props
    )


def only(template: Template, kind: str) -> dict[str, Any]:
    (resource,) = template.find_resources(kind).values()
    properties: dict[str, Any] = resource["Properties"]
    return properties


def build_plain(scope: Construct) -> cdk.Stack:
    """Everything the defaults are for, as a team writes it, some of it made inside by CDK."""
    stack = cdk.Stack(scope, "Shop")
    vpc = ec2.Vpc(stack, "Vpc", max_azs=2)
    public = ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC)
    instance(stack, vpc, vpc_subnets=public).user_data.add_commands("echo mine")
    ec2.BastionHostLinux(stack, "Bastion", vpc=vpc, subnet_selection=public)
    autoscaling.AutoScalingGroup(
        stack,
        "Fleet",
        vpc=vpc,
        instance_type=ec2.InstanceType(T3),
        machine_image=AMAZON_LINUX(),
        block_devices=[
            autoscaling.BlockDevice(
                device_name="/dev/sdf", volume=autoscaling.BlockDeviceVolume.ebs(20)
            )
        ],
    )
    ec2.LaunchTemplate(
        stack,
        "Template",
        machine_image=AMAZON_LINUX(),
        instance_type=ec2.InstanceType(T3),
        security_group=ec2.SecurityGroup(stack, "Group", vpc=vpc),
    )
    ec2.Volume(
        stack,
        "Data",
        availability_zone="us-east-1a",
        size=cdk.Size.gibibytes(8),
    )
    return stack


@pytest.mark.parametrize("context", [{}, LAUNCH_TEMPLATES], ids=["no-flags", "launch-templates"])
def test_a_plain_app_before_and_after(context: dict[str, Any]) -> None:
    before = new_app(attach=False, context=context)
    build_plain(before)
    found = errors(before)
    assert len(found) >= 10
    assert {rule for rule, _ in found} == {"ImdsV2", "VolumeEncryption", "PublicAddress"}
    after = new_app(context=context)
    build_plain(after)
    assert errors(after) == set()


@pytest.mark.parametrize("nested", ["stage", "nested stack", "construct"])
def test_it_reaches_what_is_nested(nested: str) -> None:
    def build(app: cdk.App) -> None:
        scope: Construct = cdk.Stage(app, "Production") if nested == "stage" else app
        stack = cdk.Stack(scope, "Stack")
        vpc = ec2.Vpc(stack, "Vpc", max_azs=1)
        inner: Construct = stack
        if nested == "nested stack":
            inner = cdk.NestedStack(stack, "Nested")
        elif nested == "construct":
            inner = Construct(Construct(stack, "A"), "B")
        instance(inner, vpc)

    before, after = new_app(attach=False), new_app()
    build(before)
    build(after)
    assert {rule for rule, _ in errors(before)} == {"ImdsV2", "VolumeEncryption"}
    assert errors(after) == set()


def test_an_instance_gets_everything() -> None:
    stack = cdk.Stack(new_app(), "Stack")
    instance(stack, ec2.Vpc(stack, "Vpc")).add_user_data("echo mine")
    template = Template.from_stack(stack)
    properties = only(template, "AWS::EC2::Instance")
    assert properties["MetadataOptions"] == REQUIRED
    assert properties["BlockDeviceMappings"] == ENCRYPTED_ROOT
    assert properties["Monitoring"] is True
    text = text_of(properties["UserData"])
    assert 0 < text.index("#cloud-boothook") < text.index("echo mine")
    template.resource_count_is("AWS::EC2::LaunchTemplate", 0)


def test_a_bastion_gets_an_image_that_is_still_maintained() -> None:
    stack = cdk.Stack(new_app(), "Stack")
    vpc = ec2.Vpc(stack, "Vpc")
    ec2.BastionHostLinux(stack, "Bastion", vpc=vpc, instance_type=ec2.InstanceType("t4g.nano"))
    properties = only(Template.from_stack(stack), "AWS::EC2::Instance")
    assert "al2023" in properties["ImageId"]["Ref"]
    assert "arm64" in properties["ImageId"]["Ref"]
    assert properties["MetadataOptions"] == REQUIRED


def test_a_launch_configuration_gets_a_hop_limit_too() -> None:
    stack = cdk.Stack(new_app(), "Stack")
    autoscaling.AutoScalingGroup(
        stack,
        "Fleet",
        vpc=ec2.Vpc(stack, "Vpc"),
        instance_type=ec2.InstanceType(T3),
        machine_image=AMAZON_LINUX(),
    )
    properties = only(Template.from_stack(stack), "AWS::AutoScaling::LaunchConfiguration")
    assert properties["MetadataOptions"] == REQUIRED
    assert properties["InstanceMonitoring"] is True
    assert "#cloud-boothook" in text_of(properties["UserData"])


def test_the_capacity_of_an_ecs_cluster_is_reached_and_its_root_volume_reported() -> None:
    def build(app: cdk.App) -> cdk.Stack:
        stack = cdk.Stack(app, "Stack")
        cluster = ecs.Cluster(stack, "Cluster", vpc=ec2.Vpc(stack, "Vpc"))
        cluster.add_capacity("Capacity", instance_type=ec2.InstanceType(T3))
        return stack

    app = new_app()
    build(app)
    assert {rule for rule, _ in errors(app)} == {"VolumeEncryption"}
    stack = build(new_app())
    properties = only(Template.from_stack(stack), "AWS::AutoScaling::LaunchConfiguration")
    assert properties["MetadataOptions"] == REQUIRED
    text = text_of(properties["UserData"])
    assert text.index("#cloud-boothook") < text.index("ECS_CLUSTER=<")
    Annotations.from_stack(stack).has_warning(
        "/Stack/Cluster/Capacity", Match.string_like_regexp("write root_device_name=")
    )


def test_groups_let_out_https_unless_the_app_says_otherwise() -> None:
    def egress(**props: Any) -> list[tuple[str, int]]:  # noqa: ANN401
        stack = cdk.Stack(new_app(), "Stack")
        ec2.SecurityGroup(stack, "Group", vpc=ec2.Vpc(stack, "Vpc"), **props)
        rules = only(Template.from_stack(stack), "AWS::EC2::SecurityGroup")["SecurityGroupEgress"]
        return [(rule["IpProtocol"], rule.get("FromPort")) for rule in rules]

    assert egress() == [("tcp", 443), ("udp", 123)]
    assert [protocol for protocol, _ in egress(allow_all_outbound=True)] == ["-1"]
    assert [protocol for protocol, _ in egress(allow_all_outbound=False)] == ["icmp"]


def test_what_connections_ask_for_is_in_a_closed_group() -> None:
    """Before, CDK dropped such rules: the group let out everything."""
    stack = cdk.Stack(new_app(), "Stack")
    vpc = ec2.Vpc(stack, "Vpc")
    database = ec2.SecurityGroup(stack, "Database", vpc=vpc)
    database.connections.allow_from(instance(stack, vpc), ec2.Port.tcp(5432), "PostgreSQL")
    Template.from_stack(stack).has_resource_properties(
        "AWS::EC2::SecurityGroupEgress", {"FromPort": 5432}
    )


def test_a_vpc_keeps_its_subnets_and_gives_no_addresses() -> None:
    def subnets(*, attach: bool, **props: Any) -> dict[str, bool]:  # noqa: ANN401
        stack = cdk.Stack(new_app(attach=attach), "Stack")
        ec2.Vpc(stack, "Vpc", **props)
        found = Template.from_stack(stack).find_resources("AWS::EC2::Subnet")
        return {name: each["Properties"]["MapPublicIpOnLaunch"] for name, each in found.items()}

    for props in (
        {},
        {"nat_gateways": 0},
        {
            "subnet_configuration": [
                ec2.SubnetConfiguration(name="web", subnet_type=ec2.SubnetType.PUBLIC),
                ec2.SubnetConfiguration(name="db", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED),
            ]
        },
    ):
        before, after = subnets(attach=False, **props), subnets(attach=True, **props)
        assert list(before) == list(after)  # the logical ids: nothing is replaced
        assert any(before.values())
        assert not any(after.values())


def test_a_vpc_gets_a_flow_log_and_a_closed_default_group() -> None:
    stack = cdk.Stack(new_app(), "Stack")
    ec2.Vpc(stack, "Vpc")
    template = Template.from_stack(stack)
    template.resource_count_is("AWS::EC2::FlowLog", 1)
    template.resource_count_is("Custom::VpcRestrictDefaultSG", 1)


def test_nat_instances_keep_the_addresses_they_need() -> None:
    app = new_app()
    stack = cdk.Stack(app, "Stack")
    provider = ec2.NatProvider.instance_v2(instance_type=ec2.InstanceType(T3))
    ec2.Vpc(stack, "Vpc", nat_gateway_provider=provider, max_azs=1)
    assert "PublicAddress" in {rule for rule, _ in errors(app)}


def test_what_the_app_says_beats_a_default() -> None:
    stack = cdk.Stack(new_app(), "Stack")
    vpc = ec2.Vpc(stack, "Vpc", flow_logs={}, restrict_default_security_group=False)
    instance(
        stack, vpc, detailed_monitoring=False, http_put_response_hop_limit=2, require_imdsv2=True
    )
    template = Template.from_stack(stack)
    properties = only(template, "AWS::EC2::Instance")
    assert properties["Monitoring"] is False
    assert properties["MetadataOptions"] == {**REQUIRED, "HttpPutResponseHopLimit": 2}
    template.resource_count_is("AWS::EC2::FlowLog", 0)
    template.resource_count_is("Custom::VpcRestrictDefaultSG", 0)


def test_volumes_keep_what_was_said_of_them() -> None:
    stack = cdk.Stack(new_app(), "Stack")
    volume = ec2.BlockDeviceVolume.ebs(
        50, volume_type=ec2.EbsDeviceVolumeType.GP3, iops=4000, delete_on_termination=False
    )
    store = ec2.BlockDeviceVolume.ephemeral(0)
    devices = [
        ec2.BlockDevice(device_name="/dev/xvda", volume=volume),
        ec2.BlockDevice(device_name="/dev/sdb", volume=store),
    ]
    instance(stack, ec2.Vpc(stack, "Vpc"), block_devices=devices)
    assert only(Template.from_stack(stack), "AWS::EC2::Instance")["BlockDeviceMappings"] == [
        {
            "DeviceName": "/dev/xvda",
            "Ebs": {
                "DeleteOnTermination": False,
                "Encrypted": True,
                "Iops": 4000,
                "VolumeSize": 50,
                "VolumeType": "gp3",
            },
        },
        {"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"},
    ]


def open_instance(stack: cdk.Stack, vpc: ec2.IVpc) -> None:
    instance(stack, vpc, http_tokens=ec2.HttpTokens.OPTIONAL)


def open_template(stack: cdk.Stack, _vpc: ec2.IVpc) -> None:
    ec2.LaunchTemplate(stack, "Template", http_tokens=ec2.LaunchTemplateHttpTokens.OPTIONAL)


def plain_volume(stack: cdk.Stack, _vpc: ec2.IVpc) -> None:
    size = cdk.Size.gibibytes(8)
    ec2.Volume(stack, "Data", availability_zone="a", size=size, encrypted=False)


def plain_device(stack: cdk.Stack, vpc: ec2.IVpc) -> None:
    volume = ec2.BlockDeviceVolume.ebs(8, encrypted=False)
    instance(stack, vpc, block_devices=[ec2.BlockDevice(device_name="/dev/sdf", volume=volume)])


def plain_fleet_device(stack: cdk.Stack, vpc: ec2.IVpc) -> None:
    volume = autoscaling.BlockDeviceVolume.ebs(8, encrypted=False)
    autoscaling.AutoScalingGroup(
        stack,
        "Fleet",
        vpc=vpc,
        instance_type=ec2.InstanceType(T3),
        machine_image=AMAZON_LINUX(),
        block_devices=[autoscaling.BlockDevice(device_name="/dev/sdf", volume=volume)],
    )


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (open_instance, r"Stack/Server: http_tokens=OPTIONAL .* leave http_tokens out"),
        (open_template, r"Stack/Template: http_tokens=OPTIONAL .* or write REQUIRED"),
        (plain_volume, r"Stack/Data: the volume has encrypted=False, .* leave encrypted out"),
        (plain_device, r"Stack/Server: the volume /dev/sdf has encrypted=False"),
        (plain_fleet_device, r"Stack/Fleet: the volume /dev/sdf has encrypted=False"),
    ],
)
def test_the_opposite_of_a_guarantee_is_refused_at_synth(
    build: Callable[[cdk.Stack, ec2.IVpc], None], message: str
) -> None:
    plain, attached = new_app(attach=False), new_app()
    for app in (plain, attached):
        stack = cdk.Stack(app, "Stack")
        build(stack, ec2.Vpc(stack, "Vpc"))
    plain.synth()
    with pytest.raises(RuntimeError, match=message):
        attached.synth()


def test_one_synth_names_every_conflict() -> None:
    app = new_app()
    stack = cdk.Stack(app, "Stack")
    vpc = ec2.Vpc(stack, "Vpc")
    open_instance(stack, vpc)
    plain_volume(stack, vpc)
    with pytest.raises(RuntimeError, match=r"(?s)http_tokens=OPTIONAL.*encrypted=False"):
        app.synth()


def test_the_escape_hatch_works_and_is_reported() -> None:
    app = new_app()
    stack = cdk.Stack(app, "Stack")
    server = instance(stack, ec2.Vpc(stack, "Vpc"))
    server.instance.add_property_override("MetadataOptions.HttpTokens", "optional")
    assert errors(app) == {("ImdsV2", "Stack/Server/Resource")}


def test_what_it_cannot_fix_is_reported() -> None:
    app = new_app()
    stack = cdk.Stack(app, "Stack")
    vpc = ec2.Vpc(stack, "Vpc")
    server = instance(
        stack,
        vpc,
        machine_image=ec2.MachineImage.generic_linux({"us-east-1": "ami-1"}),
        key_pair=ec2.KeyPair.from_key_pair_name(stack, "Key", "office"),
        associate_public_ip_address=True,
        vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC),
    )
    server.connections.allow_from_any_ipv4(ec2.Port.tcp(22))
    server.user_data.add_commands("export DB_PASSWORD=Tr0ub4dor-and-3")
    ec2.CfnInstance(stack, "Raw", image_id="ami-1", subnet_id=vpc.private_subnets[0].subnet_id)
    found = findings(app)
    assert {
        ("AdminPortOpenToWorld", "error"),
        ("PublicAddress", "error"),
        ("UserDataSecret", "error"),
        ("VolumeEncryption", "error"),
        ("KeyPair", "warning"),
    } <= {(rule, severity) for rule, severity, _ in found}
    assert ("ImdsV2", "error", "Stack/Raw") in found
    assert ("ImdsV2", "error", "Stack/Server/Resource") not in found


def test_a_root_device_that_is_named_is_encrypted() -> None:
    app = new_app(attach=False)
    HardenedEc2Defaults.attach(app, root_device_name="/dev/sda1")
    stack = cdk.Stack(app, "Stack")
    image = ec2.MachineImage.generic_linux({"us-east-1": "ami-1"})
    instance(stack, ec2.Vpc(stack, "Vpc"), machine_image=image)
    assert errors(app) == set()
    (mapping,) = only(Template.from_stack(stack), "AWS::EC2::Instance")["BlockDeviceMappings"]
    assert mapping == {"DeviceName": "/dev/sda1", "Ebs": {"Encrypted": True}}


@pytest.mark.parametrize(
    ("user_data", "reason"),
    [
        (ec2.UserData.for_windows(), "begins with '<powershell>.*' and is not a shell script"),
        (ec2.UserData.custom("#cloud-config\n{}"), "begins with '#cloud-config'"),
        (ec2.UserData.custom("[settings]"), "begins with '.settings.'"),
        (ec2.UserData.custom(""), "is empty"),
        (ec2.MultipartUserData(), "begins with 'Content-Type: multipart/mixed"),
    ],
)
def test_user_data_that_is_no_script_is_left_alone(user_data: ec2.UserData, reason: str) -> None:
    def rendered(*, attach: bool) -> tuple[cdk.Stack, Any]:
        stack = cdk.Stack(new_app(attach=attach), "Stack")
        instance(stack, ec2.Vpc(stack, "Vpc"), user_data=user_data)
        return stack, only(Template.from_stack(stack), "AWS::EC2::Instance")["UserData"]

    stack, after = rendered(attach=True)
    assert after == rendered(attach=False)[1]
    Annotations.from_stack(stack).has_warning(
        "/Stack/Server/Resource", Match.string_like_regexp(f"its user data {reason}")
    )


def test_a_template_without_image_and_user_data_is_left_alone_and_said() -> None:
    stack = cdk.Stack(new_app(), "Stack")
    ec2.LaunchTemplate(stack, "Nodes")
    data = only(Template.from_stack(stack), "AWS::EC2::LaunchTemplate")["LaunchTemplateData"]
    assert "UserData" not in data
    assert data["MetadataOptions"] == REQUIRED
    Annotations.from_stack(stack).has_warning(
        "/Stack/Nodes",
        Match.string_like_regexp(
            "the hosts are not hardened at boot: .*Write user_data=HardenedUserData"
        ),
    )


def test_a_template_keeps_what_it_had() -> None:
    """It is rewritten as a whole, so nothing may be lost on the way."""

    def data(*, attach: bool) -> dict[str, Any]:
        stack = cdk.Stack(new_app(attach=attach), "Stack")
        vpc = ec2.Vpc(stack, "Vpc")
        group = ec2.SecurityGroup(stack, "Group", vpc=vpc, allow_all_outbound=False)
        made = ec2.LaunchTemplate(
            stack,
            "Template",
            machine_image=AMAZON_LINUX(),
            instance_type=ec2.InstanceType(T3),
            security_group=group,
            user_data=ec2.UserData.for_linux(),
            disable_api_termination=True,
            cpu_credits=ec2.CpuCredits.STANDARD,
        )
        made.add_security_group(ec2.SecurityGroup(stack, "Second", vpc=vpc))
        cdk.Tags.of(made).add("team", "shop")
        properties = only(Template.from_stack(stack), "AWS::EC2::LaunchTemplate")
        found: dict[str, Any] = properties["LaunchTemplateData"]
        return found

    ours = ("MetadataOptions", "BlockDeviceMappings", "Monitoring", "UserData")
    before, after = data(attach=False), data(attach=True)
    assert {name: value for name, value in after.items() if name not in ours} == {
        name: value for name, value in before.items() if name not in ours
    }
    assert "#cloud-boothook" in text_of(after["UserData"])


def test_our_own_constructs_are_not_changed() -> None:
    def rendered(*, attach: bool) -> dict[str, Any]:
        stack = cdk.Stack(new_app(attach=attach), "Stack")
        vpc = HardenedVpc(stack, "Vpc", public_subnets=True)
        HardenedInstance(stack, "Server", vpc=vpc)
        LockedSecurityGroup(stack, "Group", vpc=vpc, description="Web")
        return dict(Template.from_stack(stack).to_json())

    assert rendered(attach=True) == rendered(attach=False)


def test_hardened_user_data_is_not_prepended_twice() -> None:
    stack = cdk.Stack(new_app(), "Stack")
    user_data = HardenedUserData(HostHardening(profile="core"))
    instance(stack, ec2.Vpc(stack, "Vpc"), user_data=user_data)
    properties = only(Template.from_stack(stack), "AWS::EC2::Instance")
    assert text_of(properties["UserData"]).count("#cloud-boothook") == 1


def test_the_nearest_settings_hold() -> None:
    app = new_app()
    stack = cdk.Stack(app, "Stack")
    HardenedEc2Defaults.attach(stack, host_hardening=None, egress_ports=None, flow_logs=False)
    instance(stack, ec2.Vpc(stack, "Vpc"))
    template = Template.from_stack(stack)
    properties = only(template, "AWS::EC2::Instance")
    assert properties["MetadataOptions"] == REQUIRED
    assert text_of(properties["UserData"]) == "#!/bin/bash"
    template.resource_count_is("AWS::EC2::FlowLog", 0)
    rules = only(template, "AWS::EC2::SecurityGroup")["SecurityGroupEgress"]
    assert [rule["IpProtocol"] for rule in rules] == ["-1"]


def test_user_data_over_the_limit_is_refused() -> None:
    app = new_app()
    stack = cdk.Stack(app, "Stack")
    instance(stack, ec2.Vpc(stack, "Vpc")).add_user_data("# " + "x" * 8000)
    with pytest.raises(RuntimeError, match=r"of hardening, .* of your commands"):
        app.synth()


def test_it_is_attached_before_anything_is_made() -> None:
    app = new_app(attach=False)
    ec2.Vpc(cdk.Stack(app, "Stack"), "Vpc")
    with pytest.raises(
        ValueError,
        match=r"Stack/Vpc was created before the defaults.* harden existing constructs with",
    ):
        HardenedEc2Defaults.attach(app)


@jsii.implements(cdk.IPropertyInjector)
class TeamsInjector:
    @property
    def construct_unique_id(self) -> str:
        return ec2.Instance.PROPERTY_INJECTION_ID

    def inject(self, original_props: Any, *, scope: Construct, id: str) -> Any:  # noqa: A002, ANN401, ARG002
        return original_props


def test_an_injector_that_is_there_already_is_not_replaced() -> None:
    app = new_app(attach=False)
    cdk.PropertyInjectors.of(app).add(TeamsInjector())
    with pytest.raises(
        ValueError,
        match=r"the app has a property injector for Inst.* attach the defaults to a scope",
    ):
        HardenedEc2Defaults.attach(app)
    with pytest.raises(ValueError, match="has a property injector for Instance already"):
        HardenedEc2Defaults.attach(new_app())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"host_hardening": "strict"}, r"host_hardening is 'strict': write host_hardening="),
        (
            {"egress_ports": 443},
            r"egress_ports is 443: write TCP ports from 1 to 65535, .* or \(\) for none",
        ),
        ({"egress_ports": (0,)}, r"egress_ports is \(0,\): write TCP ports"),
        ({"egress_ports": "443"}, r"egress_ports is '443': write TCP ports"),
    ],
)
def test_wrong_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        HardenedEc2Defaults.attach(new_app(attach=False), **arguments)


def test_what_is_no_scope_is_refused() -> None:
    with pytest.raises(ValueError, match=r"write HardenedEc2Defaults.attach\(app\)"):
        HardenedEc2Defaults.attach("app")  # type: ignore[arg-type]
