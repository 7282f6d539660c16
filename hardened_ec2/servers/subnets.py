"""Subnet selections for servers."""

from functools import cache
from types import NoneType

from aws_cdk import aws_ec2 as ec2

from hardened_ec2.network.vpc import private_subnets


def subnets_or_private(
    vpc: ec2.IVpc, vpc_subnets: ec2.SubnetSelection | None
) -> ec2.SubnetSelection:
    """Return the given subnets, or the VPC's private ones.

    Args:
        vpc: The VPC.
        vpc_subnets: The subnets. None for the private ones.

    Returns:
        The selection.

    Raises:
        ValueError: If ``vpc_subnets`` is not an ``ec2.SubnetSelection``, or is None in a VPC
            without private subnets.

    Example:
        >>> subnets_or_private(vpc, None).subnet_type.name
        'PRIVATE_ISOLATED'
    """
    if not isinstance(vpc_subnets, (ec2.SubnetSelection, NoneType)):
        raise ValueError(
            f"vpc_subnets is {vpc_subnets!r}: write "
            "vpc_subnets=ec2.SubnetSelection(subnet_type=...), or leave it out"
        )
    return vpc_subnets or _of_type(private_subnets(vpc))


def selected_subnets(vpc: ec2.IVpc, subnets: ec2.SubnetSelection) -> ec2.SelectedSubnets:
    """Look up the subnets of a selection.

    Args:
        vpc: The VPC.
        subnets: The selection.

    Returns:
        The subnets, as ``vpc.select_subnets`` returns them.

    Example:
        >>> len(selected_subnets(vpc, ec2.SubnetSelection(one_per_az=True)).availability_zones)
        2
    """
    return vpc.select_subnets(
        availability_zones=subnets.availability_zones,
        one_per_az=subnets.one_per_az,
        subnet_filters=subnets.subnet_filters,
        subnet_group_name=subnets.subnet_group_name,
        subnets=subnets.subnets,
        subnet_type=subnets.subnet_type,
    )


@cache
def _of_type(subnet_type: ec2.SubnetType) -> ec2.SubnetSelection:
    return ec2.SubnetSelection(subnet_type=subnet_type)
