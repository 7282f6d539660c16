"""Guardrails against what the same templates open: what VPC Block Public Access cuts off."""

from collections.abc import Mapping
from typing import Any

import pytest

from hardened_ec2.policy import Severity, judge
from tests.unit.policy.templates import (
    GATEWAY,
    SOUND,
    found,
    if_,
    instance,
    message,
    ref,
    resource,
    template,
)

RULE = "PublicAccessBlockCutsOff"
UNSET: dict[str, Any] = {"Parameters": {"Unset": {"Type": "String"}}}


def block(mode: object = "block-ingress", **excluded: object) -> dict[str, Any]:
    made = {"Block": resource("EC2::VPCBlockPublicAccessOptions", InternetGatewayBlockMode=mode)}
    if excluded:
        made["Exclusion"] = resource(
            "EC2::VPCBlockPublicAccessExclusion",
            InternetGatewayExclusionMode="allow-bidirectional",
            **excluded,
        )
    return made


def balancer(subnet: object = None, kind: str = "ElasticLoadBalancingV2", **given: object) -> Any:  # noqa: ANN401
    return resource(f"{kind}::LoadBalancer", Subnets=[subnet or ref("Subnet")], **given)


PUBLIC: Mapping[str, Any] = {**SOUND, **GATEWAY}
MAPPED = {
    **PUBLIC,
    "Mapped": resource(
        "ElasticLoadBalancingV2::LoadBalancer", SubnetMappings=[{"SubnetId": ref("Subnet")}]
    ),
}
PAGES = {**PUBLIC, "Pages": balancer()}


@pytest.mark.parametrize("mode", ["block-ingress", "block-bidirectional"])
def test_a_load_balancer_that_is_cut_off_is_reported(mode: str) -> None:
    (finding,) = found(RULE, {**PAGES, **block(mode)})
    assert (finding.severity, finding.logical_id) == (Severity.WARNING, "Pages")
    assert finding.message == (
        f"Pages faces the internet, and Block ({mode}) blocks it: no exclusion covers ${{Subnet}} "
        "or its VPC"
    )
    assert "Write an AWS::EC2::VPCBlockPublicAccessExclusion" in finding.fix


@pytest.mark.parametrize(
    "resources",
    [
        {**PUBLIC, "Classic": balancer(kind="ElasticLoadBalancing")},
        MAPPED,
        {**PUBLIC, "Address": resource("EC2::EIP", InstanceId=ref("Server"))},
        {
            **PUBLIC,
            "Server": instance(
                SubnetId=None,
                SecurityGroupIds=None,
                NetworkInterfaces=[
                    {
                        "DeviceIndex": "0",
                        "SubnetId": ref("Subnet"),
                        "AssociatePublicIpAddress": True,
                    }
                ],
            ),
        },
    ],
    ids=["classic", "mapped", "elastic address", "public address"],
)
def test_whatever_else_faces_the_internet_is_reported_too(resources: dict[str, Any]) -> None:
    assert message(RULE, {**resources, **block()}).endswith(
        "no exclusion covers ${Subnet} or its VPC"
    )
    assert found(RULE, {**resources, **block(VpcId=ref("Vpc"))}) == []


@pytest.mark.parametrize(
    "resources",
    [
        {**MAPPED, **block(SubnetId=ref("Subnet"))},
        {**PAGES, **block(VpcId=ref("Vpc"))},
        {**PAGES, **block(SubnetId=ref("Subnet"))},
        {**PUBLIC, "Pages": balancer("subnet-1"), **block(SubnetId="subnet-1")},
        {**PUBLIC, "Pages": balancer(Scheme="internal"), **block()},
        {**SOUND, **block()},
        {**PAGES, **block("off")},
        PAGES,
    ],
    ids=[
        "mapped",
        "vpc",
        "subnet",
        "subnet by id",
        "internal",
        "nothing public",
        "off",
        "no block",
    ],
)
def test_what_is_excluded_or_faces_nobody_is_sound(resources: dict[str, Any]) -> None:
    assert found(RULE, resources) == []


def test_the_exclusion_of_another_network_is_none() -> None:
    """The evasion: something is excluded, but not this."""
    assert found(RULE, {**PAGES, **block(VpcId="vpc-1")})
    other = resource("EC2::VPC", CidrBlock="10.1.0.0/16")
    assert found(RULE, {**PAGES, "Other": other, **block(VpcId=ref("Other"))})


def test_one_of_two_subnets_that_is_not_excluded_is_reported() -> None:
    second = resource("EC2::Subnet", VpcId="vpc-1", CidrBlock="10.0.1.0/24")
    pages = resource("ElasticLoadBalancingV2::LoadBalancer", Subnets=[ref("Subnet"), ref("Second")])
    resources = {**PUBLIC, "Second": second, "Pages": pages, **block(VpcId=ref("Vpc"))}
    assert "no exclusion covers ${Second} or its VPC" in message(RULE, resources)


def test_what_is_cut_off_in_two_subnets_is_told_once() -> None:
    second = resource("EC2::Subnet", VpcId=ref("Vpc"), CidrBlock="10.0.1.0/24")
    pages = resource("ElasticLoadBalancingV2::LoadBalancer", Subnets=[ref("Subnet"), ref("Second")])
    resources = {**PUBLIC, "Second": second, "Pages": pages, **block()}
    assert "no exclusion covers ${Subnet}" in message(RULE, resources)


def test_the_guardrails_may_be_in_another_template() -> None:
    """A resource of the same name in the other template is another one."""
    app = template(PAGES, name="app.json")
    guard = template({**SOUND, **block(VpcId=ref("Vpc"))}, name="guardrails.json")
    (finding,) = (each for each in judge([app, guard]) if each.rule.endswith(RULE))
    assert (finding.template, finding.logical_id) == ("app.json", "Pages")


def test_what_is_not_known_is_said() -> None:
    theirs = {**PUBLIC, "Pages": balancer("subnet-2"), **block(VpcId="vpc-1")}
    assert found(RULE, theirs) == []
    assert "its VPC is not in the templates" in message("CannotVerify", theirs)
    unknown = {**PAGES, **block(ref("Unset"))}
    assert found(RULE, unknown, **UNSET) == []
    said = message("CannotVerify", unknown, **UNSET)
    assert "InternetGatewayBlockMode is not known" in said
    assert f"HardenedEc2-{RULE}" in said


def test_a_subnet_of_one_condition_only_is_reported_with_it() -> None:
    pages = balancer(if_("Public", ref("Subnet"), "subnet-1"))
    resources = {**PUBLIC, "Pages": pages, **block(SubnetId="subnet-1")}
    conditions = {"Public": {"Fn::Equals": ["a", "b"]}}
    says = message(RULE, resources, Conditions=conditions)
    assert says.endswith("(when condition Public is true)")
