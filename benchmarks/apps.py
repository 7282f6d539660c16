"""The apps that are measured: the same servers and fleets, with our constructs and by hand.

    python -m benchmarks.apps hardened 100 10 OUTDIR

synthesizes 100 servers and 10 fleets. Each app runs in a process of its own, whose CPU time, node's
included, is read when it ends.
"""

import sys
from collections.abc import Callable
from typing import Final, Protocol

import aws_cdk as cdk
from aws_cdk import aws_autoscaling as autoscaling
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from cdk_nag import AwsSolutionsChecks, NagPack

from hardened_ec2 import (
    HardenedAutoScalingGroup,
    HardenedEc2Checks,
    HardenedInstance,
    HardenedLaunchTemplate,
    HardenedVpc,
    HostHardening,
)
from hardened_ec2.host import LifecycleSignal
from hardened_ec2.servers.auto_scaling_group import LIFECYCLE_HOOK
from hardened_ec2.servers.auto_scaling_group_keys import notifications_topic
from hardened_ec2.servers.role import SESSION_MANAGER_ACTIONS

# CloudFormation accepts 500 resources and 1 MB per template; a server has 16 KB and a fleet 22 KB.
A_STACK: Final = 40

_ENDPOINTS: Final = "AWS services through VPC endpoints"


class Shared:
    """Objects that a careful author creates once and passes to every server, in both apps."""

    def __init__(self, scope: cdk.Stack) -> None:
        self.vpc = HardenedVpc(scope, "Vpc", interface_endpoints=())
        self.instance_type = ec2.InstanceType("m7g.large")
        self.machine_image = ec2.MachineImage.latest_amazon_linux2023(
            cpu_type=ec2.AmazonLinuxCpuType.ARM_64
        )
        # The parts that only the hand-written servers need.
        self.user_data = HostHardening().render()
        self.volume = ec2.BlockDevice(
            device_name="/dev/xvda",
            volume=ec2.BlockDeviceVolume.ebs(
                16, encrypted=True, volume_type=ec2.EbsDeviceVolumeType.GP3
            ),
        )
        self.private = ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)
        self.ntp_peer = ec2.Peer.ipv4("169.254.169.123/32")
        self.ntp_port = ec2.Port.udp(123)
        self.https = ec2.Port.tcp(443)
        self.principal = iam.ServicePrincipal("ec2.amazonaws.com")


class FleetShared(Shared):
    """The same for fleets: also a VPC with an endpoint for EC2 Auto Scaling, and a topic."""

    def __init__(self, scope: cdk.Stack) -> None:
        super().__init__(scope)
        # Servers of a fleet report to EC2 Auto Scaling.
        self.fleet_vpc = HardenedVpc(scope, "FleetVpc", interface_endpoints=("autoscaling",))
        self.topic = notifications_topic(scope)


class Author(Protocol):
    """A way to write servers and fleets: with our constructs or by hand."""

    def server(self, scope: cdk.Stack, name: str, shared: Shared) -> None:
        """Add a server."""

    def fleet(self, scope: cdk.Stack, name: str, shared: FleetShared) -> None:
        """Add a fleet."""


class Hardened:
    """Servers and fleets written with our constructs."""

    def server(self, scope: cdk.Stack, name: str, shared: Shared) -> None:
        """Add a server."""
        HardenedInstance(
            scope,
            name,
            vpc=shared.vpc,
            instance_type=shared.instance_type,
            machine_image=shared.machine_image,
        )

    def fleet(self, scope: cdk.Stack, name: str, shared: FleetShared) -> None:
        """Add a fleet."""
        HardenedAutoScalingGroup(
            scope,
            name,
            vpc=shared.fleet_vpc,
            launch_template=HardenedLaunchTemplate(
                scope,
                f"{name}Template",
                vpc=shared.fleet_vpc,
                instance_type=shared.instance_type,
                machine_image=shared.machine_image,
            ),
            notifications_topic=shared.topic,
        )


class ByHand:
    """The same resources, written property by property with CDK's own constructs."""

    def server(self, scope: cdk.Stack, name: str, shared: Shared) -> None:
        """Add a server."""
        ec2.Instance(
            scope,
            name,
            vpc=shared.vpc,
            vpc_subnets=shared.private,
            instance_type=shared.instance_type,
            machine_image=shared.machine_image,
            role=_role(scope, name, shared),
            security_group=_group(scope, name, shared, shared.vpc),
            block_devices=[shared.volume],
            ebs_optimized=True,
            detailed_monitoring=True,
            disable_api_termination=True,
            http_endpoint=True,
            http_tokens=ec2.HttpTokens.REQUIRED,
            http_put_response_hop_limit=1,
            http_protocol_ipv6=False,
            instance_metadata_tags=False,
            user_data=ec2.UserData.custom(shared.user_data),
        )

    def fleet(self, scope: cdk.Stack, name: str, shared: FleetShared) -> None:
        """Add a fleet."""
        group_name = f"{scope.stack_name}-{name}"
        role = _role(scope, name, shared)
        group = _group(scope, name, shared, shared.fleet_vpc)
        shared.fleet_vpc.allow_endpoints_from(group)
        signal = LifecycleSignal(group=group_name, hook=LIFECYCLE_HOOK)
        template = ec2.LaunchTemplate(
            scope,
            f"{name}Template",
            instance_type=shared.instance_type,
            machine_image=shared.machine_image,
            role=role,
            security_group=group,
            associate_public_ip_address=False,
            block_devices=[shared.volume],
            ebs_optimized=True,
            detailed_monitoring=True,
            disable_api_termination=True,
            http_endpoint=True,
            http_tokens=ec2.LaunchTemplateHttpTokens.REQUIRED,
            http_put_response_hop_limit=1,
            http_protocol_ipv6=False,
            instance_metadata_tags=False,
            user_data=ec2.UserData.custom(HostHardening().render(signal=signal)),
        )
        _resource(template).add_property_override("LaunchTemplateData.DisableApiStop", True)  # noqa: FBT003 - CDK's own signature
        permission = iam.ManagedPolicy(
            scope,
            f"{name}Lifecycle",
            description="Say that a server of the group is hardened",
            statements=[
                iam.PolicyStatement(
                    actions=["autoscaling:CompleteLifecycleAction"],
                    resources=[
                        scope.format_arn(
                            service="autoscaling",
                            resource="autoScalingGroup",
                            resource_name=f"*:autoScalingGroupName/{group_name}",
                            arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
                        )
                    ],
                )
            ],
            roles=[role],
        )
        fleet = autoscaling.AutoScalingGroup(
            scope,
            name,
            vpc=shared.fleet_vpc,
            vpc_subnets=shared.private,
            launch_template=template,
            auto_scaling_group_name=group_name,
            min_capacity=2,
            max_capacity=2,
            update_policy=autoscaling.UpdatePolicy.instance_refresh(
                strategy=autoscaling.InstanceRefreshStrategy.ROLLING
            ),
            min_healthy_percentage=100,
            max_healthy_percentage=110,
            max_instance_lifetime=cdk.Duration.days(30),
            notifications=[
                autoscaling.NotificationConfiguration(
                    topic=shared.topic, scaling_events=autoscaling.ScalingEvents.ALL
                )
            ],
            group_metrics=[autoscaling.GroupMetrics.all()],
            deletion_protection=autoscaling.DeletionProtection.PREVENT_FORCE_DELETION,
        )
        resource = _resource(fleet)
        for path, value in (
            ("HealthCheckType", "ELB"),
            ("HealthCheckGracePeriod", 300),
            (
                "LifecycleHookSpecificationList",
                [
                    {
                        "LifecycleHookName": LIFECYCLE_HOOK,
                        "LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING",
                        "DefaultResult": "ABANDON",
                        "HeartbeatTimeout": 900,
                    }
                ],
            ),
        ):
            resource.add_property_override(path, value)
        resource.node.add_dependency(permission)


def _resource(construct: cdk.Resource) -> cdk.CfnResource:
    resource = construct.node.default_child
    if not isinstance(resource, cdk.CfnResource):
        raise TypeError(f"{construct.node.path} has no resource")
    return resource


def _group(scope: cdk.Stack, name: str, shared: Shared, vpc: ec2.IVpc) -> ec2.SecurityGroup:
    group = ec2.SecurityGroup(
        scope,
        f"{name}Group",
        vpc=vpc,
        description="Hardened EC2 instance",
        allow_all_outbound=False,
    )
    group.add_egress_rule(shared.ntp_peer, shared.ntp_port, "NTP to the Amazon Time Sync Service")
    return group


def _role(scope: cdk.Stack, name: str, shared: Shared) -> iam.Role:
    role = iam.Role(
        scope,
        f"{name}Role",
        assumed_by=shared.principal,
        description="Hardened EC2 instance",
    )
    policy = iam.ManagedPolicy(
        scope,
        f"{name}Permissions",
        description="Hardened EC2 instance",
        statements=[iam.PolicyStatement(actions=[*SESSION_MANAGER_ACTIONS], resources=["*"])],
        roles=[role],
    )
    cdk.Validations.of(policy).acknowledge(
        cdk.Acknowledgment(
            id="AwsSolutions::AwsSolutions-IAM5[Resource::*]",
            reason="The ssmmessages actions take no other resource.",
        )
    )
    return role


def synthesize(
    author: Author, *, servers: int, fleets: int, outdir: str, packs: list[Callable[[], NagPack]]
) -> None:
    """Build and synthesize an app of servers and fleets.

    Args:
        author: How they are written.
        servers: The number of servers.
        fleets: The number of fleets.
        outdir: Where the assembly goes.
        packs: Policy packs to judge it with.
    """
    # CDK's own validation adds seconds to any app; it is disabled in every app measured.
    app = cdk.App(outdir=outdir, builtin_cloud_formation_validation=False)
    network = cdk.Stack(app, "Network")
    shared = FleetShared(network) if fleets else Shared(network)
    stack = cdk.Stack(app, "Servers0")
    for i in range(servers):
        if i and i % A_STACK == 0:
            stack = cdk.Stack(app, f"Servers{i // A_STACK}")
        author.server(stack, f"Server{i}", shared)
    if isinstance(shared, FleetShared):
        for i in range(fleets):
            if i % A_STACK == 0:
                stack = cdk.Stack(app, f"Fleets{i // A_STACK}")
            author.fleet(stack, f"Fleet{i}", shared)
    if packs:
        cdk.Validations.of(app).add_plugins(*(pack() for pack in packs))
    app.synth()


APPS: Final[dict[str, tuple[Author, list[Callable[[], NagPack]]]]] = {
    "by-hand": (ByHand(), []),
    "hardened": (Hardened(), []),
    "checked": (Hardened(), [HardenedEc2Checks]),
    "aws-solutions": (Hardened(), [AwsSolutionsChecks]),
}

if __name__ == "__main__":
    _, app_name, server_count, fleet_count, out = sys.argv
    writer, judges = APPS[app_name]
    synthesize(writer, servers=int(server_count), fleets=int(fleet_count), outdir=out, packs=judges)
