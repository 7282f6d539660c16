"""FleetStack: the fleet of the reference app, with its image and upkeep."""

from aws_cdk import CfnOutput, Environment, Stack
from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from hardened_ec2 import (
    HardenedAutoScalingGroup,
    HardenedImage,
    HardenedLaunchTemplate,
    HardeningAssociation,
    ManagedNodes,
    PatchSchedule,
    SshAccess,
)


class FleetStack(Stack):
    """A `HardenedAutoScalingGroup` of two to four servers in private subnets, and their upkeep.

    Args:
        scope: The app or stage.
        id: The stack's id there.
        vpc: The network, with an interface endpoint for EC2 Auto Scaling.
        ssh: Who may reach port 22.
        upkeep: Whether State Manager keeps the servers hardened and Patch Manager patches them.
            Default: False.
        image: Whether the servers are launched from a hardened AMI, which is built during the
            deployment. Default: False.
        env: The account and Region. Default: those of the credentials at deployment.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 - CDK's own name for it
        *,
        vpc: ec2.IVpc,
        ssh: SshAccess,
        upkeep: bool = False,
        image: bool = False,
        env: Environment | None = None,
    ) -> None:
        super().__init__(scope, id, env=env)
        template = HardenedLaunchTemplate(
            self,
            "LaunchTemplate",
            vpc=vpc,
            ssh=ssh,
            machine_image=HardenedImage(self, "Image", vpc=vpc).machine_image if image else None,
            # The group terminates and replaces its servers itself.
            disable_api_termination=False,
            disable_api_stop=False,
        )
        self.fleet = HardenedAutoScalingGroup(
            self, "Fleet", vpc=vpc, launch_template=template, max_capacity=4
        )
        self.fleet.scale_on_cpu_utilization("Load", target_utilization_percent=50)
        if upkeep:
            nodes = ManagedNodes.auto_scaling_group(self.fleet)
            HardeningAssociation(self, "Upkeep", nodes=nodes)
            PatchSchedule(self, "Patches", nodes=nodes)
        CfnOutput(self, "AutoScalingGroupName", value=self.fleet.auto_scaling_group_name)
        CfnOutput(
            self,
            "NotificationsTopicArn",
            value=self.fleet.notifications_topic.topic_arn,
            description="Subscribe to it to be told of launches and terminations",
        )
