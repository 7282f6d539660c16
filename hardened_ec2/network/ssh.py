"""SshAccess: the sources that can reach port 22."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from aws_cdk import Token
from aws_cdk import aws_ec2 as ec2

from hardened_ec2.addresses import AddressSet, parse_network, refuse_wide_whitelist
from hardened_ec2.network.instance_connect import InstanceConnectEndpoint
from hardened_ec2.network.security_group import tcp
from hardened_ec2.policy.settings import Settings

DEFAULT_MAX_ADDRESSES = Settings().whitelist_width
"""The default maximum number of addresses in an SSH whitelist."""


@dataclass(frozen=True, kw_only=True)
class SshAccess:
    """The sources that can reach port 22: none by default.

    Create one with `none`, `from_cidrs`, `from_prefix_list`, `from_security_group` or
    `via_instance_connect_endpoint`, and combine several with ``|``. The maximum applies to the
    union of all addresses.

    Args:
        cidrs: Addresses and CIDR blocks, normalized, without duplicates. Default: none.
        prefix_lists: Ids of managed prefix lists, ``pl-...``. Default: none.
        security_groups: Security groups whose members can connect. Default: none.
        endpoints: EC2 Instance Connect Endpoints that can connect. Default: none.
        max_addresses: The maximum number of addresses in ``cidrs``, IPv4 and IPv6 together.
            Default: 256.

    Raises:
        ValueError: If the addresses exceed ``max_addresses``, or include the whole internet.

    Source: Security Hub EC2.13, EC2.53; CIS AWS Foundations 5.3, 5.4.

    Example:
        >>> SshAccess.from_cidrs("203.0.113.7", "198.51.100.0/28").cidrs
        ('203.0.113.7/32', '198.51.100.0/28')
    """

    cidrs: tuple[str, ...] = ()
    prefix_lists: tuple[str, ...] = ()
    security_groups: tuple[ec2.ISecurityGroup, ...] = ()
    endpoints: tuple[InstanceConnectEndpoint, ...] = ()
    max_addresses: int = DEFAULT_MAX_ADDRESSES

    def __post_init__(self) -> None:
        if isinstance(self.max_addresses, bool) or not isinstance(self.max_addresses, int):
            raise ValueError(
                f"max_addresses is {self.max_addresses!r}: write a whole number, 1 or more"
            )
        if self.max_addresses < 1:
            raise ValueError(
                f"max_addresses is {self.max_addresses}: write 1 or more, or SshAccess.none()"
            )
        refuse_wide_whitelist(
            self.addresses,
            self.max_addresses,
            what="SSH",
            limit="max_addresses",
            instead="use SshAccess.via_instance_connect_endpoint(...)",
        )

    @classmethod
    def none(cls) -> Self:
        """Return access without sources, the default. Session Manager needs no open port.

        Returns:
            Access that keeps port 22 closed.

        Example:
            >>> bool(SshAccess.none())
            False
        """
        return cls()

    @classmethod
    def from_cidrs(cls, *cidrs: str, max_addresses: int = DEFAULT_MAX_ADDRESSES) -> Self:
        """Return access for whitelisted addresses.

        Args:
            cidrs: Addresses of single hosts, and CIDR blocks; IPv4 and IPv6. A token that resolves
                only at deployment is accepted, and the policy pack reports it as not verified.
            max_addresses: The maximum number of addresses in the union. A larger network such as
                10.0.0.0/8 needs a larger maximum; the whole internet is always refused. Default:
                256.

        Returns:
            Access for these addresses.

        Raises:
            ValueError: If no address is given, one is invalid or has host bits set, two overlap, or
                the union exceeds ``max_addresses``.

        Source: Security Hub EC2.13, EC2.53; CIS AWS Foundations 5.3, 5.4.

        Example:
            >>> SshAccess.from_cidrs("203.0.113.7").cidrs
            ('203.0.113.7/32',)
        """
        if not cidrs:
            raise ValueError(
                "SshAccess.from_cidrs() got no address: write at least one, such as "
                "SshAccess.from_cidrs('203.0.113.7'), or SshAccess.none() to keep port 22 closed"
            )
        return cls(cidrs=tuple(_checked(cidrs)), max_addresses=max_addresses)

    @classmethod
    def from_prefix_list(cls, prefix_list: ec2.IPrefixList | str) -> Self:
        """Return access for a managed prefix list.

        The policy pack judges a list that is declared in the same templates, and reports any other
        list as not verified.

        Args:
            prefix_list: The list, or its id (``pl-...``).

        Returns:
            Access for the list's addresses.

        Raises:
            ValueError: If the text is not a prefix list id.

        Source: AWS, "Managed prefix lists".

        Example:
            >>> SshAccess.from_prefix_list("pl-0123456789abcdef0").prefix_lists
            ('pl-0123456789abcdef0',)
        """
        if not isinstance(prefix_list, str):
            return cls(prefix_lists=(prefix_list.prefix_list_id,))
        if not prefix_list.startswith("pl-") and not Token.is_unresolved(prefix_list):
            raise ValueError(
                f"{prefix_list!r} is not a prefix list id: write an id such as "
                "'pl-0123456789abcdef0', or the addresses with SshAccess.from_cidrs(...)"
            )
        return cls(prefix_lists=(prefix_list,))

    @classmethod
    def from_security_group(cls, security_group: ec2.ISecurityGroup) -> Self:
        """Return access for the members of a security group, such as a bastion's.

        Args:
            security_group: The source security group.

        Returns:
            Access for the group's members.

        Raises:
            ValueError: If it is not a security group.

        Source: AWS, "Security group referencing".

        Example::

            SshAccess.from_security_group(bastion_group)
        """
        if not hasattr(security_group, "security_group_id"):
            raise ValueError(
                f"{security_group!r} is not a security group: write an ec2.ISecurityGroup, such as "
                "bastion.security_group"
            )
        return cls(security_groups=(security_group,))

    @classmethod
    def via_instance_connect_endpoint(cls, endpoint: InstanceConnectEndpoint) -> Self:
        """Return access for an EC2 Instance Connect Endpoint, without whitelisted addresses.

        IAM decides who can use the endpoint (``ec2-instance-connect:OpenTunnel``).

        Args:
            endpoint: The endpoint, in the instance's VPC.

        Returns:
            Access for the endpoint.

        Raises:
            ValueError: If it is not an `InstanceConnectEndpoint`.

        Source: AWS, "Connect using EC2 Instance Connect Endpoint".

        Example::

            SshAccess.via_instance_connect_endpoint(InstanceConnectEndpoint(self, "Ssh", vpc=vpc))
        """
        if not isinstance(endpoint, InstanceConnectEndpoint):
            raise ValueError(
                f"{endpoint!r} is not an InstanceConnectEndpoint: write "
                "InstanceConnectEndpoint(self, 'Ssh', vpc=vpc), or "
                "SshAccess.from_security_group(...) with the security group of an existing endpoint"
            )
        return cls(endpoints=(endpoint,))

    def __or__(self, other: "SshAccess") -> "SshAccess":
        """Return the union of two accesses, limited by the larger of their ``max_addresses``."""
        return SshAccess(
            cidrs=tuple(dict.fromkeys(self.cidrs + other.cidrs)),
            prefix_lists=tuple(dict.fromkeys(self.prefix_lists + other.prefix_lists)),
            security_groups=tuple(dict.fromkeys(self.security_groups + other.security_groups)),
            endpoints=tuple(dict.fromkeys(self.endpoints + other.endpoints)),
            max_addresses=max(self.max_addresses, other.max_addresses),
        )

    def __bool__(self) -> bool:
        return bool(self.cidrs or self.prefix_lists or self.security_groups or self.endpoints)

    @property
    def addresses(self) -> AddressSet:
        """The union of the addresses that are known before deployment."""
        return AddressSet.of(*(cidr for cidr in self.cidrs if not _is_token(cidr)))

    def allow_into(self, security_group: ec2.ISecurityGroup) -> None:
        """Add the ingress rules that let these sources reach port 22.

        Args:
            security_group: The server's security group.

        Raises:
            ValueError: If the group is a `LockedSecurityGroup` that permits fewer addresses.

        Example::

            SshAccess.from_cidrs("203.0.113.7").allow_into(group)
        """
        if not self:
            return
        port = tcp(22)
        for cidr in self.cidrs:
            # A token may resolve to either family; CDK's own peers assume IPv4.
            peer = ec2.Peer.ipv6(cidr) if ":" in cidr else ec2.Peer.ipv4(cidr)
            security_group.add_ingress_rule(peer, port, "SSH from a whitelisted address")
        for prefix_list in self.prefix_lists:
            security_group.add_ingress_rule(
                ec2.Peer.prefix_list(prefix_list), port, "SSH from a whitelisted prefix list"
            )
        for source in self.security_groups:
            security_group.connections.allow_from(
                source, port, "SSH from a whitelisted security group"
            )
        for endpoint in self.endpoints:
            security_group.connections.allow_from(
                endpoint, port, "SSH through the EC2 Instance Connect Endpoint"
            )


def _checked(cidrs: tuple[str, ...]) -> Iterator[str]:
    seen = AddressSet()
    tokens: set[str] = set()
    for cidr in cidrs:
        if _is_token(cidr):
            if cidr not in tokens:
                yield cidr
            tokens.add(cidr)
            continue
        network = parse_network(cidr)
        addresses = AddressSet.of(network)
        if addresses & seen:
            raise ValueError(
                f"{cidr!r} is whitelisted twice, since its addresses are already in {seen}: write "
                "each address once"
            )
        seen |= addresses
        yield str(network)


def _is_token(text: str) -> bool:
    return isinstance(text, str) and "${Token[" in text
