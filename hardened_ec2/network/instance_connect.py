"""InstanceConnectEndpoint: an EC2 Instance Connect Endpoint for SSH into private subnets."""

import re
from collections.abc import Sequence

import jsii
from aws_cdk import Duration, Stack, Token
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from constructs import Construct

from hardened_ec2.addresses import AddressSet, parse_network, refuse_wide_whitelist
from hardened_ec2.network.security_group import LockedSecurityGroup
from hardened_ec2.network.vpc import private_subnets
from hardened_ec2.policy.settings import Settings
from hardened_ec2.support.signature import own_signature

MAX_TUNNEL_SECONDS = 3600
"""The maximum and default duration of a tunnel in EC2, in seconds."""

_OS_USER = re.compile(r"[a-z_][a-z0-9_.-]{0,31}")


@own_signature
@jsii.implements(ec2.IConnectable)
class InstanceConnectEndpoint(Construct):
    """An EC2 Instance Connect Endpoint, for SSH without a public address or an open port.

    A user's SSH session enters through an AWS API, which IAM authorizes, and continues from the
    endpoint's network interface in the VPC. Three settings control access:

    - IAM: `grant_connect` allows a principal to open a tunnel to one server;
    - ``whitelist``: the source addresses from which these principals can connect;
    - the network: the endpoint's security group has no ingress rules, and egress only to the
      servers that pass the endpoint to `SshAccess.via_instance_connect_endpoint`.

    The endpoint is free, and a VPC can have one. CloudTrail records every attempt to connect
    (``OpenTunnel``).

    The whitelist is a condition of the policies that `grant_connect` adds, since an endpoint has no
    resource policy. It does not limit principals with ``ec2-instance-connect:*`` from another
    policy, such as administrators.

    Source: AWS, "Connect to your instances using EC2 Instance Connect Endpoint"; AWS, "Grant
        permissions to use EC2 Instance Connect Endpoint".

    Example::

        endpoint = InstanceConnectEndpoint(self, "Ssh", vpc=vpc, whitelist=["203.0.113.7"])
        ssh = SshAccess.via_instance_connect_endpoint(endpoint)
        server = HardenedInstance(self, "Server", vpc=vpc, ssh=ssh)
        endpoint.grant_connect(operators, server)
    """

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 - CDK's own name for it
        *,
        vpc: ec2.IVpc,
        subnet: ec2.ISubnet | None = None,
        security_group: ec2.ISecurityGroup | None = None,
        whitelist: Sequence[str] | None = None,
        max_whitelisted_addresses: int = Settings().whitelist_width,
    ) -> None:
        """Create the endpoint, and a security group if none is given.

        Args:
            scope: The parent construct.
            id: The endpoint's id in it.
            vpc: The VPC of the servers.
            subnet: The subnet of its network interface. Default: the VPC's first private subnet.
            security_group: The security group of its network interface. Default: a new
                `LockedSecurityGroup`.
            whitelist: The source addresses from which principals granted by `grant_connect` can
                connect: addresses of single hosts and CIDR blocks, IPv4 and IPv6, as AWS sees them,
                such as those of an office or a VPN. Default: any address.
            max_whitelisted_addresses: The maximum number of addresses in the whitelist, IPv4 and
                IPv6 together. Default: 256.

        Raises:
            ValueError: If no subnet is given and the VPC has no private one, or the whitelist is
                empty, invalid, or larger than ``max_whitelisted_addresses``.
        """
        sources = _whitelisted(whitelist, max_whitelisted_addresses)
        if subnet is None:
            subnet = vpc.select_subnets(
                subnet_type=private_subnets(vpc, named_by="subnet=vpc.public_subnets[0]")
            ).subnets[0]
        super().__init__(scope, id)
        self._whitelist = sources
        self.security_group: ec2.ISecurityGroup = security_group or LockedSecurityGroup(
            self, "SecurityGroup", vpc=vpc, description="EC2 Instance Connect Endpoint"
        )
        self.endpoint = ec2.CfnInstanceConnectEndpoint(
            self,
            "Resource",
            subnet_id=subnet.subnet_id,
            security_group_ids=[self.security_group.security_group_id],
            # The ingress rules of servers name the endpoint's security group as the source.
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

    def grant_connect(
        self,
        grantee: iam.IGrantable,
        server: ec2.IInstance,
        *,
        os_user: str = "ec2-user",
        max_tunnel_duration: Duration | None = None,
        describe: bool = True,
    ) -> iam.Grant:
        """Grant a principal SSH access to one server through the endpoint.

        The principal can open a tunnel to port 22 of this server's private address, from the
        whitelist, and push a public key for this user, which the server accepts for one minute. The
        server must also pass the endpoint to its ``ssh``, which opens port 22 to the endpoint.

        Args:
            grantee: The principal: a role, a group, a user, or an ``iam.ManagedPolicy`` to attach.
            server: The server.
            os_user: The user to log in as. Default: ``ec2-user``, the user of Amazon Linux.
            max_tunnel_duration: The maximum duration of a connection, from 1 second to 1 hour.
                Default: 1 hour.
            describe: Whether the principal can also describe the servers and endpoints of the
                account and Region, which ``aws ec2-instance-connect ssh --instance-id ...`` needs.
                These two actions (``ec2:DescribeInstances``,
                ``ec2:DescribeInstanceConnectEndpoints``) support only the resource ``*``. Default:
                True.

        Returns:
            The grant.

        Raises:
            ValueError: If the server is not an instance, the user is root or not a user name, or
                the duration is out of range.

        Source: AWS, "Grant permissions to use EC2 Instance Connect Endpoint"; AWS Service
            Authorization Reference, "Amazon EC2 Instance Connect".

        Example::

            endpoint.grant_connect(operators, server, max_tunnel_duration=Duration.minutes(30))
        """
        _refuse_other_than_a_server(server)
        _refuse_user(os_user)
        stack = Stack.of(self)
        duration = {"ec2-instance-connect:maxTunnelDuration": str(_seconds(max_tunnel_duration))}
        address = {"ec2-instance-connect:privateIpAddress": f"{server.instance_private_ip}/32"}
        whitelist = {"aws:SourceIp": self._whitelist} if self._whitelist else {}
        endpoint_id = self.instance_connect_endpoint_id
        grant = iam.Grant.add_to_principal(
            grantee=grantee,
            actions=["ec2-instance-connect:OpenTunnel"],
            resource_arns=[_arn(stack, "instance-connect-endpoint", endpoint_id)],
            conditions={
                "NumericEquals": {"ec2-instance-connect:remotePort": "22"},
                "NumericLessThanEquals": duration,
                "IpAddress": {**address, **whitelist},
            },
        )
        push = iam.Grant.add_to_principal(
            grantee=grantee,
            actions=["ec2-instance-connect:SendSSHPublicKey"],
            resource_arns=[_arn(stack, "instance", server.instance_id)],
            conditions={
                "StringEquals": {"ec2:osuser": os_user},
                **({"IpAddress": whitelist} if whitelist else {}),
            },
        )
        if not describe:
            return grant.combine(push)
        look_up = iam.Grant.add_to_principal(
            grantee=grantee,
            actions=["ec2:DescribeInstanceConnectEndpoints", "ec2:DescribeInstances"],
            resource_arns=["*"],
            conditions={"StringEquals": {"aws:RequestedRegion": stack.region}},
        )
        return grant.combine(push).combine(look_up)


def _arn(stack: Stack, resource: str, name: str) -> str:
    return stack.format_arn(service="ec2", resource=resource, resource_name=name)


def _whitelisted(whitelist: Sequence[str] | None, limit: int) -> list[str]:
    """Return the whitelisted addresses as the fewest CIDR blocks."""
    if whitelist is None:
        return []
    if isinstance(whitelist, str) or not whitelist:
        raise ValueError(
            f"whitelist is {whitelist!r}: write a list of addresses such as ['203.0.113.7', "
            "'198.51.100.0/28'], or leave whitelist out to rely on IAM alone"
        )
    if any(Token.is_unresolved(each) for each in whitelist):
        raise ValueError(
            f"whitelist contains a value that is known only at deployment, so it cannot be checked "
            f"now: {list(whitelist)!r}; write the addresses"
        )
    addresses = AddressSet.of(*(parse_network(each) for each in whitelist))
    refuse_wide_whitelist(
        addresses,
        limit,
        what="the EC2 Instance Connect Endpoint",
        limit="max_whitelisted_addresses",
        instead="leave the whitelist out to rely on IAM alone",
    )
    return [str(network) for network in addresses.networks()]


def _refuse_other_than_a_server(server: object) -> None:
    if not hasattr(server, "instance_private_ip"):
        raise ValueError(
            f"server is {server!r}: write an ec2.IInstance, such as a HardenedInstance. For the "
            "servers of a fleet, whose addresses are unknown now, use Session Manager"
        )


def _refuse_user(os_user: str) -> None:
    if os_user == "root":
        raise ValueError(
            "os_user is 'root', which sshd refuses: write a user with sudo permissions, such as "
            "'ec2-user'"
        )
    if not _OS_USER.fullmatch(os_user):
        raise ValueError(
            f"os_user is {os_user!r}: write the name of one user of the server, such as "
            "'ec2-user', 'ubuntu' or 'admin'"
        )


def _seconds(duration: Duration | None) -> int:
    if duration is None:
        return MAX_TUNNEL_SECONDS
    seconds = int(duration.to_seconds())
    if not 1 <= seconds <= MAX_TUNNEL_SECONDS:
        raise ValueError(
            f"max_tunnel_duration is {seconds} seconds, and 1 to {MAX_TUNNEL_SECONDS} are allowed: "
            "write the maximum duration of a connection, such as Duration.minutes(30)"
        )
    return seconds
