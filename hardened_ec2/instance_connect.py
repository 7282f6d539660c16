"""InstanceConnectEndpoint: SSH into private subnets, with IAM as the door."""

import jsii
from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from hardened_ec2.network import private_subnets
from hardened_ec2.security_group import LockedSecurityGroup


@jsii.implements(ec2.IConnectable)
class InstanceConnectEndpoint(Construct):
    """An EC2 Instance Connect Endpoint: the way to SSH without a public address or open port.

    A user's SSH session enters through AWS's API, where IAM decides (``OpenTunnel``), and leaves
    from the endpoint's network interface in the VPC. The endpoint's own group lets nothing in and
    reaches only the servers that name it in `SshAccess.via_instance_connect_endpoint`. The
    endpoint itself costs nothing; a VPC can have one.

    Args:
        scope: The construct to make the endpoint in.
        id: The endpoint's id there.
        vpc: The VPC of the servers.
        subnet: The subnet of its network interface. Default: the VPC's first private subnet.
        security_group: The group of its network interface. Default: a `LockedSecurityGroup`.

    Raises:
        ValueError: If no subnet is given and the VPC has no private one.

    Source: AWS, "Connect to your instances using EC2 Instance Connect Endpoint".

    Example::

        endpoint = InstanceConnectEndpoint(self, "Ssh", vpc=vpc)
        ssh = SshAccess.via_instance_connect_endpoint(endpoint)
        HardenedInstance(self, "Server", vpc=vpc, ssh=ssh)
    """

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 - CDK's own name for it
        *,
        vpc: ec2.IVpc,
        subnet: ec2.ISubnet | None = None,
        security_group: ec2.ISecurityGroup | None = None,
    ) -> None:
        if subnet is None:
            subnet = vpc.select_subnets(
                subnet_type=private_subnets(vpc, named_by="subnet=vpc.public_subnets[0]")
            ).subnets[0]
        super().__init__(scope, id)
        self.security_group: ec2.ISecurityGroup = security_group or LockedSecurityGroup(
            self, "SecurityGroup", vpc=vpc, description="EC2 Instance Connect Endpoint"
        )
        self.endpoint = ec2.CfnInstanceConnectEndpoint(
            self,
            "Resource",
            subnet_id=subnet.subnet_id,
            security_group_ids=[self.security_group.security_group_id],
            # The servers then see the endpoint's group, which is what their rules name.
            preserve_client_ip=False,
        )

    @property
    def connections(self) -> ec2.Connections:
        """The connections of the endpoint's group."""
        return self.security_group.connections

    @property
    def instance_connect_endpoint_id(self) -> str:
        """The id of the endpoint, ``eice-...``."""
        return self.endpoint.attr_id
