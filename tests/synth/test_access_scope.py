"""InternetAccessScope: what it asks Network Access Analyzer, and what it leaves out of it."""

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_elasticloadbalancing as classic
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk.assertions import Template

from hardened_ec2 import (
    HardenedAutoScalingGroup,
    HardenedInstance,
    HardenedLaunchTemplate,
    HardenedVpc,
    InternetAccessScope,
    LockedSecurityGroup,
)

INTERNET = {"ResourceStatement": {"ResourceTypes": ["AWS::EC2::InternetGateway"]}}


def written(stack: cdk.Stack) -> dict[str, Any]:
    (scope,) = Template.from_stack(stack).find_resources("AWS::EC2::NetworkInsightsAccessScope")
    found: dict[str, Any] = Template.from_stack(stack).to_json()["Resources"][scope]["Properties"]
    return found


def to(*resources: object) -> dict[str, Any]:
    return {"ResourceStatement": {"Resources": [*resources]}}


def test_every_path_from_the_internet_to_a_server_is_a_finding(
    stack: cdk.Stack, vpc: HardenedVpc
) -> None:
    server = HardenedInstance(stack, "Server", vpc=vpc)
    scope = InternetAccessScope(stack, "Scope", servers=[server])
    assert written(stack) == {
        "MatchPaths": [
            {"Source": INTERNET, "Destination": to(stack.resolve(server.instance_id))},
        ],
        "Tags": [{"Key": "Name", "Value": "Stack/Scope"}],
    }
    assert stack.resolve(scope.network_insights_access_scope_id) == {
        "Fn::GetAtt": [stack.get_logical_id(scope.access_scope), "NetworkInsightsAccessScopeId"]
    }


def test_servers_that_come_and_go_are_named_by_their_groups(stack: cdk.Stack) -> None:
    vpc = HardenedVpc(stack, "Vpc", interface_endpoints=("ssm", "ssmmessages", "autoscaling"))
    fleet = HardenedAutoScalingGroup(stack, "Fleet", vpc=vpc)
    template = HardenedLaunchTemplate(stack, "Template", vpc=vpc)
    group = LockedSecurityGroup(stack, "Group", vpc=vpc, description="Others")
    InternetAccessScope(stack, "Scope", servers=[fleet, template, group, group])
    (path,) = written(stack)["MatchPaths"]
    assert path["Destination"] == to(
        *(
            stack.resolve(each.security_group_id)
            for each in (
                fleet.launch_templates[0].security_group,
                template.security_group,
                group,
            )
        )
    )


def test_paths_through_a_load_balancer_are_none_and_all_others_are(stack: cdk.Stack) -> None:
    vpc = HardenedVpc(stack, "Vpc", public_subnets=True)
    server = HardenedInstance(stack, "Server", vpc=vpc)
    pages, calls = (
        elbv2.ApplicationLoadBalancer(stack, name, vpc=vpc, internet_facing=True)
        for name in ("Pages", "Calls")
    )
    InternetAccessScope(stack, "Scope", servers=[server], load_balancers=[pages, calls])
    scope = written(stack)
    destination = to(stack.resolve(server.instance_id))
    assert scope["MatchPaths"] == [{"Source": INTERNET, "Destination": destination}]
    # One entry for each: a path goes through one of them, not through both.
    assert scope["ExcludePaths"] == [
        {
            "Source": INTERNET,
            "Destination": destination,
            "ThroughResources": [to(stack.resolve(each.load_balancer_arn))],
        }
        for each in (pages, calls)
    ]


@pytest.mark.parametrize("servers", [[], "i-1"])
def test_a_scope_about_everything_is_refused(stack: cdk.Stack, servers: Any) -> None:  # noqa: ANN401
    with pytest.raises(ValueError, match=r"write at least one, such as servers=\[server\]"):
        InternetAccessScope(stack, "Scope", servers=servers)
    assert stack.node.try_find_child("Scope") is None


def test_what_is_no_server_or_no_load_balancer_is_refused(stack: cdk.Stack) -> None:
    vpc = HardenedVpc(stack, "Vpc", public_subnets=True)
    server = HardenedInstance(stack, "Server", vpc=vpc)
    balancer = elbv2.ApplicationLoadBalancer(stack, "Balancer", vpc=vpc)
    older = classic.LoadBalancer(stack, "Older", vpc=vpc, internet_facing=True)
    for servers in (["i-1"], [balancer]):
        with pytest.raises(ValueError, match=r"and write load balancers in load_balancers="):
            InternetAccessScope(stack, "Scope", servers=servers)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"replace a Classic Load Balancer with"):
        InternetAccessScope(stack, "Scope", servers=[server], load_balancers=[older])  # type: ignore[list-item]
    assert stack.node.try_find_child("Scope") is None
