"""Account guardrails that block what the same templates expose on purpose."""

from collections.abc import Iterator
from typing import Final, TypeAlias

from hardened_ec2.policy.facts.load_balancers import LOAD_BALANCERS, faces_internet
from hardened_ec2.policy.facts.placement import SUBNET
from hardened_ec2.policy.findings import Severity
from hardened_ec2.policy.resolve.deployment import Resource
from hardened_ec2.policy.resolve.values import ABSENT, Value, as_bool, describe, why_unknown
from hardened_ec2.policy.rules.account import PUBLIC_ACCESS_BLOCKS
from hardened_ec2.policy.rules.case import Case
from hardened_ec2.policy.rules.rule import (
    Control,
    Doubt,
    Fault,
    Framework,
    Outcome,
    doubtful,
    rule,
)

_OPTIONS: Final = "AWS::EC2::VPCBlockPublicAccessOptions"
_EXCLUSION: Final = "AWS::EC2::VPCBlockPublicAccessExclusion"

_Key: TypeAlias = tuple[str, str]


@rule(
    id="HardenedEc2-PublicAccessBlockCutsOff",
    severity=Severity.WARNING,
    subject=PUBLIC_ACCESS_BLOCKS,
    fact=(
        "VPC Block Public Access excludes everything that is meant to be reached from the internet."
    ),
    why=(
        "It blocks every internet gateway of the account and Region at once, regardless of "
        "routes and security groups: a load balancer or server without an exclusion becomes "
        "unreachable."
    ),
    fix=(
        "Write an AWS::EC2::VPCBlockPublicAccessExclusion with the SubnetId or VpcId of what "
        "faces the internet, or make it internal."
    ),
    references=(Control(Framework.SECURITY_HUB, "EC2.172"),),
)
def public_access_block_cuts_off(case: Case) -> Iterator[Outcome]:
    """Report load balancers and servers with public addresses that no exclusion covers."""
    modes = [*_modes(case)]
    for mode in modes:
        why = why_unknown(mode.content)
        if why is not None:
            yield doubtful(mode, f"InternetGatewayBlockMode is not known: {why}")
    blocking = [mode for mode in modes if str(mode.content).startswith("block-")]
    if not blocking:
        return
    excluded = {
        _key(case, value)
        for exclusion in case.deployment.resources(_EXCLUSION)
        for key in ("SubnetId", "VpcId")
        for value in exclusion.properties.at(key)
        if value.content is not ABSENT
    }
    for facing, subnets in _facing(case):
        for subnet in subnets:
            names = {_key(case, subnet), *_vpcs(case, subnet)}
            if names & excluded:
                continue
            if len(names) == 1 and excluded:
                yield Doubt(
                    place=facing.place,
                    why=f"whether VPC Block Public Access excludes {describe(subnet.content)} is "
                    "not known: its VPC is not in the templates",
                    when=subnet.when,
                )
            else:
                yield Fault(
                    place=facing.place,
                    message=f"{facing.logical_id} faces the internet, and "
                    f"{blocking[0].place.logical_id} ({blocking[0].content}) blocks it: no "
                    f"exclusion covers {describe(subnet.content)} or its VPC",
                    when=subnet.when,
                )
            break


def _modes(case: Case) -> Iterator[Value]:
    for options in case.deployment.resources(_OPTIONS):
        yield from options.properties.at("InternetGatewayBlockMode")


def _facing(case: Case) -> Iterator[tuple[Resource, list[Value]]]:
    """Yield what faces the internet, each with its subnets."""
    for balancer in case.deployment.resources(*LOAD_BALANCERS):
        if faces_internet(balancer):
            yield balancer, [*_subnets(balancer)]
    for server in case.servers:
        if any(as_bool(each.content) for each, _ in case.placement.public_addresses(server)):
            yield server.resource, [*case.placement.subnets(server)]


def _subnets(balancer: Resource) -> Iterator[Value]:
    for listed in balancer.properties.at("Subnets"):
        yield from listed.entries()
    for mappings in balancer.properties.at("SubnetMappings"):
        for mapping in mappings.entries():
            yield from mapping.at("SubnetId")


def _vpcs(case: Case, subnet: Value) -> set[_Key]:
    """Return the VPCs of a subnet in the templates; empty for one outside them."""
    resource = case.deployment.find(subnet.content)
    if resource is None or resource.type != SUBNET:
        return set()
    return {_key(case, vpc) for vpc in resource.properties.at("VpcId")}


def _key(case: Case, value: Value) -> _Key:
    """Return the resource that a value refers to, or the id of one outside the templates."""
    resource = case.deployment.find(value.content)
    return ("", describe(value.content)) if resource is None else resource.key
