"""HardenedAutoScalingGroup: which servers get into service, what it refuses, what the packs say."""

import json
import re
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_autoscaling as autoscaling
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk.assertions import Annotations, Match, Template
from cdk_nag import AwsSolutionsChecks, NIST80053R5Checks

from hardened_ec2 import (
    HardenedAutoScalingGroup,
    HardenedEc2Checks,
    HardenedLaunchTemplate,
    HardenedVpc,
    Imds,
    LockedSecurityGroup,
)
from hardened_ec2.policy import Template as Rendered
from hardened_ec2.policy import judge
from tests.synth.user_data import text_of

ENDPOINTS = ("ssm", "ssmmessages", "autoscaling")
OPEN_IN_PRIVATE = {"HardenedEc2-PrivateServerOpenToWorld", "HardenedEc2-ServerPortOpenToWorld"}
PUBLIC = ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC)


@pytest.fixture
def vpc(stack: cdk.Stack) -> HardenedVpc:
    return HardenedVpc(stack, "Vpc", interface_endpoints=ENDPOINTS)


def rendered(stack: cdk.Stack) -> dict[str, Any]:
    return dict(Template.from_stack(stack).to_json())


def only(stack: cdk.Stack, kind: str) -> tuple[str, dict[str, Any]]:
    """Return the only resource of a type: its logical id and itself."""
    ((name, found),) = Template.from_stack(stack).find_resources(kind).items()
    return name, dict(found)


def group(stack: cdk.Stack) -> dict[str, Any]:
    return dict(only(stack, "AWS::AutoScaling::AutoScalingGroup")[1]["Properties"])


def signals(stack: cdk.Stack) -> list[str]:
    """Return what the servers of each launch template tell, and whom."""
    return [
        each
        for template in Template.from_stack(stack)
        .find_resources("AWS::EC2::LaunchTemplate")
        .values()
        for each in re.findall(
            r"^SIGNAL='(.*)'$",
            text_of(template["Properties"]["LaunchTemplateData"]["UserData"]),
            re.MULTILINE,
        )
    ]


def unprotected(stack: cdk.Stack, vpc: ec2.IVpc, name: str = "Template") -> HardenedLaunchTemplate:
    return HardenedLaunchTemplate(
        stack, name, vpc=vpc, disable_api_termination=False, disable_api_stop=False
    )


def mixed(
    template: ec2.ILaunchTemplate,
    *,
    on_demand: int = 50,
    **override: Any,  # noqa: ANN401
) -> autoscaling.MixedInstancesPolicy:
    return autoscaling.MixedInstancesPolicy(
        launch_template=template,
        instances_distribution=autoscaling.InstancesDistribution(
            on_demand_percentage_above_base_capacity=on_demand
        ),
        launch_template_overrides=[
            autoscaling.LaunchTemplateOverrides(
                instance_type=ec2.InstanceType("m7g.large"), **override
            )
        ],
    )


# What the defaults are.


def test_the_group_stands_on_a_hardened_launch_template_in_two_private_zones(
    stack: cdk.Stack, vpc: HardenedVpc
) -> None:
    fleet = HardenedAutoScalingGroup(stack, "Fleet", vpc=vpc)
    assert isinstance(fleet, autoscaling.AutoScalingGroup)
    found = group(stack)
    (template,) = fleet.launch_templates
    assert isinstance(template, HardenedLaunchTemplate)
    assert found["LaunchTemplate"] == {
        "LaunchTemplateId": stack.resolve(template.launch_template_id),
        "Version": stack.resolve(template.latest_version_number),
    }
    assert found["VPCZoneIdentifier"] == [
        stack.resolve(subnet.subnet_id) for subnet in vpc.isolated_subnets
    ]
    assert (found["MinSize"], found["MaxSize"]) == ("2", "2")
    assert found["HealthCheckType"] == "ELB"
    assert found["HealthCheckGracePeriod"] == 300
    assert found["MaxInstanceLifetime"] == 30 * 86_400
    assert found["DeletionProtection"] == "prevent-force-deletion"
    assert found["MetricsCollection"] == [{"Granularity": "1Minute"}]
    # The group replaces what is ended or stopped, and ends protected servers all the same.
    data = only(stack, "AWS::EC2::LaunchTemplate")[1]["Properties"]["LaunchTemplateData"]
    assert (data["DisableApiTermination"], data["DisableApiStop"]) == (False, False)


def test_a_plain_group_has_none_of_it(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    """The negative control: what CDK writes without this class."""
    autoscaling.AutoScalingGroup(
        stack, "Fleet", vpc=vpc, launch_template=unprotected(stack, vpc), max_capacity=2
    )
    found = only(stack, "AWS::AutoScaling::AutoScalingGroup")[1]
    assert "UpdatePolicy" not in found or "AutoScalingInstanceRefresh" not in found["UpdatePolicy"]
    assert not {
        "HealthCheckType",
        "LifecycleHookSpecificationList",
        "MaxInstanceLifetime",
        "NotificationConfigurations",
    } & {*found["Properties"]}


def test_a_server_waits_for_its_hardening_and_is_ended_without_it(
    stack: cdk.Stack, vpc: HardenedVpc
) -> None:
    HardenedAutoScalingGroup(stack, "Fleet", vpc=vpc)
    name, found = only(stack, "AWS::AutoScaling::AutoScalingGroup")
    assert found["Properties"]["LifecycleHookSpecificationList"] == [
        {
            "DefaultResult": "ABANDON",
            "HeartbeatTimeout": 900,
            "LifecycleHookName": "hardening",
            "LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING",
        }
    ]
    assert found["Properties"]["AutoScalingGroupName"] == f"Stack-{name}"
    assert signals(stack) == [
        f"--auto-scaling-group-name Stack-{name} --lifecycle-hook-name hardening"
    ]
    # Not beside the group: such a hook would come after the first servers.
    Template.from_stack(stack).resource_count_is("AWS::AutoScaling::LifecycleHook", 0)


def test_the_first_servers_may_report(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    """The permission is there before the group is, and is for this group alone."""
    HardenedAutoScalingGroup(stack, "Fleet", vpc=vpc)
    name, found = only(stack, "AWS::AutoScaling::AutoScalingGroup")
    policies = Template.from_stack(stack).find_resources("AWS::IAM::ManagedPolicy")
    ((policy_id, policy),) = [
        (policy_id, policy)
        for policy_id, policy in policies.items()
        if "autoscaling" in json.dumps(policy)
    ]
    assert policy_id in found["DependsOn"]
    (statement,) = policy["Properties"]["PolicyDocument"]["Statement"]
    assert statement["Action"] == "autoscaling:CompleteLifecycleAction"
    last = statement["Resource"]["Fn::Join"][1][-1]
    assert last == f":autoScalingGroup:*:autoScalingGroupName/Stack-{name}"
    assert name not in json.dumps(policy).replace(f"Stack-{name}", "")


def test_a_change_of_the_launch_template_replaces_the_servers(
    stack: cdk.Stack, vpc: HardenedVpc
) -> None:
    HardenedAutoScalingGroup(stack, "Fleet", vpc=vpc)
    _, found = only(stack, "AWS::AutoScaling::AutoScalingGroup")
    assert found["UpdatePolicy"]["AutoScalingInstanceRefresh"] == {"Strategy": "Rolling"}
    assert "AutoScalingRollingUpdate" not in found["UpdatePolicy"]
    assert found["Properties"]["InstanceMaintenancePolicy"] == {
        "MaxHealthyPercentage": 110,
        "MinHealthyPercentage": 100,
    }


def test_notifications_go_to_an_encrypted_topic(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    fleet = HardenedAutoScalingGroup(stack, "Fleet", vpc=vpc)
    (configuration,) = group(stack)["NotificationConfigurations"]
    assert configuration["TopicARN"] == stack.resolve(fleet.notifications_topic.topic_arn)
    assert len(configuration["NotificationTypes"]) == 4
    _, topic = only(stack, "AWS::SNS::Topic")
    key_id = topic["Properties"]["KmsMasterKeyId"]["Fn::GetAtt"][0]
    key = Template.from_stack(stack).find_resources("AWS::KMS::Key")[key_id]["Properties"]
    assert key["EnableKeyRotation"] is True
    (use,) = [
        each for each in key["KeyPolicy"]["Statement"] if "kms:GenerateDataKey*" in each["Action"]
    ]
    assert "AWSServiceRoleForAutoScaling" in json.dumps(use["Condition"]["ArnEquals"])


def test_logical_ids_are_part_of_the_contract(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    HardenedAutoScalingGroup(stack, "Fleet", vpc=vpc)
    assert only(stack, "AWS::AutoScaling::AutoScalingGroup")[0] == "FleetASG3971DFE5"
    assert only(stack, "AWS::EC2::LaunchTemplate")[0] == "FleetLaunchTemplate4EA1A1D9"


def test_the_same_app_renders_the_same_bytes() -> None:
    def render() -> str:
        stack = cdk.Stack(cdk.App(builtin_cloud_formation_validation=False), "Stack")
        vpc = HardenedVpc(stack, "Vpc", interface_endpoints=ENDPOINTS)
        HardenedAutoScalingGroup(stack, "Fleet", vpc=vpc)
        return json.dumps(rendered(stack))

    assert render() == render()


# What can be changed.


def test_own_values_reach_the_template(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    topic = sns.Topic(stack, "Topic")
    fleet = HardenedAutoScalingGroup(
        stack,
        "Fleet",
        vpc=vpc,
        launch_template=HardenedLaunchTemplate(stack, "Template", vpc=vpc),
        min_capacity=3,
        max_capacity=9,
        heartbeat_timeout=cdk.Duration.minutes(5),
        health_check_grace_period=cdk.Duration.minutes(2),
        instance_refresh=autoscaling.InstanceRefreshOptions(
            strategy=autoscaling.InstanceRefreshStrategy.ROLLING,
            min_healthy_percentage=90,
            max_healthy_percentage=120,
            bake_time=cdk.Duration.minutes(10),
        ),
        max_instance_lifetime=cdk.Duration.days(7),
        notifications_topic=topic,
        capacity_rebalance=True,
        deletion_protection=autoscaling.DeletionProtection.PREVENT_ALL_DELETION,
        auto_scaling_group_name="shop-web",
    )
    assert fleet.notifications_topic is topic
    found = group(stack)
    assert (found["MinSize"], found["MaxSize"]) == ("3", "9")
    assert found["LifecycleHookSpecificationList"][0]["HeartbeatTimeout"] == 300
    assert found["HealthCheckGracePeriod"] == 120
    assert found["MaxInstanceLifetime"] == 7 * 86_400
    assert found["CapacityRebalance"] is True
    assert found["DeletionProtection"] == "prevent-all-deletion"
    assert found["AutoScalingGroupName"] == "shop-web"
    assert signals(stack) == ["--auto-scaling-group-name shop-web --lifecycle-hook-name hardening"]
    _, resource = only(stack, "AWS::AutoScaling::AutoScalingGroup")
    assert resource["UpdatePolicy"]["AutoScalingInstanceRefresh"] == {
        "Strategy": "Rolling",
        "Preferences": {
            "BakeTime": 600,
            "MaxHealthyPercentage": 120,
            "MinHealthyPercentage": 90,
        },
    }
    Template.from_stack(stack).resource_count_is("AWS::SNS::Topic", 1)


def test_commands_rules_and_grants_reach_the_servers(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    fleet = HardenedAutoScalingGroup(stack, "Fleet", vpc=vpc)
    fleet.user_data.add_commands("systemctl enable --now shop")
    fleet.connections.allow_from(ec2.Peer.ipv4("10.0.0.0/16"), ec2.Port.tcp(8443), "API")
    sns.Topic(stack, "Topic").grant_publish(fleet)
    fleet.scale_on_cpu_utilization("Load", target_utilization_percent=50)
    _, template = only(stack, "AWS::EC2::LaunchTemplate")
    text = text_of(template["Properties"]["LaunchTemplateData"]["UserData"])
    assert text.index("#cloud-boothook") < text.index("systemctl enable --now shop")
    written = Template.from_stack(stack)
    written.has_resource_properties(
        "AWS::EC2::SecurityGroup",
        {"SecurityGroupIngress": [{"CidrIp": "10.0.0.0/16", "FromPort": 8443}]},
    )
    role = stack.resolve(fleet.launch_templates[0].server_role.role_name)
    written.has_resource_properties(
        "AWS::IAM::Policy",
        {
            "PolicyDocument": {"Statement": [Match.object_like({"Action": "sns:Publish"})]},
            "Roles": [role],
        },
    )


def test_without_the_wait_there_is_no_hook_and_no_permission(stack: cdk.Stack) -> None:
    vpc = HardenedVpc(stack, "Vpc")
    HardenedAutoScalingGroup(
        stack, "Fleet", vpc=vpc, wait_for_hardening=False, auto_scaling_group_name="shop"
    )
    found = group(stack)
    assert "LifecycleHookSpecificationList" not in found
    assert found["AutoScalingGroupName"] == "shop"
    assert signals(stack) == []
    assert "CompleteLifecycleAction" not in json.dumps(rendered(stack))


def test_the_region_is_named_where_the_stack_knows_it(app: cdk.App) -> None:
    stack = cdk.Stack(app, "There", env=cdk.Environment(region="eu-west-1", account="1" * 12))
    vpc = HardenedVpc(stack, "Vpc", interface_endpoints=ENDPOINTS)
    HardenedAutoScalingGroup(stack, "Fleet", vpc=vpc)
    (signal,) = signals(stack)
    assert signal.endswith("--lifecycle-hook-name hardening --region eu-west-1")


def test_a_nested_stack_is_named_at_deployment(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    nested = cdk.NestedStack(stack, "Nested")
    HardenedAutoScalingGroup(nested, "Fleet", vpc=vpc)
    name, found = only(nested, "AWS::AutoScaling::AutoScalingGroup")
    assert found["Properties"]["AutoScalingGroupName"] == {
        "Fn::Join": ["", [{"Ref": "AWS::StackName"}, f"-{name}"]]
    }
    (signal,) = signals(nested)
    assert signal.startswith(f"--auto-scaling-group-name <AWS::StackName>-{name} ")


def test_mixed_instances_keep_every_guarantee(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    intel = HardenedLaunchTemplate(
        stack,
        "Intel",
        vpc=vpc,
        instance_type=ec2.InstanceType("m7i.large"),
        disable_api_termination=False,
        disable_api_stop=False,
    )
    fleet = HardenedAutoScalingGroup(
        stack,
        "Fleet",
        vpc=vpc,
        mixed_instances_policy=mixed(unprotected(stack, vpc), launch_template=intel),
    )
    assert len(fleet.launch_templates) == 2
    name, _ = only(stack, "AWS::AutoScaling::AutoScalingGroup")
    wanted = f"--auto-scaling-group-name Stack-{name} --lifecycle-hook-name hardening"
    assert signals(stack) == [wanted, wanted]
    # Both roles may report.
    reporting = [
        policy["Properties"]["Roles"]
        for policy in Template.from_stack(stack).find_resources("AWS::IAM::ManagedPolicy").values()
        if "CompleteLifecycleAction" in json.dumps(policy)
    ]
    assert [len(roles) for roles in reporting] == [2]


def test_a_role_of_several_launch_templates_is_granted_once(
    stack: cdk.Stack, vpc: HardenedVpc
) -> None:
    role = iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"))
    one, two = (
        HardenedLaunchTemplate(
            stack, name, vpc=vpc, role=role, disable_api_termination=False, disable_api_stop=False
        )
        for name in ("One", "Two")
    )
    policy = mixed(one, launch_template=two)
    HardenedAutoScalingGroup(stack, "Fleet", vpc=vpc, mixed_instances_policy=policy)
    Template.from_stack(stack).has_resource_properties(
        "AWS::IAM::ManagedPolicy",
        {
            "Description": "Say that a server of the group is hardened",
            "Roles": [stack.resolve(role.role_name)],
        },
    )


def test_auto_scaling_may_use_the_key_of_the_volumes(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    key = kms.Key(stack, "Key")
    template = HardenedLaunchTemplate(stack, "Template", vpc=vpc, encryption_key=key)
    HardenedAutoScalingGroup(stack, "Fleet", vpc=vpc, launch_template=template)
    key_id = stack.resolve(key.key_arn)["Fn::GetAtt"][0]
    policy = rendered(stack)["Resources"][key_id]["Properties"]["KeyPolicy"]["Statement"]
    use, grant = [each for each in policy if "Condition" in each]
    assert {"kms:Decrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"} <= set(use["Action"])
    assert grant["Action"] == "kms:CreateGrant"
    assert grant["Condition"]["Bool"] == {"kms:GrantIsForAWSResource": "true"}
    for statement in (use, grant):
        assert "AWSServiceRoleForAutoScaling" in json.dumps(statement["Condition"]["ArnEquals"])


def test_a_key_from_elsewhere_is_said_to_need_the_same(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    arn = "arn:aws:kms:eu-west-1:111122223333:key/1"
    key = kms.Key.from_key_arn(stack, "Theirs", arn)
    template = HardenedLaunchTemplate(stack, "Template", vpc=vpc, encryption_key=key)
    HardenedAutoScalingGroup(stack, "Fleet", vpc=vpc, launch_template=template)
    Annotations.from_stack(stack).has_warning(
        "/Stack/Fleet", Match.string_like_regexp("Stack/Theirs is not created in this app: its key")
    )


# What is refused.


def refused(stack: cdk.Stack, vpc: ec2.IVpc, says: str, **props: Any) -> None:  # noqa: ANN401
    with pytest.raises(ValueError, match=says):
        HardenedAutoScalingGroup(stack, "Fleet", vpc=vpc, **props)
    assert not [child for child in stack.node.children if child.node.id.startswith("Fleet")]


@pytest.mark.parametrize(
    ("props", "says"),
    [
        ({"vpc_subnets": "public"}, r"vpc_subnets is 'public': write vpc_subnets=ec2.SubnetSel"),
        (
            {"launch_template": "lt-1"},
            r"launch_template is 'lt-1', which does not harden its servers",
        ),
        ({"mixed_instances_policy": "spot"}, r"is 'spot': write autoscaling.MixedInstancesPolicy"),
        ({"instance_refresh": "rolling"}, r"is 'rolling': write autoscaling.InstanceRefreshOpt"),
        (
            {
                "instance_refresh": autoscaling.InstanceRefreshOptions(
                    strategy=autoscaling.InstanceRefreshStrategy.REPLACE_ROOT_VOLUME
                )
            },
            r"changed hardening does not reach them: write strategy=.*ROLLING",
        ),
        (
            {"heartbeat_timeout": cdk.Duration.seconds(29)},
            r"heartbeat_timeout is 29 seconds, and 30 to 7200 are allowed: write the longest",
        ),
        ({"heartbeat_timeout": cdk.Duration.hours(3)}, r"heartbeat_timeout is 10800 seconds"),
        (
            {"heartbeat_timeout": cdk.Duration.minutes(5), "wait_for_hardening": False},
            r"heartbeat_timeout is given with wait_for_hardening=False, .* leave one of the",
        ),
        ({"auto_scaling_group_name": "a b"}, r"group is 'a b': letters, digits.*are allowed"),
    ],
)
def test_wrong_props_are_refused_and_leave_nothing_behind(
    stack: cdk.Stack, vpc: HardenedVpc, props: dict[str, Any], says: str
) -> None:
    refused(stack, vpc, says, **props)


def test_a_fleet_in_one_zone_is_refused(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    alone = HardenedVpc(stack, "Alone", max_azs=1, interface_endpoints=ENDPOINTS)
    says = r"in one Availability Zone \(.*\), whose failure would stop the whole fleet: write a VPC"
    refused(stack, alone, says)
    selection = ec2.SubnetSelection(subnets=[vpc.isolated_subnets[0]])
    refused(stack, vpc, says, vpc_subnets=selection)


def test_a_vpc_of_someone_elses_works_and_is_judged(stack: cdk.Stack) -> None:
    def theirs(name: str, *zones: str) -> ec2.IVpc:
        return ec2.Vpc.from_vpc_attributes(
            stack,
            name,
            vpc_id="vpc-1",
            availability_zones=[*zones],
            private_subnet_ids=[f"subnet-{zone}" for zone in zones],
        )

    refused(stack, theirs("One", "eu-west-1a"), r"all in one Availability Zone \(eu-west-1a\)")
    HardenedAutoScalingGroup(stack, "Fleet", vpc=theirs("Two", "eu-west-1a", "eu-west-1b"))
    assert group(stack)["VPCZoneIdentifier"] == ["subnet-eu-west-1a", "subnet-eu-west-1b"]


def test_servers_that_could_not_report_are_refused(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    closed = HardenedVpc(stack, "Closed", interface_endpoints=("ssm",))
    refused(
        stack,
        closed,
        r"cannot reach EC2 Auto Scaling from Stack/Closed.*"
        r"interface_endpoints=\('ssm', 'autoscaling'\)\), or wait_for_hardening=False",
    )
    for name, props in (
        ("Baked", {"host_hardening": None}),
        ("Silent", {"imds": Imds.disabled()}),
    ):
        template = HardenedLaunchTemplate(stack, name, vpc=vpc, **props)
        refused(
            stack,
            vpc,
            rf"launch template Stack/{name} hardens nothing at boot.*wait_for_hardening=False",
            launch_template=template,
        )
        HardenedAutoScalingGroup(
            stack, f"{name}Fleet", vpc=vpc, launch_template=template, wait_for_hardening=False
        )


def test_a_way_out_is_a_way_to_report(stack: cdk.Stack) -> None:
    vpc = HardenedVpc(stack, "Vpc", public_subnets=True, nat_gateways=1)
    HardenedAutoScalingGroup(stack, "Fleet", vpc=vpc)
    assert "LifecycleHookSpecificationList" in group(stack)


def test_a_launch_template_that_nothing_hardens_is_refused(
    stack: cdk.Stack, vpc: HardenedVpc
) -> None:
    plain = ec2.LaunchTemplate(
        stack,
        "Plain",
        instance_type=ec2.InstanceType("t4g.small"),
        machine_image=ec2.MachineImage.latest_amazon_linux2023(),
    )
    says = r"which does not harden its servers: write HardenedLaunchTemplate\(self"
    refused(stack, vpc, f"^launch_template is .*{says}", launch_template=plain)
    refused(
        stack,
        vpc,
        rf"^mixed_instances_policy.launch_template is .*{says}",
        mixed_instances_policy=mixed(plain),
    )
    refused(
        stack,
        vpc,
        rf"^mixed_instances_policy.launch_template_overrides\[0\].launch_template is .*{says}",
        mixed_instances_policy=mixed(unprotected(stack, vpc), launch_template=plain),
    )


def test_a_policy_and_a_launch_template_at_once_are_refused(
    stack: cdk.Stack, vpc: HardenedVpc
) -> None:
    template = unprotected(stack, vpc)
    refused(
        stack,
        vpc,
        r"both given, and the policy contains a launch template already: leave",
        launch_template=template,
        mixed_instances_policy=mixed(template),
    )


def test_an_override_that_is_no_override_is_refused(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    policy = autoscaling.MixedInstancesPolicy(
        launch_template=unprotected(stack, vpc),
        launch_template_overrides=[{"instance_type": ec2.InstanceType("m7g.large")}],
    )
    refused(
        stack,
        vpc,
        r"overrides\[0\] is \{.*\}: write autoscaling.LaunchTemplateOverrides\(",
        mixed_instances_policy=policy,
    )


@pytest.mark.parametrize("protection", ["disable_api_termination", "disable_api_stop"])
def test_spot_instances_that_ec2_would_not_launch_are_refused(
    stack: cdk.Stack, vpc: HardenedVpc, protection: str
) -> None:
    other = ({"disable_api_termination", "disable_api_stop"} - {protection}).pop()
    template = HardenedLaunchTemplate(stack, "Template", vpc=vpc, **{other: False})  # type: ignore[arg-type]
    refused(
        stack,
        vpc,
        r"requests Spot Instances \(on_demand_percentage_above_base_capacity=50\) from the launch "
        r"template Stack/Template, .*disable_api_termination=False, disable_api_stop=False",
        mixed_instances_policy=mixed(template),
    )
    policy = mixed(template, on_demand=100)
    HardenedAutoScalingGroup(stack, "Fleet", vpc=vpc, mixed_instances_policy=policy)


def test_a_launch_template_of_two_groups_is_refused(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    """Its servers can report to one group only; those of the other would all be ended."""
    template = unprotected(stack, vpc)
    HardenedAutoScalingGroup(stack, "First", vpc=vpc, launch_template=template)
    refused(
        stack,
        vpc,
        r"Stack/Template is in use by another group, .*create a HardenedLaunchTemplate for each",
        launch_template=template,
    )


def test_public_addresses_in_private_subnets_are_refused(stack: cdk.Stack) -> None:
    vpc = HardenedVpc(stack, "Vpc", public_subnets=True, interface_endpoints=ENDPOINTS)
    template = HardenedLaunchTemplate(stack, "Template", vpc=vpc, associate_public_ip_address=True)
    refused(
        stack,
        vpc,
        r"Stack/Template requests public addresses.*write vpc_subnets=ec2.SubnetSelection\(",
        launch_template=template,
    )
    HardenedAutoScalingGroup(stack, "Fleet", vpc=vpc, launch_template=template, vpc_subnets=PUBLIC)


def test_a_second_group_of_an_id_is_refused_and_the_first_stays(stack: cdk.Stack) -> None:
    vpc = HardenedVpc(stack, "Vpc", interface_endpoints=("autoscaling",))
    HardenedAutoScalingGroup(stack, "Fleet", vpc=vpc)
    before = [each.node.id for each in stack.node.children]
    with pytest.raises(RuntimeError, match="already a Construct with name 'FleetLaunchTemplate"):
        HardenedAutoScalingGroup(stack, "Fleet", vpc=vpc)
    assert [each.node.id for each in stack.node.children] == before


@pytest.mark.parametrize(
    ("props", "says"),
    [
        ({"max_capacity": 1}, r"minCapacity \(2\) should be <= maxCapacity \(1\)"),
        ({"max_instance_lifetime": cdk.Duration.hours(1)}, r"between 1 and 365 days"),
    ],
)
def test_what_cdk_itself_refuses_leaves_nothing_behind(
    stack: cdk.Stack, vpc: HardenedVpc, props: dict[str, Any], says: str
) -> None:
    with pytest.raises(RuntimeError, match=says):
        HardenedAutoScalingGroup(stack, "Fleet", vpc=vpc, **props)
    assert not [child for child in stack.node.children if child.node.id.startswith("Fleet")]


# What the packs say.


def found_by_the_policy(stack: cdk.Stack) -> set[str]:
    template = Rendered(name="Stack.template.json", document=rendered(stack))
    return {finding.rule for finding in judge([template])}


def behind_a_load_balancer(stack: cdk.Stack) -> HardenedAutoScalingGroup:
    vpc = HardenedVpc(stack, "Vpc", public_subnets=True, interface_endpoints=ENDPOINTS)
    fleet = HardenedAutoScalingGroup(stack, "Fleet", vpc=vpc)
    balancer = elbv2.ApplicationLoadBalancer(
        stack,
        "Balancer",
        vpc=vpc,
        internet_facing=True,
        vpc_subnets=PUBLIC,
        security_group=LockedSecurityGroup(stack, "Group", vpc=vpc, description="Load balancer"),
    )
    certificate = elbv2.ListenerCertificate.from_arn("arn:aws:acm:eu-west-1:1:certificate/1")
    balancer.add_listener("Https", port=443, certificates=[certificate]).add_targets(
        "Fleet", port=8080, targets=[fleet]
    )
    return fleet


def test_a_fleet_behind_a_public_load_balancer_is_not_exposed(stack: cdk.Stack) -> None:
    behind_a_load_balancer(stack)
    assert found_by_the_policy(stack) == set()


def test_a_fleet_that_is_opened_beside_its_load_balancer_is_reported(stack: cdk.Stack) -> None:
    """The negative control: the same fleet, one rule wider."""
    fleet = behind_a_load_balancer(stack)
    fleet.connections.allow_from_any_ipv4(ec2.Port.tcp(8080), "A shortcut")
    assert found_by_the_policy(stack) == OPEN_IN_PRIVATE


def test_what_is_opened_by_the_escape_hatch_is_reported(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    template = unprotected(stack, vpc)
    HardenedAutoScalingGroup(stack, "Fleet", vpc=vpc, launch_template=template)
    resource = template.node.default_child
    assert isinstance(resource, ec2.CfnLaunchTemplate)
    resource.add_property_override("LaunchTemplateData.MetadataOptions.HttpTokens", "optional")
    resource.add_property_override(
        "LaunchTemplateData.BlockDeviceMappings.0.Ebs.Encrypted",
        False,  # noqa: FBT003
    )
    assert found_by_the_policy(stack) == {
        "HardenedEc2-ImdsV2",
        "HardenedEc2-VolumeEncryption",
    }


def test_the_servers_of_an_override_are_placed_where_the_group_is(stack: cdk.Stack) -> None:
    """Opened to the world in the private subnets of the group: the override is judged there too."""
    vpc = HardenedVpc(stack, "Vpc", interface_endpoints=ENDPOINTS)
    other = unprotected(stack, vpc, "Other")
    policy = mixed(unprotected(stack, vpc), launch_template=other)
    HardenedAutoScalingGroup(stack, "Fleet", vpc=vpc, mixed_instances_policy=policy)
    other.connections.allow_from_any_ipv4(ec2.Port.tcp(8080), "A shortcut")
    assert found_by_the_policy(stack) == OPEN_IN_PRIVATE


def test_every_pack_passes_and_what_was_acknowledged_is_known(tmp_path: Path) -> None:
    """A group of its own template and a mixed one, in a user's own app."""
    app = cdk.App(outdir=str(tmp_path), builtin_cloud_formation_validation=False)
    stack = cdk.Stack(app, "Stack")
    vpc = HardenedVpc(stack, "Vpc", interface_endpoints=ENDPOINTS)
    fleet = HardenedAutoScalingGroup(stack, "Fleet", vpc=vpc)
    HardenedAutoScalingGroup(
        stack,
        "Mixed",
        vpc=vpc,
        mixed_instances_policy=mixed(unprotected(stack, vpc)),
        notifications_topic=fleet.notifications_topic,
    )
    cdk.Validations.of(app).add_plugins(
        HardenedEc2Checks(app), AwsSolutionsChecks(app), NIST80053R5Checks(app)
    )
    app.synth()
    reports = json.loads((tmp_path / "validation-report.json").read_text("utf-8"))["pluginReports"]
    assert [each["violations"] for each in reports] == [[] for _ in reports]
    acknowledged = {
        re.sub(r"Resource::arn.*/", "Resource::ARN/", each["acknowledgedId"]): {
            where["constructPath"] for where in each["violatingConstructs"]
        }
        for report in reports
        for each in report["suppressedViolations"]
        if each["acknowledgedId"] != "AwsSolutions::AwsSolutions-IAM5[Resource::*]"
    }
    assert acknowledged == {
        "AwsSolutions::AwsSolutions-EC26": {"Stack/Mixed/ASG"},
        "NIST.800.53.R5::NIST.800.53.R5-EC2IMDSv2Enabled": {"Stack/Mixed/ASG"},
        "AwsSolutions::AwsSolutions-IAM5[Resource::ARN/Stack-FleetASG3971DFE5]": {
            "Stack/Fleet/CompleteLifecycleAction/Resource"
        },
        "AwsSolutions::AwsSolutions-IAM5[Resource::ARN/Stack-MixedASGD12201A7]": {
            "Stack/Mixed/CompleteLifecycleAction/Resource"
        },
    }
