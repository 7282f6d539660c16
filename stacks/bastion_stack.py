"""BastionStack: the only server of the reference app with a public address."""

from aws_cdk import Acknowledgment, CfnOutput, Environment, Stack, Validations
from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from hardened_ec2 import HardenedInstance, SshAccess


class BastionStack(Stack):
    """A `HardenedInstance` with a public address, whose port 22 is open to a whitelist.

    Args:
        scope: The app or stage.
        id: The stack's id there.
        vpc: The network, with public subnets.
        ssh: Who may reach port 22.
        env: The account and Region. Default: those of the credentials at deployment.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 - CDK's own name for it
        *,
        vpc: ec2.IVpc,
        ssh: SshAccess,
        env: Environment | None = None,
    ) -> None:
        super().__init__(scope, id, env=env)
        self.bastion = HardenedInstance(
            self,
            "Bastion",
            vpc=vpc,
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC),
            associate_public_ip_address=True,
            ssh=ssh,
        )
        public = (
            "A bastion is the one server with a public address; port 22 is open to the SSH "
            "whitelist and nothing else is open."
        )
        Validations.of(self.bastion).acknowledge(
            Acknowledgment(id="HardenedEc2::HardenedEc2-PublicAddress", reason=public),
            Acknowledgment(
                id="NIST.800.53.R5::NIST.800.53.R5-EC2InstanceNoPublicIp", reason=public
            ),
            Acknowledgment(
                id="NIST.800.53.R5::NIST.800.53.R5-EC2InstancesInVPC",
                reason="It is in a VPC: with a public address the subnet is named by the network "
                "interface, where this rule does not look.",
            ),
        )
        CfnOutput(self, "PublicIp", value=self.bastion.instance_public_ip)
