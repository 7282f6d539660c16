"""NetworkStack: the VPC of the reference app, and its EC2 Instance Connect Endpoint."""

from collections.abc import Sequence

from aws_cdk import Acknowledgment, Environment, Stack, Validations
from constructs import Construct

from hardened_ec2 import HardenedVpc, InstanceConnectEndpoint, InterfaceEndpoints


class NetworkStack(Stack):
    """A `HardenedVpc` with an EC2 Instance Connect Endpoint.

    Args:
        scope: The app or stage.
        id: The stack's id there.
        public_subnets: Whether a bastion needs public subnets. Default: False; the VPC then has no
            internet gateway.
        fleet: Whether servers of a fleet have to reach EC2 Auto Scaling. Default: False.
        upkeep: Whether servers send the output of patching to CloudWatch Logs. Default: False.
        image: Whether servers build an image. Default: False.
        recorded_sessions: Whether sessions are recorded, which requires interface endpoints for
            their log group and key. Default: False.
        ssh_whitelist: The addresses from which principals may open tunnels through the endpoint.
            Default: any.
        s3_prefix_list_id: AWS's prefix list for S3 in the Region, so that servers can fetch
            packages. Default: none.
        env: The account and Region. Default: those of the credentials at deployment.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 - CDK's own name for it
        *,
        public_subnets: bool = False,
        fleet: bool = False,
        upkeep: bool = False,
        image: bool = False,
        recorded_sessions: bool = False,
        ssh_whitelist: Sequence[str] | None = None,
        s3_prefix_list_id: str | None = None,
        env: Environment | None = None,
    ) -> None:
        super().__init__(scope, id, env=env)
        endpoints = [*InterfaceEndpoints.SESSION_MANAGER]
        if fleet:
            endpoints += InterfaceEndpoints.LIFECYCLE_HOOK
        if upkeep:
            endpoints += InterfaceEndpoints.PATCH_MANAGER
        if image:
            endpoints += InterfaceEndpoints.IMAGE_BUILDER
        if recorded_sessions:
            endpoints += InterfaceEndpoints.SESSION_RECORDING
        self.vpc = HardenedVpc(
            self,
            "Vpc",
            public_subnets=public_subnets,
            interface_endpoints=endpoints,
            s3_prefix_list_id=s3_prefix_list_id,
        )
        self.instance_connect_endpoint = InstanceConnectEndpoint(
            self, "InstanceConnectEndpoint", vpc=self.vpc, whitelist=ssh_whitelist
        )
        for subnet in self.vpc.public_subnets:
            Validations.of(subnet).acknowledge(
                Acknowledgment(
                    id="NIST.800.53.R5::NIST.800.53.R5-VPCNoUnrestrictedRouteToIGW",
                    reason="The bastion's subnet: a route to the internet gateway is what makes "
                    "it public. Servers are in private subnets, which have none.",
                )
            )
