"""HardenedVpc: a VPC of isolated subnets with flow logs and VPC endpoints."""

from __future__ import annotations

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from constructs import Construct

from hardened_ec2.network.interface_endpoints import InterfaceEndpoints
from hardened_ec2.network.security_group import LockedSecurityGroup, tcp
from hardened_ec2.support.log_group import encrypted_log_group
from hardened_ec2.support.signature import own_signature


@own_signature
class HardenedVpc(ec2.Vpc):
    """A VPC of isolated subnets, with flow logs and the VPC endpoints that a server needs.

    By default it has no internet gateway and no NAT gateway: the internet cannot reach servers, and
    servers reach only AWS services, through endpoints. The default security group is closed.
    Subnets never assign public addresses automatically, neither IPv4 nor IPv6.

    Costs in us-east-1 per month, with the defaults in two zones: interface endpoints $29.20 (two
    services in two zones, $7.30 each) and $0.01 for each GB through them; the KMS key $1; flow logs
    $0.50 for each GB. The gateway endpoint for S3 is free. With ``interface_endpoints=()`` and a
    ``flow_log_bucket``, the VPC itself is free.

    Source: Security Hub EC2.2, EC2.6, EC2.15; CIS AWS Foundations 3.7, 5.5; AWS, "VPC endpoints".

    Example::

        vpc = HardenedVpc(self, "Network")
        HardenedInstance(self, "Server", vpc=vpc)
    """

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 - CDK's own name for it
        *,
        ip_addresses: ec2.IIpAddresses | None = None,
        max_azs: int = 2,
        public_subnets: bool = False,
        nat_gateways: int = 0,
        flow_log_bucket: cdk.aws_s3.IBucket | None = None,
        flow_log_retention: cdk.aws_logs.RetentionDays | None = None,
        encryption_key: cdk.aws_kms.IKey | None = None,
        interface_endpoints: Sequence[str] = InterfaceEndpoints.SESSION_MANAGER,
        s3_prefix_list_id: str | None = None,
    ) -> None:
        """Create the VPC, its flow logs and its endpoints.

        Args:
            scope: The parent construct.
            id: The VPC's id in it.
            ip_addresses: The IPv4 range. Default: 10.0.0.0/16.
            max_azs: The maximum number of Availability Zones. Default: 2.
            public_subnets: Whether the VPC also has public subnets and an internet gateway, for a
                bastion or a load balancer. In them, an instance has a public address only if it
                requests one. Default: False.
            nat_gateways: The number of NAT gateways, for private subnets that must reach the
                internet; the private subnets are then no longer isolated. $32.85 a month each.
                Default: 0.
            flow_log_bucket: An S3 bucket for the flow logs. Default: a new encrypted CloudWatch log
                group.
            flow_log_retention: How long the log group keeps flow logs. Default: one year.
            encryption_key: The KMS key of the log group. Its policy must allow CloudWatch Logs to
                use it. Default: a new key with rotation.
            interface_endpoints: The AWS services with an interface endpoint, by short name, such as
                ``("ssm", "ssmmessages", "logs")``; repeated names count once. `InterfaceEndpoints`
                lists what each feature needs. Only servers passed to `allow_endpoints_from` can
                reach the endpoints. Default: `InterfaceEndpoints.SESSION_MANAGER`.
            s3_prefix_list_id: The id of AWS's prefix list for S3 in the Region (``pl-...``; ``aws
                ec2 describe-managed-prefix-lists``). It lets servers reach S3, where Amazon Linux
                stores its packages, through the gateway endpoint. Default: none; the VPC has a
                route to S3, but security groups do not allow egress to it.

        Raises:
            ValueError: If NAT gateways are given without public subnets, a flow log bucket is given
                with settings of the log group, or ``s3_prefix_list_id`` is not a prefix list id.
        """
        if nat_gateways and not public_subnets:
            raise ValueError(
                f"nat_gateways={nat_gateways} is given without public subnets, which NAT gateways "
                "need: write public_subnets=True as well, or leave nat_gateways out"
            )
        if flow_log_bucket is not None and (flow_log_retention or encryption_key):
            raise ValueError(
                "flow_log_bucket is given together with flow_log_retention or encryption_key, "
                "which belong to the log group it replaces: set them on the bucket instead"
            )
        if isinstance(interface_endpoints, str):
            raise ValueError(
                f"interface_endpoints is the text {interface_endpoints!r}: write a tuple of "
                f"service names, such as ({interface_endpoints!r},)"
            )
        if s3_prefix_list_id is not None and not s3_prefix_list_id.startswith(("pl-", "${Token[")):
            raise ValueError(
                f"s3_prefix_list_id is {s3_prefix_list_id!r}: write the id of AWS's prefix list "
                "for S3, 'pl-...', from: aws ec2 describe-managed-prefix-lists --filters "
                "Name=prefix-list-name,Values=com.amazonaws.REGION.s3"
            )
        private = (
            ec2.SubnetType.PRIVATE_WITH_EGRESS if nat_gateways else ec2.SubnetType.PRIVATE_ISOLATED
        )
        subnets = [ec2.SubnetConfiguration(name="Private", subnet_type=private)]
        if public_subnets:
            subnets.append(
                ec2.SubnetConfiguration(
                    name="Public",
                    subnet_type=ec2.SubnetType.PUBLIC,
                    cidr_mask=24,
                    map_public_ip_on_launch=False,
                )
            )
        super().__init__(
            scope,
            id,
            ip_addresses=ip_addresses,
            max_azs=max_azs,
            nat_gateways=nat_gateways,
            subnet_configuration=subnets,
            restrict_default_security_group=True,
            # Explicit, so that HardenedEc2Defaults adds none: the flow log is created below.
            flow_logs={},
            gateway_endpoints={
                "S3": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.S3)
            },
        )
        self._s3_prefix_list_id = s3_prefix_list_id
        self.reaches_s3 = s3_prefix_list_id is not None
        """Whether servers can reach S3, through its gateway endpoint."""
        self.interface_endpoints = tuple(dict.fromkeys(interface_endpoints))
        """The AWS services with an interface endpoint, by short name."""
        self._private_subnet_type = private
        if flow_log_bucket is not None:
            self.add_flow_log("FlowLog", destination=ec2.FlowLogDestination.to_s3(flow_log_bucket))
        else:
            _flow_log_to_cloud_watch(self, flow_log_retention, encryption_key)
        self._endpoint_group: LockedSecurityGroup | None = None
        if interface_endpoints:
            self._endpoint_group = LockedSecurityGroup(
                self, "EndpointSecurityGroup", vpc=self, description="VPC interface endpoints"
            )
            for service in self.interface_endpoints:
                self.add_interface_endpoint(
                    service,
                    service=ec2.InterfaceVpcEndpointAwsService(service),
                    subnets=ec2.SubnetSelection(subnet_type=private),
                    security_groups=[self._endpoint_group],
                    open=False,
                )

    def allow_endpoints_from(self, connectable: ec2.IConnectable) -> None:
        """Let a server reach the VPC's endpoints over HTTPS.

        `HardenedInstance` calls this itself.

        Args:
            connectable: The server, or another construct with a security group.

        Example::

            vpc.allow_endpoints_from(legacy_group)
        """
        if self._endpoint_group is not None and isinstance(connectable, LockedSecurityGroup):
            connectable.reach(self._endpoint_group, 443, _TO_ENDPOINTS)
        elif self._endpoint_group is not None:
            connectable.connections.allow_to(self._endpoint_group, tcp(443), _TO_ENDPOINTS)
        if self._s3_prefix_list_id is not None:
            connectable.connections.allow_to(
                ec2.Peer.prefix_list(self._s3_prefix_list_id),
                tcp(443),
                "S3 through its gateway endpoint",
            )


_TO_ENDPOINTS = "AWS services through VPC endpoints"
_NAMED_BY = "vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC)"


def private_subnets(vpc: ec2.IVpc, *, named_by: str = _NAMED_BY) -> ec2.SubnetType:
    """Return the type of a VPC's private subnets.

    CDK's own default silently falls back to public subnets in a VPC without private ones.

    Args:
        vpc: The VPC.
        named_by: The argument with which the message tells the user to name other subnets. Default:
            the argument ``vpc_subnets`` of an instance.

    Returns:
        Private with egress if the VPC has such subnets, otherwise isolated.

    Raises:
        ValueError: If the VPC has no private subnet.

    Example::

        vpc.select_subnets(subnet_type=private_subnets(vpc))
    """
    if isinstance(vpc, HardenedVpc):
        return vpc._private_subnet_type  # noqa: SLF001 - saves a message to node for each server
    if vpc.private_subnets:
        return ec2.SubnetType.PRIVATE_WITH_EGRESS
    if vpc.isolated_subnets:
        return ec2.SubnetType.PRIVATE_ISOLATED
    raise ValueError(
        f"the VPC {vpc.node.path} has no private subnet: write HardenedVpc(...), or name the "
        f"subnets with {named_by}"
    )


def _flow_log_to_cloud_watch(
    vpc: HardenedVpc, retention: cdk.aws_logs.RetentionDays | None, key: cdk.aws_kms.IKey | None
) -> None:
    log_group = encrypted_log_group(
        vpc,
        "FlowLogGroup",
        key_id="FlowLogKey",
        key_description="VPC flow logs",
        encryption_key=key,
        retention=retention,
    )
    role = iam.Role(
        vpc,
        "FlowLogRole",
        assumed_by=iam.ServicePrincipal(
            "vpc-flow-logs.amazonaws.com",
            conditions={"StringEquals": {"aws:SourceAccount": Stack.of(vpc).account}},
        ),
        description="Writes VPC flow logs",
    )
    iam.ManagedPolicy(
        vpc,
        "FlowLogPermissions",
        description="Write VPC flow logs to their log group",
        roles=[role],
        statements=[
            iam.PolicyStatement(
                actions=["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
                resources=[log_group.log_group_arn],
            )
        ],
    )
    # The L1, since the L2 adds an inline policy to the role, which NIST 800-53 packs refuse.
    ec2.CfnFlowLog(
        vpc,
        "FlowLog",
        resource_id=vpc.vpc_id,
        resource_type="VPC",
        traffic_type="ALL",
        log_destination_type="cloud-watch-logs",
        log_group_name=log_group.log_group_name,
        deliver_logs_permission_arn=role.role_arn,
    )
