#!/usr/bin/env python3
"""A plain CDK stack, hardened by two lines in its app.

    cdk synth --app "python3 -m examples.retrofit" --output build/retrofit

Without the line that attaches the defaults, the same stack fails with six errors.
"""

import aws_cdk as cdk
from aws_cdk import aws_autoscaling as autoscaling
from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from hardened_ec2 import HardenedEc2Checks, HardenedEc2Defaults, HardenInstance


class TheTeamsStack(cdk.Stack):
    """Plain CDK, written without hardened-ec2."""

    def __init__(self, scope: Construct, id: str) -> None:  # noqa: A002 - CDK's own name for it
        super().__init__(scope, id)
        vpc = ec2.Vpc(self, "Vpc", max_azs=2)
        ec2.BastionHostLinux(self, "Bastion", vpc=vpc)
        fleet = autoscaling.AutoScalingGroup(
            self,
            "Fleet",
            vpc=vpc,
            instance_type=ec2.InstanceType("t4g.small"),
            machine_image=ec2.MachineImage.latest_amazon_linux2023(
                cpu_type=ec2.AmazonLinuxCpuType.ARM_64
            ),
            max_instance_lifetime=cdk.Duration.days(30),
        )
        fleet.user_data.add_commands(
            "dnf install --assumeyes nginx", "systemctl enable --now nginx"
        )
        # The defaults do not reach L1 constructs: the mixin below hardens this one.
        ec2.CfnInstance(
            self,
            "Legacy",
            image_id=ec2.MachineImage.latest_amazon_linux2023().get_image(self).image_id,
            instance_type="t3.small",
            subnet_id=vpc.private_subnets[0].subnet_id,
            security_group_ids=[fleet.connections.security_groups[0].security_group_id],
        )


app = cdk.App()
HardenedEc2Defaults.attach(app)
stack = TheTeamsStack(app, "Shop")
stack.node.find_child("Legacy").with_(HardenInstance())
cdk.Validations.of(app).add_plugins(HardenedEc2Checks(app))
app.synth()
