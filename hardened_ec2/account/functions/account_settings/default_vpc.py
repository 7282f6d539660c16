"""The default VPC, which nobody asked for: close its default group, or delete it if it is empty."""

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

logger = logging.getLogger(__name__)

CLOSED = "closed"
ABSENT = "absent"


class InUseError(Exception):
    """What is to be closed or deleted is used by something that would break."""


def default_vpc_state(ec2: "EC2Client") -> str:
    """Say whether there is a default VPC.

    Args:
        ec2: A client of the Region.

    Returns:
        ``absent``, or its id.
    """
    return _default_vpc(ec2) or ABSENT


def default_group_state(ec2: "EC2Client") -> str:
    """Say whether the default VPC's default group lets anything in or out.

    Args:
        ec2: A client of the Region.

    Returns:
        ``closed``, also where there is no default VPC, or the group's id.
    """
    vpc = _default_vpc(ec2)
    if vpc is None:
        return CLOSED
    group = _default_group(ec2, vpc)
    return group if any(_rules(ec2, group)) else CLOSED


def close_default_group(ec2: "EC2Client") -> None:
    """Take every rule out of the default VPC's default group.

    The log says which rules they were.

    Args:
        ec2: A client of the Region.

    Raises:
        InUseError: If a network interface uses the group: it would be cut off.
    """
    vpc = _default_vpc(ec2)
    if vpc is None:
        return
    group = _default_group(ec2, vpc)
    interfaces = _interfaces(ec2, "group-id", group)
    if interfaces:
        raise InUseError(
            f"the default group {group} of the default VPC {vpc} is used by {_some(interfaces)}, "
            "which closing it would cut off: give them groups of their own, or leave the default "
            "VPC alone with default_vpc=DefaultVpc.KEEP"
        )
    ingress, egress = _rules(ec2, group)
    if ingress:
        ec2.revoke_security_group_ingress(GroupId=group, SecurityGroupRuleIds=ingress)
    if egress:
        ec2.revoke_security_group_egress(GroupId=group, SecurityGroupRuleIds=egress)


def delete_default_vpc(ec2: "EC2Client") -> None:
    """Delete the default VPC with its default subnets and its internet gateway.

    What had been deleted when a step fails is made again.

    Args:
        ec2: A client of the Region.

    Raises:
        InUseError: If there is anything in the VPC that did not come with it.
    """
    vpc = _default_vpc(ec2)
    if vpc is None:
        return
    subnets = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]
    _refuse_unless_empty(
        ec2, vpc, [subnet["SubnetId"] for subnet in subnets if not subnet["DefaultForAz"]]
    )
    gateways = [
        gateway["InternetGatewayId"]
        for gateway in ec2.describe_internet_gateways(
            Filters=[{"Name": "attachment.vpc-id", "Values": [vpc]}]
        )["InternetGateways"]
    ]
    lost_zones: list[str] = []
    detached: list[str] = []
    try:
        for subnet in subnets:
            ec2.delete_subnet(SubnetId=subnet["SubnetId"])
            lost_zones.append(subnet["AvailabilityZone"])
        for gateway in gateways:
            ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
            detached.append(gateway)
        ec2.delete_vpc(VpcId=vpc)
    except Exception:
        logger.warning("putting %s back: subnets in %s, gateways %s", vpc, lost_zones, detached)
        for gateway in detached:
            ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
        for zone in lost_zones:
            ec2.create_default_subnet(AvailabilityZone=zone)
        raise
    for gateway in gateways:
        ec2.delete_internet_gateway(InternetGatewayId=gateway)


def _refuse_unless_empty(ec2: "EC2Client", vpc: str, own_subnets: list[str]) -> None:
    endpoints = ec2.describe_vpc_endpoints(Filters=[{"Name": "vpc-id", "Values": [vpc]}])
    groups = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc]}])
    content = [
        *_interfaces(ec2, "vpc-id", vpc),
        *own_subnets,
        *(each["VpcEndpointId"] for each in endpoints["VpcEndpoints"]),
        *(each["GroupId"] for each in groups["SecurityGroups"] if each["GroupName"] != "default"),
    ]
    if content:
        raise InUseError(
            f"the default VPC {vpc} is not empty, it holds {_some(content)}: move these out of it "
            "first, or keep the VPC with default_vpc=DefaultVpc.CLOSE_SECURITY_GROUP"
        )


def _default_vpc(ec2: "EC2Client") -> str | None:
    vpcs = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    return vpcs[0]["VpcId"] if vpcs else None


def _default_group(ec2: "EC2Client", vpc: str) -> str:
    (group,) = ec2.describe_security_groups(
        Filters=[
            {"Name": "vpc-id", "Values": [vpc]},
            {"Name": "group-name", "Values": ["default"]},
        ]
    )["SecurityGroups"]
    return group["GroupId"]


def _rules(ec2: "EC2Client", group: str) -> tuple[list[str], list[str]]:
    ingress: list[str] = []
    egress: list[str] = []
    pages = ec2.get_paginator("describe_security_group_rules").paginate(
        Filters=[{"Name": "group-id", "Values": [group]}]
    )
    for page in pages:
        for rule in page["SecurityGroupRules"]:
            logger.info("rule of the default group: %s", rule)
            (egress if rule["IsEgress"] else ingress).append(rule["SecurityGroupRuleId"])
    return ingress, egress


def _interfaces(ec2: "EC2Client", name: str, value: str) -> list[str]:
    pages = ec2.get_paginator("describe_network_interfaces").paginate(
        Filters=[{"Name": name, "Values": [value]}]
    )
    return [each["NetworkInterfaceId"] for page in pages for each in page["NetworkInterfaces"]]


def _some(ids: Iterable[str], shown: int = 3) -> str:
    every = sorted(ids)
    more = f" and {len(every) - shown} more" if len(every) > shown else ""
    return ", ".join(every[:shown]) + more
