"""SshAccess: what a whitelist may be, and the rules it turns into."""

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk.assertions import Match, Template

from hardened_ec2 import HardenedVpc, InstanceConnectEndpoint, LockedSecurityGroup, SshAccess


def test_nobody_is_the_default() -> None:
    assert not SshAccess.none()
    assert SshAccess() == SshAccess.none()


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (["203.0.113.7"], ("203.0.113.7/32",)),
        (["203.0.113.7/32"], ("203.0.113.7/32",)),
        (["2001:db8::7"], ("2001:db8::7/128",)),
        (["2001:DB8:0::7/128"], ("2001:db8::7/128",)),
        (["203.0.113.0/24"], ("203.0.113.0/24",)),
        (["203.0.113.0/25", "198.51.100.0/25"], ("203.0.113.0/25", "198.51.100.0/25")),
    ],
)
def test_a_whitelist_is_kept_in_normal_form(given: list[str], kept: tuple[str, ...]) -> None:
    assert SshAccess.from_cidrs(*given).cidrs == kept


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([], r"got no address: write at least one, such as SshAccess.from_cidrs\('203.0.113.7'\)"),
        (["office"], r"'office' is not an IP address or CIDR block: write an address such as"),
        ([""], r"'' is not an IP address"),
        (["203.0.113.7/33"], r"'203.0.113.7/33' is not an IP address"),
        (["203.0.113.7 "], r"'203.0.113.7 ' is not an IP address"),
        (
            ["203.0.113.7/24"],
            r"host bits set: write '203.0.113.7' for that one host or '203.0.113.0/24'",
        ),
        (["2001:db8::7/64"], r"host bits set: write '2001:db8::7' .* or '2001:db8::/64'"),
        (["fe80::1%eth0"], r"has a zone index.*write 'fe80::1'"),
        (["0.0.0.0/0"], r"open to the world: together its sources are 0.0.0.0/0"),
        (["::/0"], r"open to the world"),
        (["0:0:0:0:0:0:0:0/0"], r"open to the world"),
        (["2000::/3"], r"open to the world"),
        (["0.0.0.0/1", "128.0.0.0/1"], r"open to the world: together its sources are 0.0.0.0/0"),
        (["64.0.0.0/2", "0.0.0.0/2", "128.0.0.0/1"], r"open to the world"),
        (["8.0.0.0/6"], r"open to the world"),
        (["203.0.113.0/23"], r"host bits set"),
        (["203.0.112.0/23"], r"open to 512 addresses \(203.0.112.0/23\) where 256 are allowed"),
        (["203.0.113.0/24", "198.51.100.7"], r"open to 257 addresses"),
        (["10.0.0.0/8"], r"open to 16777216 addresses .* write max_addresses=16777216"),
        (["2001:db8::/64"], r"open to 18446744073709551616 addresses"),
        (["203.0.113.7", "203.0.113.7/32"], r"'203.0.113.7/32' is whitelisted twice"),
        (["203.0.113.0/28", "203.0.113.3"], r"'203.0.113.3' is whitelisted twice.*203.0.113.0/28"),
    ],
)
def test_what_is_no_whitelist_is_refused_with_what_to_write(given: list[str], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        SshAccess.from_cidrs(*given)


def test_a_list_in_place_of_addresses_is_refused() -> None:
    with pytest.raises(ValueError, match=r"is not an address: write a string such as"):
        SshAccess.from_cidrs(["203.0.113.7"])  # type: ignore[arg-type]


def test_a_private_network_needs_its_width_written_out() -> None:
    assert SshAccess.from_cidrs("10.0.0.0/8", max_addresses=2**24).cidrs == ("10.0.0.0/8",)


@pytest.mark.parametrize("max_addresses", [2**32, 2**200])
def test_no_limit_is_wide_enough_for_the_world(max_addresses: int) -> None:
    with pytest.raises(ValueError, match="open to the world"):
        SshAccess.from_cidrs("0.0.0.0/0", max_addresses=max_addresses)


@pytest.mark.parametrize(
    ("limit", "says"),
    [
        (0, "write 1 or more"),
        (-1, "write 1 or more"),
        (True, "whole number"),
        ("9", "whole number"),
    ],
)
def test_a_limit_that_is_none_is_refused(limit: int, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        SshAccess.from_cidrs("203.0.113.7", max_addresses=limit)


def test_union_keeps_what_each_side_allows() -> None:
    both = SshAccess.from_cidrs("203.0.113.7") | SshAccess.from_prefix_list("pl-1")
    assert both.cidrs == ("203.0.113.7/32",)
    assert both.prefix_lists == ("pl-1",)
    assert SshAccess.none() | both == both


def test_union_may_repeat_an_address() -> None:
    assert SshAccess.from_cidrs("203.0.113.7") | SshAccess.from_cidrs("203.0.113.7") == (
        SshAccess.from_cidrs("203.0.113.7")
    )


def test_a_union_is_judged_as_a_whole() -> None:
    half = SshAccess.from_cidrs("10.0.0.0/24")
    with pytest.raises(ValueError, match="open to 512 addresses"):
        half | SshAccess.from_cidrs("10.0.1.0/24")
    wide = SshAccess.from_cidrs("10.0.0.0/24", max_addresses=512)
    assert len((wide | SshAccess.from_cidrs("10.0.1.0/24")).cidrs) == 2


@pytest.mark.parametrize("text", ["", "eice-1", "203.0.113.7"])
def test_what_is_no_prefix_list_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a prefix list id: write an id such as 'pl-"):
        SshAccess.from_prefix_list(text)


def test_what_is_no_group_or_endpoint_is_refused(vpc: HardenedVpc) -> None:
    with pytest.raises(ValueError, match=r"is not a security group: write an ec2.ISecurityGroup"):
        SshAccess.from_security_group("sg-1")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="is not an InstanceConnectEndpoint: write Instance"):
        SshAccess.via_instance_connect_endpoint(vpc)  # type: ignore[arg-type]


def test_every_way_in_becomes_a_rule(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    # GIVEN
    group = LockedSecurityGroup(stack, "Group", vpc=vpc, description="Server")
    bastion = LockedSecurityGroup(stack, "Bastion", vpc=vpc, description="Bastion")
    endpoint = InstanceConnectEndpoint(stack, "Endpoint", vpc=vpc)
    late = cdk.CfnParameter(stack, "Office").value_as_string
    # WHEN
    access = (
        SshAccess.from_cidrs("203.0.113.7", "2001:db8::7", late)
        | SshAccess.from_prefix_list("pl-1")
        | SshAccess.from_security_group(bastion)
        | SshAccess.via_instance_connect_endpoint(endpoint)
    )
    access.allow_into(group)
    # THEN
    template = Template.from_stack(stack)
    template.has_resource_properties(
        "AWS::EC2::SecurityGroup",
        {
            "GroupDescription": "Server",
            "SecurityGroupIngress": [
                Match.object_like({"CidrIp": "203.0.113.7/32", "FromPort": 22, "ToPort": 22}),
                Match.object_like({"CidrIpv6": "2001:db8::7/128", "FromPort": 22, "ToPort": 22}),
                Match.object_like({"CidrIp": {"Ref": "Office"}, "FromPort": 22, "ToPort": 22}),
            ],
        },
    )
    to_the_server = {"GroupId": stack.resolve(group.security_group_id), "FromPort": 22}
    for source in (
        {"SourcePrefixListId": "pl-1"},
        {"SourceSecurityGroupId": stack.resolve(bastion.security_group_id)},
        {"SourceSecurityGroupId": stack.resolve(endpoint.security_group.security_group_id)},
    ):
        template.has_resource_properties(
            "AWS::EC2::SecurityGroupIngress", {**to_the_server, **source, "ToPort": 22}
        )
    # The endpoint may reach the server, and that is all it may.
    template.has_resource_properties(
        "AWS::EC2::SecurityGroupEgress",
        {
            "GroupId": stack.resolve(endpoint.security_group.security_group_id),
            "DestinationSecurityGroupId": stack.resolve(group.security_group_id),
            "FromPort": 22,
            "ToPort": 22,
        },
    )


def test_nobody_becomes_no_rule(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    group = LockedSecurityGroup(stack, "Group", vpc=vpc, description="Server")
    SshAccess.none().allow_into(group)
    Template.from_stack(stack).has_resource_properties(
        "AWS::EC2::SecurityGroup",
        {"GroupDescription": "Server", "SecurityGroupIngress": Match.absent()},
    )


def test_a_prefix_list_construct_is_taken_too(stack: cdk.Stack) -> None:
    prefix_list = ec2.PrefixList(
        stack, "Office", entries=[ec2.CfnPrefixList.EntryProperty(cidr="203.0.113.0/28")]
    )
    assert SshAccess.from_prefix_list(prefix_list).prefix_lists == (prefix_list.prefix_list_id,)
