#!/usr/bin/env python3
"""A fleet of On-Demand and Spot Instances that enter service only when they are hardened.

    cdk synth --app "python3 -m examples.fleet" --output build/fleet

passes the three packs. At the end of its boot each server reports whether its hardening and the
commands below succeeded; only then does it enter service.
"""

import aws_cdk as cdk
from aws_cdk import aws_autoscaling as autoscaling
from aws_cdk import aws_ec2 as ec2
from cdk_nag import AwsSolutionsChecks, NIST80053R5Checks

from hardened_ec2 import (
    HardenedAutoScalingGroup,
    HardenedEc2Checks,
    HardenedLaunchTemplate,
    HardenedVpc,
    HostHardening,
    InterfaceEndpoints,
)

app = cdk.App()
stack = cdk.Stack(app, "ShopFleet")
vpc = HardenedVpc(
    stack,
    "Vpc",
    interface_endpoints=(*InterfaceEndpoints.SESSION_MANAGER, *InterfaceEndpoints.LIFECYCLE_HOOK),
)

# Spot Instances cannot have termination or stop protection; the group replaces lost servers.
template = HardenedLaunchTemplate(
    stack,
    "Template",
    vpc=vpc,
    instance_type=ec2.InstanceType("m7g.medium"),
    host_hardening=HostHardening(profile="baseline", open_ports=["8080/tcp"]),
    disable_api_termination=False,
    disable_api_stop=False,
)
fleet = HardenedAutoScalingGroup(
    stack,
    "Fleet",
    vpc=vpc,
    mixed_instances_policy=autoscaling.MixedInstancesPolicy(
        launch_template=template,
        launch_template_overrides=[
            autoscaling.LaunchTemplateOverrides(instance_type=ec2.InstanceType(name))
            for name in ("m7g.medium", "m6g.medium", "c7g.medium")
        ],
        # Two On-Demand Instances; above them, three in four are Spot Instances.
        instances_distribution=autoscaling.InstancesDistribution(
            on_demand_base_capacity=2,
            on_demand_percentage_above_base_capacity=25,
            spot_allocation_strategy=autoscaling.SpotAllocationStrategy.PRICE_CAPACITY_OPTIMIZED,
        ),
    ),
    capacity_rebalance=True,
    max_capacity=8,
    heartbeat_timeout=cdk.Duration.minutes(10),
    max_instance_lifetime=cdk.Duration.days(7),
)
fleet.user_data.add_commands("systemctl enable --now shop")
fleet.connections.allow_from(ec2.Peer.ipv4("10.0.0.0/16"), ec2.Port.tcp(8080), "Pages of the shop")
fleet.scale_on_cpu_utilization("Load", target_utilization_percent=50)

cdk.Validations.of(app).add_plugins(
    HardenedEc2Checks(app), AwsSolutionsChecks(app), NIST80053R5Checks(app)
)
app.synth()
