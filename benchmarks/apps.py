"""The apps that are measured: the same servers, by our constructs and written out by hand.

    python -m benchmarks.apps hardened 100 OUTDIR
    python -m benchmarks.apps by-hand 100 OUTDIR
    python -m benchmarks.apps hardened-checked 100 OUTDIR

Run in a process of its own each, so that its CPU time, node's included, can be read when it ends.
"""

import sys
from collections.abc import Callable

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from cdk_nag import NagPack

from hardened_ec2 import HardenedEc2Checks, HardenedInstance, HardenedVpc, HostHardening
from hardened_ec2.role import SESSION_MANAGER_ACTIONS

# CloudFormation takes 500 resources in a template; a server is five to seven of them.
SERVERS_A_STACK = 50


class Shared:
    """What a careful author makes once and passes to every server, in both apps."""

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
        self.principal = iam.ServicePrincipal("ec2.amazonaws.com")


def hardened(scope: cdk.Stack, name: str, shared: Shared) -> None:
    """Add one server with our construct."""
    HardenedInstance(
        scope,
        name,
        vpc=shared.vpc,
        instance_type=shared.instance_type,
        machine_image=shared.machine_image,
    )


def by_hand(scope: cdk.Stack, name: str, shared: Shared) -> None:
    """Add the same resources as `hardened`, property by property, with CDK's own constructs."""
    group = ec2.SecurityGroup(
        scope,
        f"{name}Group",
        vpc=shared.vpc,
        description="Hardened EC2 instance",
        allow_all_outbound=False,
    )
    group.add_egress_rule(shared.ntp_peer, shared.ntp_port, "NTP to the Amazon Time Sync Service")
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
    ec2.Instance(
        scope,
        name,
        vpc=shared.vpc,
        vpc_subnets=shared.private,
        instance_type=shared.instance_type,
        machine_image=shared.machine_image,
        role=role,
        security_group=group,
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


def synthesize(
    server: Callable[[cdk.Stack, str, Shared], None],
    count: int,
    outdir: str,
    packs: list[Callable[[], NagPack]],
) -> None:
    """Build and synthesize an app of servers.

    Args:
        server: Adds one server.
        count: How many.
        outdir: Where the assembly goes.
        packs: Policy packs to judge it with.
    """
    # CDK's own validation costs seconds whatever the app; it is off in every app measured.
    app = cdk.App(outdir=outdir, builtin_cloud_formation_validation=False)
    shared = Shared(cdk.Stack(app, "Network"))
    stack = cdk.Stack(app, "Servers0")
    for i in range(count):
        if i and i % SERVERS_A_STACK == 0:
            stack = cdk.Stack(app, f"Servers{i // SERVERS_A_STACK}")
        server(stack, f"Server{i}", shared)
    if packs:
        cdk.Validations.of(app).add_plugins(*(pack() for pack in packs))
    app.synth()


APPS: dict[str, Callable[[int, str], None]] = {
    "by-hand": lambda count, outdir: synthesize(by_hand, count, outdir, []),
    "hardened": lambda count, outdir: synthesize(hardened, count, outdir, []),
    "hardened-checked": lambda count, outdir: synthesize(
        hardened, count, outdir, [HardenedEc2Checks]
    ),
}

if __name__ == "__main__":
    _, app_name, server_count, out = sys.argv
    APPS[app_name](int(server_count), out)
