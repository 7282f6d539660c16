"""Who reaches a server through what stands in front of it."""

from typing import Any

import pytest

from hardened_ec2.policy import Settings, Severity
from tests.unit.policy.templates import (
    GATEWAY,
    NO_VALUE,
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
)

OPENS = "LoadBalancerOpensServer"
V2 = "ElasticLoadBalancingV2"
HTTPS = rule("0.0.0.0/0", ports=(443, 443))
UNSET: dict[str, Any] = {"Parameters": {"Unset": {"Type": "String"}}}
CONDITIONS: dict[str, Any] = {"Conditions": {"C": {"Fn::Equals": [ref("AWS::Region"), "x"]}}}
TO_TARGETS = [{"Type": "forward", "TargetGroupArn": ref("Targets")}]


def balanced(
    *ingress: object,
    listens: object = 443,
    port: object = 8080,
    kind: str = "application",
    front: object = HTTPS,
    **more: Any,  # noqa: ANN401
) -> dict[str, Any]:
    """Return the sound server behind an internet-facing load balancer."""
    grouped = {} if front is None else {"SecurityGroups": [ref("Front")]}
    rules = ingress or (
        rule(ports=(port, port), SourceSecurityGroupId=get_att("Front", "GroupId")),
    )
    return {
        **SOUND,
        "Group": group(*rules),
        **({} if front is None else {"Front": group(front)}),
        "Balancer": resource(f"{V2}::LoadBalancer", Type=kind, **grouped),
        "Listener": resource(
            f"{V2}::Listener",
            LoadBalancerArn=ref("Balancer"),
            Port=listens,
            Protocol="TCP" if kind == "network" else "HTTPS",
            DefaultActions=TO_TARGETS,
        ),
        "Targets": resource(
            f"{V2}::TargetGroup",
            Port=port,
            Protocol="TCP" if kind == "network" else "HTTP",
            TargetType="instance",
            Targets=[{"Id": ref("Server")}],
        ),
        **more,
    }


def changed(resources: dict[str, Any], name: str, **properties: object) -> dict[str, Any]:
    merged = {**resources[name]["Properties"], **properties}
    return {**resources, name: {**resources[name], "Properties": merged}}


INSIDE = rule("10.0.0.0/24")
BY_FRONT = rule(SourceSecurityGroupId=ref("Front"))
SSH = balanced(listens=2222, port=22, front=rule("0.0.0.0/0", ports=(2222, 2222)))


@pytest.mark.parametrize(
    "resources",
    [
        balanced(),
        balanced(listens="443"),
        balanced(kind="network"),
        # It leaves the sender's address as it is, so the server must let in everyone.
        balanced(rule("0.0.0.0/0", ports=(8080, 8080)), kind="network", front=None),
        # A listener nobody is let in to, and one for a few only.
        balanced(listens=2222, port=22),
        balanced(listens=2222, port=22, front=rule("203.0.113.7/32", ports=(2222, 2222))),
        changed(SSH, "Balancer", Scheme="internal"),
        # The server lets nothing in that the load balancer sends.
        {**SSH, "Group": group(rule(ports=(8080, 8080), SourceSecurityGroupId=ref("Front")))},
        balanced(rule("203.0.113.7/32"), listens=22, port=22, kind="network", front=None),
        changed(SSH, "Listener", DefaultActions=[{"Type": "redirect", "RedirectConfig": {}}]),
        changed(SSH, "Targets", Targets=[{"Id": "i-0123456789abcdef0"}]),
        {
            **changed(SSH, "Listener", DefaultActions=[]),
            "Rule": resource(f"{V2}::ListenerRule", ListenerArn="arn:x", Actions=TO_TARGETS),
        },
        # A private rule and the senders' own addresses, which the other attribute leaves alone.
        changed(
            balanced(INSIDE, listens=443, port=22, kind="network", front=None),
            "Targets",
            TargetGroupAttributes=[{"Key": "stickiness.enabled", "Value": "false"}],
        ),
        changed(
            changed(SSH, "Listener", DefaultActions=[if_("C", TO_TARGETS[0])]),
            "Targets",
            Targets=[if_("C", NO_VALUE, {"Id": ref("Server")})],
        ),
        changed(
            {**SSH, "Group": group(if_("C", BY_FRONT, NO_VALUE))},
            "Targets",
            Targets=[if_("C", NO_VALUE, {"Id": ref("Server")})],
        ),
    ],
)
def test_what_is_meant_for_everyone_or_reaches_nobody_is_sound(resources: dict[str, Any]) -> None:
    findings = judged(resources, **CONDITIONS)
    assert [finding for finding in findings if finding.severity is Severity.ERROR] == []


def test_ssh_behind_another_port_is_an_error() -> None:
    (finding,) = found(OPENS, SSH)
    assert finding.severity is Severity.ERROR
    assert finding.logical_id == "Balancer"
    assert finding.message == (
        "port 22 (SSH) of Server through load balancer Balancer (port 2222) open to 0.0.0.0/0"
    )


def fleet(**properties: object) -> dict[str, Any]:
    """Put the servers of an Auto Scaling group behind the load balancer of `SSH`."""
    data = instance(SubnetId=None)["Properties"]
    return {
        **changed(SSH, "Targets", Targets=[]),
        "Server": resource("EC2::LaunchTemplate", LaunchTemplateData=data),
        "Fleet": resource(
            "AutoScaling::AutoScalingGroup",
            VPCZoneIdentifier=[ref("Subnet")],
            LaunchTemplate={"LaunchTemplateId": ref("Server"), "Version": "1"},
            **properties,
        ),
    }


def classic(**properties: object) -> dict[str, Any]:
    given: dict[str, object] = {
        "Instances": [ref("Server")],
        "SecurityGroups": [ref("Front")],
        "Listeners": [{"LoadBalancerPort": "2222", "InstancePort": "22", "Protocol": "TCP"}],
    }
    balancer = resource("ElasticLoadBalancing::LoadBalancer", **(given | properties))
    return {**SSH, "Targets": resource("X::X"), "Listener": resource("X::X"), "Balancer": balancer}


WEIGHTED = {"TargetGroups": [{"TargetGroupArn": ref("Targets"), "Weight": 1}]}
BY_ADDRESS = [{"Id": get_att("Server", "PrivateIp"), "Port": 22}]


@pytest.mark.parametrize(
    "resources",
    [
        balanced(listens=443, port=22),
        balanced(kind="network", port=22),
        balanced(rule(protocol="-1", SourceSecurityGroupId=ref("Front")), port=22),
        changed(
            {**SSH, "Front": group(*(rule(c, ports=(2222, 2222)) for c in ("0.0.0.0/1", "::/0")))},
            "Listener",
            DefaultActions=[{"Type": "forward", "ForwardConfig": WEIGHTED}],
        ),
        # The load balancer's own addresses are inside: a private rule lets the world in.
        changed(
            balanced(INSIDE, listens=443, port=22, kind="network", front=None),
            "Targets",
            TargetType="ip",
            Targets=BY_ADDRESS,
        ),
        changed(
            balanced(INSIDE, listens=443, port=22, kind="network", front=None),
            "Targets",
            TargetGroupAttributes=[{"Key": "preserve_client_ip.enabled", "Value": "false"}],
        ),
        changed(SSH, "Targets", Port=8080, Targets=[{"Id": ref("Server"), "Port": 22}]),
        {
            **changed(SSH, "Listener", DefaultActions=[]),
            "Rule": resource(
                f"{V2}::ListenerRule", ListenerArn=ref("Listener"), Actions=TO_TARGETS
            ),
        },
        changed(SSH, "Listener", DefaultActions=[if_("C", TO_TARGETS[0])]),
        # The first of its rules is never deployed with the target; the second one is.
        changed(
            {**SSH, "Group": group(if_("C", NO_VALUE, BY_FRONT), {**BY_FRONT, "IpProtocol": "-1"})},
            "Targets",
            Targets=[if_("C", {"Id": ref("Server")})],
        ),
        fleet(TargetGroupARNs=[ref("Targets")]),
        fleet(TrafficSources=[{"Identifier": ref("Targets"), "Type": "elbv2"}]),
        classic(),
        {
            **fleet(LoadBalancerNames=[ref("Balancer")]),
            "Balancer": classic(Instances=[])["Balancer"],
        },
        balanced(listens=5432, port=5432, front=rule("0.0.0.0/0", ports=(5432, 5432))),
        changed(SSH, "Balancer", Scheme=if_("C", "internal", "internet-facing")),
    ],
)
def test_a_port_is_found_behind_every_kind_of_load_balancer(resources: dict[str, Any]) -> None:
    messages = [finding.message for finding in found(OPENS, resources, **CONDITIONS)]
    assert messages
    assert all("of Server through load balancer Balancer" in each for each in messages)


def test_half_a_whitelist_too_wide_for_ssh_is_found_too() -> None:
    resources = balanced(listens=2222, port=22, front=rule("198.51.100.0/22", ports=(2222, 2222)))
    assert "open to 198.51.100.0/22" in message(OPENS, resources)


def test_the_public_ports_are_a_setting() -> None:
    resources = balanced(listens=8443, front=rule("0.0.0.0/0", ports=(8443, 8443)))
    assert found(OPENS, resources)
    settings = Settings(public_ports=frozenset({8443}))
    assert found(OPENS, resources, settings=settings) == []


def test_a_port_that_is_not_known_cannot_be_verified() -> None:
    resources = balanced(rule(protocol="-1", SourceSecurityGroupId=ref("Front")), port=ref("Unset"))
    assert found(OPENS, resources, **UNSET) == []
    assert any(
        "which ports of Server through load balancer Balancer the internet can reach is not known"
        in finding.message
        for finding in found("CannotVerify", resources, **UNSET)
    )


@pytest.mark.parametrize(
    "resources",
    [
        balanced(listens=443, port=if_("C", 8080, 22), front=HTTPS),
        changed(SSH, "Listener", Port=if_("C", 443, 2222)),
        changed(SSH, "Targets", Targets=[{"Id": ref("Server"), "Port": if_("C", 8080, 22)}]),
        classic(Listeners=[{"LoadBalancerPort": if_("C", 443, 2222), "InstancePort": 22}]),
        classic(Listeners=[{"LoadBalancerPort": 2222, "InstancePort": if_("C", 8080, 22)}]),
    ],
)
def test_a_port_is_found_in_either_arm_of_a_condition(resources: dict[str, Any]) -> None:
    wide = {**resources, "Group": group(rule(protocol="-1", SourceSecurityGroupId=ref("Front")))}
    assert any("port 22 (SSH)" in each.message for each in found(OPENS, wide, **CONDITIONS))


@pytest.mark.parametrize(
    "resources",
    [
        changed(SSH, "Listener", Port=ref("Unset")),
        classic(Listeners=[{"LoadBalancerPort": ref("Unset"), "InstancePort": 22}]),
    ],
)
def test_a_listener_whose_port_is_not_known_cannot_be_verified(resources: dict[str, Any]) -> None:
    assert found(OPENS, resources, **UNSET) == []
    assert any(
        "the port of the listener is not known" in finding.message
        for finding in found("CannotVerify", resources, **UNSET)
    )


def in_a_row(inner: object, outer: object) -> dict[str, Any]:
    """Put a Network Load Balancer of the internet in front of the internal one of `SSH`."""
    return {
        **changed(SSH, "Balancer", Scheme="internal"),
        "Front": group(inner),
        "Outer": group(outer),
        "First": resource(f"{V2}::LoadBalancer", Type="network", SecurityGroups=[ref("Outer")]),
        "Way": resource(
            f"{V2}::Listener",
            LoadBalancerArn=ref("First"),
            Port=443,
            Protocol="TCP",
            DefaultActions=[{"Type": "forward", "TargetGroupArn": ref("Inner")}],
        ),
        "Inner": resource(
            f"{V2}::TargetGroup",
            Port=2222,
            Protocol="TCP",
            TargetType="alb",
            Targets=[{"Id": ref("Balancer")}],
        ),
    }


WORLD_2222 = rule("0.0.0.0/0", ports=(2222, 2222))


@pytest.mark.parametrize(
    "resources",
    [
        in_a_row(WORLD_2222, HTTPS),
        in_a_row(rule(ports=(2222, 2222), SourceSecurityGroupId=ref("Outer")), HTTPS),
    ],
)
def test_an_internal_load_balancer_behind_one_of_the_internet_is_followed(
    resources: dict[str, Any],
) -> None:
    assert "port 22 (SSH) of Server through load balancer Balancer" in message(OPENS, resources)


@pytest.mark.parametrize(
    "resources",
    [
        in_a_row(rule("203.0.113.7/32", ports=(2222, 2222)), HTTPS),
        in_a_row(
            rule(ports=(2222, 2222), SourceSecurityGroupId=ref("Outer")), rule("203.0.113.7/32")
        ),
        in_a_row(rule(ports=(2222, 2222), SourceSecurityGroupId=ref("Group")), HTTPS),
        changed(in_a_row(WORLD_2222, HTTPS), "First", Scheme="internal"),
        changed(in_a_row(WORLD_2222, HTTPS), "Inner", Targets=[{"Id": "10.0.0.1"}]),
    ],
)
def test_one_that_lets_in_a_few_is_not(resources: dict[str, Any]) -> None:
    assert found(OPENS, resources) == []


def test_load_balancers_in_a_circle_end() -> None:
    resources = in_a_row(rule(ports=(2222, 2222), SourceSecurityGroupId=ref("Outer")), HTTPS)
    both = [{"Type": "forward", "TargetGroupArn": ref(name)} for name in ("Back", "Targets")]
    resources = changed(
        changed(resources, "Balancer", Scheme=NO_VALUE), "Listener", DefaultActions=both
    )
    back = resource(f"{V2}::TargetGroup", Port=1, Targets=[{"Id": ref("First")}])
    assert found(OPENS, {**resources, "Back": back})


def test_a_world_rule_that_no_load_balancer_uses_stays_an_error() -> None:
    network = balanced(rule("0.0.0.0/0", ports=(8080, 8081)), kind="network", front=None)
    assert found("PrivateServerOpenToWorld", network)
    behind_a_proxy = balanced(rule("0.0.0.0/0", ports=(8080, 8080)))
    assert found("PrivateServerOpenToWorld", behind_a_proxy)
    public = balanced(rule("0.0.0.0/0", ports=(8080, 8080)), kind="network", front=None)
    assert found("ServerPortOpenToWorld", {**public, **GATEWAY})


def test_ssh_for_everyone_is_told_once() -> None:
    resources = balanced(rule("0.0.0.0/0"), listens=22, port=22, kind="network", front=None)
    assert found("AdminPortOpenToWorld", resources)
    assert found(OPENS, resources) == []


def test_udp_is_followed_as_udp() -> None:
    resources = changed(
        balanced(
            rule("0.0.0.0/0", ports=(5353, 5353), protocol="udp"),
            listens=5353,
            port=5353,
            kind="network",
            front=None,
        ),
        "Listener",
        Protocol="TCP_UDP",
    )
    assert message(OPENS, resources).startswith("udp port 5353 of Server through load balancer")


WORLD = {"IpProtocol": "-1", "CidrIp": "0.0.0.0/0", "Description": "everyone"}


def test_what_the_group_of_a_load_balancer_lets_in_meets_listeners_and_no_sshd() -> None:
    resources = balanced(front=WORLD)
    assert found("AdminPortOpenToWorld", resources) == []
    assert "all protocols open" in message("AllPortsOpen", resources)
    assert found(OPENS, balanced(listens=22, port=22, front=WORLD))


@pytest.mark.parametrize(
    "more",
    [
        {"Database": resource("RDS::DBInstance", VPCSecurityGroups=[get_att("Front", "GroupId")])},
        {"Server2": instance(SecurityGroupIds=[ref("Front")])},
    ],
)
def test_a_group_that_others_have_too_is_judged_as_theirs(more: dict[str, Any]) -> None:
    assert found("AdminPortOpenToWorld", balanced(front=WORLD, **more))


def test_a_group_that_is_handed_on_is_judged_as_anyones() -> None:
    outputs = {"Front": {"Value": get_att("Front", "GroupId"), "Export": {"Name": "front"}}}
    assert found("AdminPortOpenToWorld", balanced(front=WORLD), Outputs=outputs)


def test_a_door_of_which_one_rule_is_reported_is_judged_all_the_same() -> None:
    ingress = (
        rule("203.0.0.0/16", ports=(22, 8080)),
        rule("0.0.0.0/0", ports=(8080, 8080)),
    )
    resources = balanced(*ingress, listens=8080, port=8080, kind="network", front=None)
    assert found(OPENS, resources)
