"""LockedSecurityGroup: a security group without ingress and egress until a rule is added."""

import re
from functools import cache
from typing import Any

from aws_cdk import Token
from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from hardened_ec2.addresses import ANYWHERE, AddressSet, refuse_wide_whitelist
from hardened_ec2.policy.ports import ADMINISTRATIVE_PORTS
from hardened_ec2.policy.settings import Settings
from hardened_ec2.support.signature import own_signature

# The characters that EC2 accepts in a description; others fail only at deployment.
_DESCRIPTION = re.compile(r"[a-zA-Z0-9 ._\-:/()#,@\[\]+=&;{}!$*]{1,255}")

TIME_SYNC = "NTP to the Amazon Time Sync Service"
"""The description of the egress rule that every locked group has."""

TIME_SYNC_CIDR = "169.254.169.123/32"


@own_signature
class LockedSecurityGroup(ec2.SecurityGroup):
    """A security group without ingress and egress until you add a rule.

    EC2 opens all egress of a group without egress rules, and CDK's placeholder against this, a rule
    to 255.255.255.255, reads like a mistake. This group always has one real egress rule instead:
    NTP to the Amazon Time Sync Service at 169.254.169.123. Security groups never filter this
    link-local address, so the rule grants nothing new.

    It refuses the following, in direct calls and through `connections`:

    - a rule without a description;
    - an administrative port (SSH, RDP, ...) open to the world or to more addresses than
      ``max_administrative_addresses``, over all ingress rules together and also in a port range;
    - all egress to everywhere.

    Source: Security Hub EC2.13, EC2.18, EC2.19; CIS AWS Foundations 5.3, 5.4; AWS, "Security
        group rules".

    Example::

        group = LockedSecurityGroup(self, "Web", vpc=vpc, description="Web servers")
        group.add_ingress_rule(balancer_group, ec2.Port.tcp(8080), "HTTP from the load balancer")
        group.add_egress_rule(database_group, ec2.Port.tcp(5432), "PostgreSQL")
    """

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 - CDK's own name for it
        *,
        vpc: ec2.IVpc,
        description: str,
        security_group_name: str | None = None,
        max_administrative_addresses: int | None = None,
    ) -> None:
        """Create the group with one egress rule, which grants nothing new.

        Args:
            scope: The parent construct.
            id: The group's id in it.
            vpc: The VPC of the group.
            description: The purpose of the group. EC2 cannot change it later.
            security_group_name: A physical name. Default: CloudFormation generates one, so that the
                group can be replaced and deployed more than once.
            max_administrative_addresses: The maximum number of addresses that can reach an
                administrative port, IPv4 and IPv6 together. Default: 256.

        Raises:
            ValueError: If a description is missing or has characters that EC2 refuses, or a rule
                is refused. Through ``connections``, the message is raised as a RuntimeError.
        """
        _check_description(description, "the group")
        self._administrative_sources = dict.fromkeys(ADMINISTRATIVE_PORTS, AddressSet())
        self._max_administrative_addresses = (
            Settings().whitelist_width
            if max_administrative_addresses is None
            else max_administrative_addresses
        )
        super().__init__(
            scope,
            id,
            vpc=vpc,
            description=description,
            security_group_name=security_group_name,
            allow_all_outbound=False,
            allow_all_ipv6_outbound=False,
            # A context key can disable inline rules; without them EC2 opens all egress.
            disable_inline_rules=False,
        )
        peer, port = time_sync()
        super().add_egress_rule(peer, port, TIME_SYNC)

    def add_ingress_rule(
        self,
        peer: ec2.IPeer,
        connection: ec2.Port,
        description: str | None = None,
        remote_rule: bool | None = None,  # noqa: FBT001 - the signature of ec2.SecurityGroup
    ) -> None:
        """Add an ingress rule.

        Args:
            peer: The source.
            connection: The ports.
            description: The purpose of the rule. Required, unlike in `ec2.SecurityGroup`.
            remote_rule: Whether the rule belongs in the peer's stack. Default: False.

        Raises:
            ValueError: If the rule has no description, or opens an administrative port to the
                world or to more addresses than the group permits.

        Source: Security Hub EC2.13, EC2.19; CIS AWS Foundations 5.3, 5.4.

        Example::

            group.add_ingress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(443), "HTTPS for everyone")
        """
        _check_description(description, "an ingress rule")
        sources = self._with_sources(peer, connection)
        super().add_ingress_rule(peer, connection, description, remote_rule)
        self._administrative_sources |= sources

    def add_egress_rule(
        self,
        peer: ec2.IPeer,
        connection: ec2.Port,
        description: str | None = None,
        remote_rule: bool | None = None,  # noqa: FBT001 - the signature of ec2.SecurityGroup
    ) -> None:
        """Add an egress rule.

        Args:
            peer: The destination.
            connection: The ports.
            description: The purpose of the rule. Required, unlike in `ec2.SecurityGroup`.
            remote_rule: Whether the rule belongs in the peer's stack. Default: False.

        Raises:
            ValueError: If the rule has no description, or opens everything to everywhere.

        Source: AWS, "Security group rules".

        Example::

            group.add_egress_rule(database_group, ec2.Port.tcp(5432), "PostgreSQL")
        """
        _check_description(description, "an egress rule")
        if connection.to_rule_json()["ipProtocol"] == "-1":
            config = peer.to_egress_rule_config()
            address = config.cidr_ip or config.cidr_ipv6
            if address in ANYWHERE:
                raise ValueError(
                    f"egress rule {description!r} opens every port to {address}: name the ports "
                    "and the peer, such as add_egress_rule(ec2.Peer.any_ipv4(), "
                    "ec2.Port.tcp(443), 'HTTPS')"
                )
        super().add_egress_rule(peer, connection, description, remote_rule)

    def reach(self, group: "LockedSecurityGroup", port: int, description: str) -> None:
        """Let this group's members reach another locked group's members on a TCP port.

        Equivalent to ``connections.allow_to``, in two messages to node and without calls back into
        Python.

        Args:
            group: The destination.
            port: The TCP port.
            description: The purpose of both rules.

        Raises:
            ValueError: If the description is missing or has characters that EC2 refuses.

        Example::

            servers = LockedSecurityGroup(self, "Servers", vpc=vpc, description="Servers")
            caches = LockedSecurityGroup(self, "Caches", vpc=vpc, description="Caches")
            servers.reach(caches, 6379, "Redis")
        """
        _check_description(description, "the rule")
        super().add_egress_rule(group, tcp(port), description)
        ec2.SecurityGroup.add_ingress_rule(
            group,
            self,
            tcp(port),
            description,
            True,  # noqa: FBT003 - remote_rule, as connections set it
        )

    def _with_sources(self, peer: ec2.IPeer, connection: ec2.Port) -> dict[int, AddressSet]:
        """Return the sources of each administrative port that a new ingress rule opens."""
        ports = _administrative_ports(connection.to_rule_json())
        if not ports:
            return {}
        config = peer.to_ingress_rule_config()
        text = config.cidr_ip or config.cidr_ipv6
        if text is None or Token.is_unresolved(text):
            # The addresses of groups, prefix lists and tokens are known only at deployment: the
            # policy judges what it can and reports the rest as not verified.
            return {}
        addresses = AddressSet.of(text)
        united = {port: self._administrative_sources[port] | addresses for port in ports}
        for port, sources in united.items():
            refuse_wide_whitelist(
                sources,
                self._max_administrative_addresses,
                what=f"port {port} ({ADMINISTRATIVE_PORTS[port]})",
                limit="max_administrative_addresses",
                instead="use a security group or an EC2 Instance Connect Endpoint as the source",
            )
        return united


@cache
def time_sync() -> tuple[ec2.IPeer, ec2.Port]:
    """Return the Amazon Time Sync Service as a peer and its port, created once for all groups."""
    return ec2.Peer.ipv4(TIME_SYNC_CIDR), ec2.Port.udp(123)


@cache
def tcp(port: int) -> ec2.Port:
    """Return a TCP port, created once for all rules.

    Args:
        port: The port number.

    Returns:
        The port as a CDK value.
    """
    return ec2.Port.tcp(port)


def _administrative_ports(rule: dict[str, Any]) -> list[int]:
    protocol, first, last = rule["ipProtocol"], rule.get("fromPort"), rule.get("toPort")
    if protocol == "-1":
        return list(ADMINISTRATIVE_PORTS)
    if protocol != "tcp" or first is None or last is None:
        return []
    # A port that is a token is a large negative number until deployment.
    return [port for port in ADMINISTRATIVE_PORTS if first <= port <= last]


def _check_description(description: str | None, what: str) -> None:
    if not description:
        raise ValueError(
            f"{what} has no description: write its purpose as description='...', so that a later "
            "reader can decide whether it is still needed"
        )
    if not _DESCRIPTION.fullmatch(description) and not Token.is_unresolved(description):
        raise ValueError(
            f"{what} has the description {description!r}, which EC2 refuses: write up to 255 "
            "characters of letters, digits, spaces and ._-:/()#,@[]+=&;{}!$*"
        )
