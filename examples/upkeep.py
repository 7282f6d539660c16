#!/usr/bin/env python3
"""A fleet from a hardened image, kept hardened and patched.

    cdk synth --app "python3 -m examples.upkeep" --output build/upkeep

passes the three packs. One hardening reaches the servers in three ways: it is built into their AMI,
user data verifies it at every boot, and State Manager applies it again twice a day and reports
servers that are not compliant.
"""

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_events as events
from cdk_nag import AwsSolutionsChecks, NIST80053R5Checks

from hardened_ec2 import (
    HardenedAutoScalingGroup,
    HardenedEc2Checks,
    HardenedImage,
    HardenedLaunchTemplate,
    HardenedVpc,
    HardeningAssociation,
    HostHardening,
    InterfaceEndpoints,
    ManagedNodes,
    PatchSchedule,
)

app = cdk.App()
stack = cdk.Stack(app, "ShopUpkeep")
vpc = HardenedVpc(
    stack,
    "Vpc",
    interface_endpoints=(*InterfaceEndpoints.IMAGE_BUILDER, *InterfaceEndpoints.LIFECYCLE_HOOK),
    # AWS's prefix list for S3 in the Region: Image Builder's program and packages come from there.
    s3_prefix_list_id="pl-0123456789abcdef0",
)

image = HardenedImage(
    stack,
    "Image",
    vpc=vpc,
    host_hardening=HostHardening(profile="strict", open_ports=["8080/tcp"]),
    # A new release builds a new AMI from the newest Amazon Linux.
    release="2026.11.1",
    schedule=events.Schedule.rate(cdk.Duration.days(7)),
)
template = HardenedLaunchTemplate(
    stack,
    "Template",
    vpc=vpc,
    instance_type=ec2.InstanceType("m7g.medium"),
    machine_image=image.machine_image,
    disable_api_termination=False,
    disable_api_stop=False,
)
fleet = HardenedAutoScalingGroup(stack, "Fleet", vpc=vpc, launch_template=template)
fleet.connections.allow_from(ec2.Peer.ipv4("10.0.0.0/16"), ec2.Port.tcp(8080), "Pages of the shop")

nodes = ManagedNodes.auto_scaling_group(fleet)
HardeningAssociation(stack, "Hardening", nodes=nodes)
PatchSchedule(
    stack, "Patches", nodes=nodes, schedule=events.Schedule.expression("cron(0 2 ? * TUE *)")
)

cdk.Validations.of(app).add_plugins(
    HardenedEc2Checks(app), AwsSolutionsChecks(app), NIST80053R5Checks(app)
)
app.synth()
