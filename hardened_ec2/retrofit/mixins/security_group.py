"""HardenSecurityGroup: a mixin that closes the egress of existing security groups."""

from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import Annotations, Mixin, Stack
from aws_cdk import aws_ec2 as ec2
from constructs import IConstruct

from hardened_ec2.addresses import ANYWHERE, ANYWHERE_IPV4
from hardened_ec2.network.security_group import TIME_SYNC, TIME_SYNC_CIDR
from hardened_ec2.retrofit.mixins.readable import is_list, warn_not_readable
from hardened_ec2.support.signature import own_signature

EGRESS_CLOSED = "hardened-ec2:egress-closed"
"""The id of the warning about an `ec2.SecurityGroup` whose egress was closed after creation."""

HTTPS = (443,)
"""The default egress ports: AWS services, Session Manager and packages use HTTPS."""


@own_signature
class HardenSecurityGroup(Mixin):
    """A mixin that closes the egress of existing security groups that allow all of it.

    EC2 allows all egress for a group without egress rules, and `ec2.SecurityGroup` has a rule that
    does the same. The mixin allows only ``egress_ports`` instead. Groups with narrower egress
    rules stay as they are.

    If connections add egress rules to an `ec2.SecurityGroup`, write ``allow_all_outbound=False``
    where it is created, or attach `HardenedEc2Defaults`, instead: CDK drops such rules while the
    group allows all egress, and they stay lost. A warning on the group says so.

    Source: AWS, "Security group rules"; cfn-nag F1000.

    Example::

        ec2.CfnSecurityGroup(self, "Legacy", group_description="Web").with_(HardenSecurityGroup())
    """

    def __init__(self, *, egress_ports: Sequence[int] = HTTPS) -> None:
        """Create the mixin.

        Args:
            egress_ports: The TCP ports to which egress stays allowed, anywhere. Default: 443.

        Raises:
            ValueError: If a port is not a number from 1 to 65535.
        """
        super().__init__()
        check_ports(egress_ports)
        self._egress_ports = tuple(egress_ports)

    def supports(self, _construct: IConstruct) -> bool:
        """Whether a construct is a security group. CDK calls it."""
        return isinstance(_construct, ec2.CfnSecurityGroup)

    def apply_to(self, construct: IConstruct) -> None:
        """Close a group's egress. CDK calls it."""
        if not isinstance(construct, ec2.CfnSecurityGroup):
            return
        given = construct.security_group_egress
        resolved = Stack.of(construct).resolve(given) or []
        if not is_list(resolved):
            warn_not_readable(construct, "SecurityGroupEgress")
            return
        kept = [at for at, rule in enumerate(resolved) if not _lets_out_everything(rule)]
        if resolved and len(kept) == len(resolved):
            return
        if kept and not is_list(given):
            warn_not_readable(construct, "SecurityGroupEgress")
            return
        rules = [given[at] for at in kept] if is_list(given) else []
        construct.security_group_egress = [
            *rules,
            *(_egress("tcp", port, ANYWHERE_IPV4, "Left open") for port in self._egress_ports),
            # EC2 opens a group without egress rules. This one adds nothing: NTP is always allowed.
            _egress("udp", 123, TIME_SYNC_CIDR, TIME_SYNC),
        ]
        if isinstance(construct.node.scope, ec2.SecurityGroup):
            Annotations.of(construct).add_warning_v2(
                EGRESS_CLOSED,
                "this group's egress was closed after the group was created, and CDK has dropped "
                "the egress rules of its connections, because it allowed all egress until then: "
                "write allow_all_outbound=False where it is created, or attach HardenedEc2Defaults",
            )


def check_ports(ports: Sequence[int]) -> None:
    """Refuse a value that is not a sequence of TCP ports.

    Args:
        ports: The argument ``egress_ports``.

    Raises:
        ValueError: If it is not a sequence of numbers from 1 to 65535.
    """
    if not is_list(ports) or not all(
        type(port) is int and 1 <= port <= 65_535  # noqa: PLR2004 - named below
        for port in ports
    ):
        raise ValueError(
            f"egress_ports is {ports!r}: write TCP ports from 1 to 65535, such as (443,) or "
            "(80, 443), or () for none"
        )


def _lets_out_everything(rule: Mapping[str, Any]) -> bool:
    address = rule.get("cidrIp") or rule.get("cidrIpv6")
    return str(rule.get("ipProtocol")) == "-1" and address in ANYWHERE


def _egress(
    protocol: str, port: int, address: str, description: str
) -> ec2.CfnSecurityGroup.EgressProperty:
    return ec2.CfnSecurityGroup.EgressProperty(
        ip_protocol=protocol,
        from_port=port,
        to_port=port,
        cidr_ip=address,
        description=description,
    )
