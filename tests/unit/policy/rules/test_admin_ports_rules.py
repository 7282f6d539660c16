from typing import Any

import pytest

from hardened_ec2.policy import Settings, Severity
from tests.unit.policy.templates import (
    NETWORK,
    SOUND,
    found,
    get_att,
    group,
    if_,
    instance,
    judged,
    message,
    ref,
    resource,
    rule,
    server_with,
)

WORLD = "AdminPortOpenToWorld"


def listed(*cidrs: object) -> dict[str, Any]:
    return {
        "List": resource("EC2::PrefixList", Entries=[{"Cidr": cidr} for cidr in cidrs]),
        "Group": group(rule(SourcePrefixListId=ref("List"))),
    }


EVASIONS: dict[str, list[Any]] = {
    "plain": [rule("0.0.0.0/0")],
    "IPv6": [rule("::/0")],
    "long IPv6": [rule("0:0:0:0:0:0:0:0/0")],
    "host bits": [rule("1.2.3.4/0")],
    "host bits that look private": [rule("192.168.1.0/0")],
    "all protocols": [rule("0.0.0.0/0", protocol="-1")],
    "all protocols as a number": [rule("0.0.0.0/0", protocol=-1, ports=(443, 443))],
    "protocol by number": [rule("0.0.0.0/0", protocol="6")],
    "ports as text": [rule("0.0.0.0/0", ports=("22", "22"))],
    "in a range": [rule("0.0.0.0/0", ports=(20, 25))],
    "all ports": [rule("0.0.0.0/0", ports=(0, 65535))],
    "all ports as -1": [rule("0.0.0.0/0", ports=(-1, -1))],
    "no ports": [{"IpProtocol": "tcp", "CidrIp": "0.0.0.0/0"}],
    "half": [rule("0.0.0.0/1")],
    "two halves": [rule("0.0.0.0/1"), rule("128.0.0.0/1")],
    "all IPv6 given out": [rule("2000::/3")],
    "a large part": [rule("8.0.0.0/6")],
    "three parts": [rule("0.0.0.0/2"), rule("64.0.0.0/2"), rule("128.0.0.0/3")],
    "behind a condition": [rule(if_("C", "0.0.0.0/0", "10.0.0.1/32"))],
    "whole rule behind a condition": [if_("C", rule("0.0.0.0/0"))],
    "the other arm": [if_("C", rule("10.0.0.1/32"), rule("0.0.0.0/0"))],
    "joined": [rule({"Fn::Join": ["/", ["0.0.0.0", 0]]})],
    "substituted": [rule({"Fn::Sub": ["${a}/0", {"a": "0.0.0.0"}]})],
    "default of a parameter": [rule(ref("Open"))],
    "an allowed value": [rule(ref("Either"))],
    "mapped": [rule({"Fn::FindInMap": ["M", ref("AWS::Region"), "cidr"]})],
}

SECTIONS: dict[str, Any] = {
    "Parameters": {
        "Open": {"Type": "String", "Default": "0.0.0.0/0", "NoEcho": True},
        "Either": {"Type": "String", "Default": "10.0.0.1/32", "AllowedValues": ["0.0.0.0/0"]},
        "Unset": {"Type": "String"},
    },
    "Conditions": {"C": {"Fn::Equals": [ref("Unset"), "x"]}},
    "Mappings": {"M": {"eu-west-1": {"cidr": "10.0.0.1/32"}, "us-east-1": {"cidr": "::/0"}}},
}


@pytest.mark.parametrize("ingress", EVASIONS.values(), ids=EVASIONS)
def test_an_administrative_port_open_to_the_world_is_an_error(ingress: list[object]) -> None:
    findings = found(WORLD, server_with(*ingress), **SECTIONS)
    assert findings
    assert {finding.severity for finding in findings} == {Severity.ERROR}
    assert {finding.logical_id for finding in findings} == {"Group"}
    assert all("which is the internet" in finding.message for finding in findings)


STANDALONE = {name: rules for name, rules in EVASIONS.items() if "IpProtocol" in rules[0]}


@pytest.mark.parametrize("ingress", STANDALONE.values(), ids=STANDALONE)
def test_it_is_an_error_on_a_standalone_rule_and_a_group_nobody_uses(ingress: list[Any]) -> None:
    resources = {**NETWORK, "Lonely": group()}
    for n, each in enumerate(ingress):
        resources[f"Rule{n}"] = resource(
            "EC2::SecurityGroupIngress", GroupId=get_att("Lonely", "GroupId"), **each
        )
    assert found(WORLD, resources, **SECTIONS)


def test_the_message_names_port_addresses_and_place() -> None:
    (finding,) = found(WORLD, server_with(rule("10.0.0.1/32"), rule("0.0.0.0/0", ports=(20, 25))))
    assert finding.message == (
        "ports 22 (SSH), 23 (Telnet) (tcp ports 20-25) open to 0.0.0.0/0, which is the internet"
    )
    assert finding.path == "Properties.SecurityGroupIngress.1"
    assert "AWS Security Hub EC2.13" in finding.references
    assert "203.0.113.7/32" in finding.fix


def test_a_rule_for_everything_names_every_administrative_port() -> None:
    assert message(WORLD, server_with(rule("::/0", protocol="-1"))) == (
        "all administrative ports (all protocols) open to ::/0, which is the internet"
    )


@pytest.mark.parametrize("entries", [("0.0.0.0/0",), ("0.0.0.0/1", "128.0.0.0/1"), ("2000::/3",)])
def test_a_prefix_list_of_the_template_is_opened(entries: tuple[str, ...]) -> None:
    assert found(WORLD, {**SOUND, **listed(*entries)})


def test_a_narrow_prefix_list_is_a_whitelist() -> None:
    assert judged({**SOUND, **listed("203.0.113.7/32", "2001:db8::7/128")}) == []


def test_parts_that_are_each_narrow_are_united_over_the_rules_of_a_group() -> None:
    ingress = [rule(f"203.0.{n}.0/24") for n in range(2)]
    (finding,) = found("AdminPortTooWide", server_with(*ingress))
    assert finding.message == (
        "port 22 (SSH) (tcp port 22) open to 203.0.0.0/23, 512 addresses where 256 are allowed, "
        "by 2 ingress rules together: Group Properties.SecurityGroupIngress.0, "
        "Group Properties.SecurityGroupIngress.1"
    )


def test_parts_are_united_over_the_groups_of_a_server() -> None:
    resources = {
        **SOUND,
        "Group": group(rule("203.0.0.0/24")),
        "Second": group(rule("203.0.1.0/24", ports=(20, 25))),
        "Server": instance(SecurityGroupIds=[ref("Group"), ref("Second")]),
    }
    (finding,) = found("AdminPortTooWide", resources)
    assert finding.logical_id == "Server"
    assert "512 addresses where 256 are allowed" in finding.message
    assert "Second Properties.SecurityGroupIngress.0" in finding.message


def test_two_halves_of_the_internet_in_two_groups_of_one_server_are_errors() -> None:
    resources = {
        **SOUND,
        "Group": group(rule("0.0.0.0/1")),
        "Second": group(rule("128.0.0.0/1")),
        "Server": instance(SecurityGroupIds=[ref("Group"), ref("Second")]),
    }
    assert {finding.logical_id for finding in found(WORLD, resources)} == {"Group", "Second"}


def test_a_group_that_is_reported_is_not_reported_again_on_its_servers() -> None:
    resources = {
        **SOUND,
        "Group": group(rule("203.0.0.0/24"), rule("203.0.1.0/24")),
        "Second": group(rule("203.0.2.0/24", ports=(3389, 3389))),
        "Server": instance(SecurityGroupIds=[ref("Group"), ref("Second")]),
    }
    assert [f.logical_id for f in found("AdminPortTooWide", resources)] == ["Group"]


def test_rules_that_are_never_deployed_together_are_not_united() -> None:
    ingress = [
        if_("C", rule("203.0.0.0/24")),
        if_("C", {"Ref": "AWS::NoValue"}, rule("203.0.1.0/24")),
    ]
    assert found("AdminPortTooWide", server_with(*ingress), **SECTIONS) == []


def test_rules_under_conditions_of_their_own_are_united() -> None:
    ingress = [if_("C", rule("203.0.0.0/24")), if_("D", rule("203.0.1.0/24"))]
    (finding,) = found("AdminPortTooWide", server_with(*ingress), **SECTIONS)
    assert finding.message.endswith("(when condition C is true and condition D is true)")


@pytest.mark.parametrize(
    "ingress",
    [
        [],
        [rule("203.0.113.7/32")],
        [rule("203.0.113.0/24")],
        [rule("203.0.113.0/25"), rule("203.0.113.128/25")],
        [rule("0.0.0.0/0", ports=(443, 443))],
        [rule("0.0.0.0/0", protocol="udp")],
        [rule("0.0.0.0/0", protocol="icmp", ports=(8, -1))],
        [rule(protocol="-1", SourceSecurityGroupId=ref("Peer"))],
        [rule(SourceSecurityGroupId="sg-0123456789abcdef0")],
        [rule({"Fn::Sub": "${Address}/32"})],
        [rule("10.0.0.0/8", ports=(443, 443))],
    ],
)
def test_sound_rules_are_no_finding_of_these_rules(ingress: list[object]) -> None:
    more = {"Peer": group(), "Address": resource("EC2::EIP")}
    findings = judged(server_with(*ingress, **more))
    assert [f for f in findings if "AdminPort" in f.rule or "AdminPort" in f.message] == []


def test_private_width_is_a_warning() -> None:
    (finding,) = found("AdminPortWideInside", server_with(rule("10.0.0.0/8")))
    assert finding.severity is Severity.WARNING
    assert finding.message == (
        "port 22 (SSH) (tcp port 22) open to 10.0.0.0/8, 16777216 addresses where 256 are allowed"
    )


def test_the_block_of_the_own_network_is_measured() -> None:
    ingress = rule(get_att("Vpc", "CidrBlock"))
    assert "65536 addresses" in message("AdminPortWideInside", server_with(ingress))


@pytest.mark.parametrize(
    "ingress",
    [
        rule(ref("Unset")),
        ref("Unset"),
        rule("0.0.0.0/0", ports=(ref("Unset"), ref("Unset"))),
        rule("0.0.0.0/0", protocol=ref("Unset"), ports=(443, 443)),
        rule(SourcePrefixListId="pl-0123456789abcdef0"),
        rule({"Fn::ImportValue": "whitelist"}),
        rule({"Fn::Select": [0, ref("AWS::NotificationARNs")]}),
    ],
)
def test_what_may_be_open_for_all_we_know_is_a_warning(ingress: object) -> None:
    resources = server_with(ingress)
    assert found(WORLD, resources, **SECTIONS) == []
    (finding,) = found("CannotVerify", resources, **SECTIONS)
    assert finding.severity is Severity.WARNING
    assert finding.path == "Properties.SecurityGroupIngress.0"
    assert finding.message.startswith(f"could not verify HardenedEc2-{WORLD}")
    assert "may be open to anyone" in finding.message


def test_an_unknown_source_of_a_harmless_port_is_no_finding() -> None:
    assert judged(server_with(rule(ref("Unset"), ports=(443, 443))), **SECTIONS) == []


def test_a_group_outside_the_templates_cannot_be_verified() -> None:
    resources = {**SOUND, "Server": instance(SecurityGroupIds=["sg-0123456789abcdef0"])}
    assert message("CannotVerify", resources) == (
        "could not verify HardenedEc2-AdminPortOpenToWorld: the rules of security group "
        "sg-0123456789abcdef0 are not in the templates"
    )


def test_the_whitelist_limit_is_a_setting() -> None:
    resources = server_with(rule("203.0.113.0/28"))
    assert judged(resources) == []
    assert "16 addresses where 4 are allowed" in message(
        "AdminPortTooWide", resources, settings=Settings(whitelist_width=4)
    )


def test_the_administrative_ports_are_a_setting() -> None:
    resources = server_with(rule("0.0.0.0/0", ports=(2222, 2222)))
    settings = Settings(administrative_ports={2222: "SSH on its other port"})
    assert message(WORLD, resources, settings=settings) == (
        "all administrative ports (tcp port 2222) open to 0.0.0.0/0, which is the internet"
    )


def test_the_rules_that_open_a_port_together_are_each_named() -> None:
    ingress = [rule("203.0.0.0/24"), rule("203.0.1.0/24", ports=(20, 25))]
    (finding,) = found("AdminPortTooWide", server_with(*ingress))
    assert finding.message.startswith("port 22 (SSH) (tcp port 22, tcp ports 20-25) open to")
