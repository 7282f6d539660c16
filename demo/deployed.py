"""Deployed resources as plain values: `aws_reader` makes them, `read_back` judges them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Statement = Mapping[str, Any]
"""One statement of an IAM policy."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One security group rule, for one peer.

    Args:
        protocol: As EC2 spells it; ``-1`` is every protocol.
        first_port: The lowest port; -1 where the protocol has none or the rule is for all.
        last_port: The highest port.
        peer: A CIDR block, a group's id or a prefix list's id.
    """

    protocol: str
    first_port: int
    last_port: int
    peer: str

    @property
    def ports(self) -> str:
        """Protocol and ports, as in ``tcp/22``."""
        if self.protocol == "-1":
            return "everything"
        if self.first_port == self.last_port:
            return f"{self.protocol}/{self.first_port}"
        return f"{self.protocol}/{self.first_port}-{self.last_port}"


@dataclass(frozen=True, kw_only=True)
class Group:
    """A security group with its rules, one for each peer."""

    group_id: str
    name: str
    ingress: tuple[Rule, ...]
    egress: tuple[Rule, ...]


@dataclass(frozen=True, kw_only=True)
class Volume:
    """An EBS volume of a server."""

    volume_id: str
    encrypted: bool


@dataclass(frozen=True, kw_only=True)
class Server:
    """An EC2 instance with its volumes, security groups and role.

    Args:
        path: Where it is in the app, the stack first.
        http_endpoint: Metadata option: ``enabled`` or ``disabled``.
        http_tokens: Metadata option: ``required`` or ``optional``.
        http_put_response_hop_limit: Metadata option.
        http_protocol_ipv6: Metadata option: ``enabled`` or ``disabled``.
        instance_metadata_tags: Metadata option: ``enabled`` or ``disabled``.
        groups: The groups of all its network interfaces.
        public_addresses: Its public IPv4 and its IPv6 addresses.
        volumes: Its EBS volumes.
        termination_protected: The attribute DisableApiTermination.
        monitoring: The state of detailed monitoring.
        key_name: Its key pair; empty if it has none.
        user_data: What the instance was given, decoded.
        template_user_data: What the template says, decoded; None if it says nothing.
        statements: Every statement of its role's policies, attached and inline.
    """

    path: str
    http_endpoint: str
    http_tokens: str
    http_put_response_hop_limit: int
    http_protocol_ipv6: str
    instance_metadata_tags: str
    groups: tuple[Group, ...]
    public_addresses: tuple[str, ...]
    volumes: tuple[Volume, ...]
    termination_protected: bool
    monitoring: str
    key_name: str
    user_data: bytes
    template_user_data: bytes | None
    statements: tuple[Statement, ...]


@dataclass(frozen=True, kw_only=True)
class Subnet:
    """A subnet, and whether it assigns public addresses by default."""

    subnet_id: str
    gives_public_addresses: bool


@dataclass(frozen=True, kw_only=True)
class FlowLog:
    """A flow log on a VPC."""

    traffic_type: str
    status: str


@dataclass(frozen=True, kw_only=True)
class LogGroup:
    """A log group that receives flow logs.

    Args:
        kms_key_id: The key that encrypts it; empty if CloudWatch's own does.
        retention_in_days: How long it keeps an event; 0 for ever.
    """

    kms_key_id: str
    retention_in_days: int


@dataclass(frozen=True, kw_only=True)
class Network:
    """A VPC with its subnets, flow logs and default security group.

    Args:
        path: Where it is in the app, the stack first.
        default_group: The group that came with the VPC.
        subnets: Its subnets.
        flow_logs: The flow logs on the VPC itself.
        log_groups: The log groups they write to.
        endpoint_groups: The groups of its interface endpoints.
        ssh_endpoint_groups: The groups of its EC2 Instance Connect Endpoints.
    """

    path: str
    default_group: Group
    subnets: tuple[Subnet, ...]
    flow_logs: tuple[FlowLog, ...]
    log_groups: tuple[LogGroup, ...]
    endpoint_groups: tuple[Group, ...]
    ssh_endpoint_groups: tuple[Group, ...]


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """All resources that a read-back judges.

    Args:
        servers: Every instance of the stacks.
        networks: Every VPC of the stacks.
        groups: Every security group that the stacks made: where it is, by its id.
        missing: Resources that a template names and CloudFormation does not list, as
            ``Stack/LogicalId (Type)``.
    """

    servers: tuple[Server, ...]
    networks: tuple[Network, ...]
    groups: Mapping[str, str]
    missing: tuple[str, ...]
