"""The network around servers: ACLs entry by entry, default groups, subnets."""

from typing import Any

import pytest

from tests.unit.policy.templates import (
    EGRESS,
    GATEWAY,
    NETWORK,
    SOUND,
    found,
    get_att,
    group,
    if_,
    message,
    ref,
    resource,
    rule,
    server,
)

ACL = "NetworkAclOpen"
EVERYONE = "0.0.0.0/0"
DEFAULT = get_att("Vpc", "DefaultSecurityGroup")
SECTIONS: dict[str, Any] = {
    "Parameters": {
        "Unset": {"Type": "String"},
        "Sixteen": {"Type": "Number", "AllowedValues": list(range(1, 17))},
        "Seventeen": {"Type": "Number", "AllowedValues": list(range(1, 18))},
    },
    "Conditions": {"C": {"Fn::Equals": [ref("AWS::Region"), "x"]}},
}


def entry(cidr: object = EVERYONE, ports: tuple[object, object] = (22, 22), **more: object) -> Any:  # noqa: ANN401
    given: dict[str, object] = {
        "NetworkAclId": ref("Acl"),
        "RuleNumber": 100,
        "RuleAction": "allow",
        "Protocol": 6,
        "CidrBlock": cidr,
        "PortRange": {"From": ports[0], "To": ports[1]},
    }
    return resource("EC2::NetworkAclEntry", **(given | more))


def acl(*entries: dict[str, Any]) -> dict[str, Any]:
    made = resource("EC2::NetworkAcl", VpcId=ref("Vpc"))
    return {**NETWORK, "Acl": made, **{f"Entry{n}": each for n, each in enumerate(entries)}}


def doubts(resources: dict[str, Any]) -> str:
    return "\n".join(each.message for each in found("CannotVerify", resources, **SECTIONS))


def test_entries_are_read_in_the_order_of_their_numbers() -> None:
    deny = entry(RuleAction="deny", RuleNumber=90)
    assert found(ACL, acl(entry(RuleNumber=100), deny)) == []
    assert found(ACL, acl(entry(RuleNumber="80"), deny))


def test_an_entry_whose_number_is_not_known_comes_last() -> None:
    deny = entry(RuleAction="deny", RuleNumber=90)
    assert found(ACL, acl(entry(RuleNumber=ref("Unset")), deny), **SECTIONS) == []
    unnumbered = entry(RuleAction="deny", RuleNumber=ref("Unset"))
    assert found(ACL, acl(unnumbered, entry()), **SECTIONS)


def test_network_acls_are_judged_each_by_itself() -> None:
    other = entry(RuleAction="deny", RuleNumber=1, NetworkAclId=ref("Other"))
    assert found(ACL, acl(other, entry()))
    halves = (entry("8.0.0.0/9"), entry("12.0.0.0/9", NetworkAclId=ref("Other")))
    assert found(ACL, acl(*halves)) == []


def test_the_entry_that_opens_is_told_and_no_later_one() -> None:
    (finding,) = found(ACL, acl(entry(), entry(RuleNumber=101)))
    assert finding.logical_id == "Entry0"


@pytest.mark.parametrize("egress", [True, "true"])
def test_what_goes_out_is_none_of_it(egress: object) -> None:
    assert found(ACL, acl(entry(Egress=egress))) == []
    assert found(ACL, acl(entry(RuleAction="deny", RuleNumber=1, Egress=egress), entry()))


@pytest.mark.parametrize("egress", [False, "false", ref("Unset")])
def test_what_comes_in_is_judged(egress: object) -> None:
    assert found(ACL, acl(entry(Egress=egress)), **SECTIONS)


def test_an_entry_may_be_for_either_direction() -> None:
    either = if_("C", yes=True, no=False)
    assert message(ACL, acl(entry(Egress=either)), **SECTIONS).endswith(
        "(when condition C is false)"
    )
    denies = entry(RuleAction="deny", RuleNumber=1, Egress=either)
    assert found(ACL, acl(denies, entry()), **SECTIONS)


def test_an_entry_that_denies_in_one_deployment_denies_nothing_in_the_other() -> None:
    either = entry(RuleAction=if_("C", "deny", "allow"))
    assert found(ACL, acl(either), **SECTIONS)
    assert found(ACL, acl({**entry(RuleAction="deny", RuleNumber=1), "Condition": "C"}, entry()))


def test_both_families_are_read() -> None:
    ipv6 = entry(None, Ipv6CidrBlock="::/0")
    assert "allows ::/0 to reach" in message(ACL, acl(ipv6))
    assert found(ACL, acl(entry("8.0.0.0/9"), entry("12.0.0.0/9")))


def test_an_entry_is_read_in_256_ways_and_no_more() -> None:
    assert doubts(acl(entry(ports=(ref("Sixteen"), ref("Sixteen"))))) == ""
    assert doubts(acl(entry(ports=(ref("Seventeen"), ref("Sixteen"))))).endswith(
        ": what the network ACL allows in is not known: the entry can be read in more than 256 ways"
    )


def test_everything_that_is_not_known_of_an_entry_is_said() -> None:
    assert doubts(acl(entry("garbage", ("ssh", 22)))).endswith(
        ": what the network ACL allows in is not known: 'garbage' is not a CIDR block; "
        "'ssh' is not a port"
    )


@pytest.mark.parametrize("kind", ["SecurityGroupIngress", "SecurityGroupEgress"])
@pytest.mark.parametrize("target", [{"GroupId": DEFAULT}, {"GroupName": "default"}])
def test_a_rule_is_added_to_a_default_group(kind: str, target: dict[str, Any]) -> None:
    resources = {**NETWORK, "Rule": resource(f"EC2::{kind}", **rule("10.0.0.1/32"), **target)}
    (finding,) = found("DefaultGroup", resources)
    assert finding.path == f"Properties.{next(iter(target))}"
    assert finding.message == "a rule is added to the default group of a VPC"


def test_a_default_group_that_is_open_is_told_by_its_own_rule_only() -> None:
    database = rule(EVERYONE, ports=(5432, 5432))
    door = resource("EC2::SecurityGroupIngress", GroupId=DEFAULT, **database)
    assert doubts({**NETWORK, "Door": door}) == ""


def test_a_group_outside_the_templates_that_a_server_has_is_told_on_the_server() -> None:
    door = resource(
        "EC2::SecurityGroupIngress", GroupId="sg-1", **rule(EVERYONE, ports=(5432, 5432))
    )
    resources = {**server(SecurityGroupIds=["sg-1"]), **GATEWAY, "Door": door}
    assert "the templates do not show what uses it" not in doubts(resources)
    assert found("ServerPortOpenToWorld", resources)


@pytest.mark.parametrize("protocol", ["tcp", "-1"])
def test_the_internet_behind_a_prefix_list_is_wide_egress(protocol: str) -> None:
    out = rule(protocol=protocol, ports=(0, 65535), DestinationPrefixListId=ref("List"))
    listed = resource("EC2::PrefixList", Entries=[{"Cidr": EVERYONE}])
    resources = {**SOUND, "Out": group(SecurityGroupEgress=[out]), "List": listed}
    assert "open towards 0.0.0.0/0" in message("WideEgress", resources)
    resources["List"] = resource("EC2::PrefixList", Entries=[{"Cidr": "10.0.0.0/8"}])
    assert found("WideEgress", resources) == []


def test_wide_egress_is_told_once_and_where_the_widest_rule_stands() -> None:
    wide = {"ports": (0, 65535)}
    halves = [rule("0.0.0.0/2", **wide), rule("128.0.0.0/1", **wide), rule("64.0.0.0/2", **wide)]
    (finding,) = found("WideEgress", {**SOUND, "Out": group(SecurityGroupEgress=halves)})
    assert finding.path == "Properties.SecurityGroupEgress.1"
    arms = if_("C", rule(EVERYONE, **wide), rule("::/0", **wide))
    resources = {**SOUND, "Out": group(SecurityGroupEgress=[arms])}
    assert len(found("WideEgress", resources, **SECTIONS)) == 1


def test_egress_that_is_not_known_is_said() -> None:
    resources = {**SOUND, "Out": group(SecurityGroupEgress=[rule(ref("Unset"))])}
    assert "what Out allows out is not known: parameter Unset" in doubts(resources)


@pytest.mark.parametrize("kind", ["SecurityGroupIngress", "SecurityGroupEgress"])
def test_rules_without_a_description_are_found_wherever_they_stand(kind: str) -> None:
    bare = {key: value for key, value in EGRESS[0].items() if key != "Description"}
    inline = {**NETWORK, "Other": group(**{kind: [bare]})}
    assert message("RuleDescription", inline) == "the rule has no Description"
    beside = {**NETWORK, "Rule": resource(f"EC2::{kind}", GroupId=ref("Group"), **bare)}
    assert [each.logical_id for each in found("RuleDescription", beside)] == ["Rule"]
