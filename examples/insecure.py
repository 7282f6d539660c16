#!/usr/bin/env python3
"""An insecure server, to see the policy refuse it. Never deploy it.

    cdk synth --app "python3 -m examples.insecure" --output build/insecure

fails, and says for each finding where it is and what to write instead.
"""

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2

from hardened_ec2 import HardenedEc2Checks

app = cdk.App()
stack = cdk.Stack(app, "Insecure")
vpc = ec2.Vpc(stack, "Vpc", max_azs=2, nat_gateways=0)

# The internet in two halves, each of which looks like a network; the stock rules miss it.
group = ec2.SecurityGroup(stack, "Group", vpc=vpc)
group.add_ingress_rule(ec2.Peer.ipv4("0.0.0.0/1"), ec2.Port.tcp(22))
group.add_ingress_rule(ec2.Peer.ipv4("128.0.0.0/1"), ec2.Port.tcp_range(20, 25))

# Everyone who may describe the instance can read this password.
user_data = ec2.UserData.for_linux()
user_data.add_commands("export DB_PASSWORD=Tr0ub4dor-and-3", "systemctl start shop")

ec2.Instance(
    stack,
    "Server",
    vpc=vpc,
    vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC),
    instance_type=ec2.InstanceType("t4g.small"),
    machine_image=ec2.MachineImage.latest_amazon_linux2023(cpu_type=ec2.AmazonLinuxCpuType.ARM_64),
    security_group=group,
    user_data=user_data,
)

cdk.Validations.of(app).add_plugins(HardenedEc2Checks(app))
app.synth()
