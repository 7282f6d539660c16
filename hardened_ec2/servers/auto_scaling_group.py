"""HardenedAutoScalingGroup: an Auto Scaling group that puts only hardened servers in service."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import cast
from weakref import WeakKeyDictionary

import aws_cdk as cdk
from aws_cdk import ArnFormat, Aws, Duration, Stack
from aws_cdk import aws_autoscaling as autoscaling
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from constructs import Construct

from hardened_ec2.host import LifecycleSignal
from hardened_ec2.host.multipart import has_tokens
from hardened_ec2.servers.auto_scaling_group_checks import (
    hardened_templates,
    heartbeat_seconds,
    refuse_one_zone,
    refuse_public_address_in_private_subnets,
    refuse_silent_servers,
    update_policy,
)
from hardened_ec2.servers.auto_scaling_group_keys import let_auto_scaling_use
from hardened_ec2.servers.auto_scaling_group_keys import notifications_topic as topic_of_its_own
from hardened_ec2.servers.launch_template import HardenedLaunchTemplate
from hardened_ec2.servers.subnets import subnets_or_private
from hardened_ec2.support.acknowledgements import (
    ANY_GROUP_OF_THIS_NAME,
    MIXED_INSTANCES,
)
from hardened_ec2.support.acknowledging import acknowledge, as_nag_writes
from hardened_ec2.support.all_or_nothing import all_or_nothing
from hardened_ec2.support.signature import own_signature

LIFECYCLE_HOOK = "hardening"
"""The name of the lifecycle hook that keeps a new server out of service until it is hardened."""


@own_signature
class HardenedAutoScalingGroup(autoscaling.AutoScalingGroup):
    """An Auto Scaling group whose servers are hardened before they are in service.

    It is an `autoscaling.AutoScalingGroup`: scaling policies, load balancers, connections, grants
    and ``user_data`` work as usual. By default it has

    - a new `HardenedLaunchTemplate`, and private subnets in at least two Availability Zones;
    - a lifecycle hook that keeps a new server out of service, and out of its load balancer, until
      the host reports that its hardening and your commands succeeded. A host that fails, hangs or
      cannot report is terminated, at the latest when the hook times out;
    - instance refresh: when the launch template changes, the stack update replaces each server
      after its successor is in service. If a successor fails, CloudFormation rolls the group back
      the same way;
    - health checks by EC2 and by the load balancer, a maximum lifetime of 30 days for each server,
      group metrics, and protection from deletion while the group has servers;
    - notifications of launches, terminations and their failures to an encrypted SNS topic.

    The hook covers every launch; a signal to CloudFormation covers only those of a stack create or
    update. A first deployment has nothing to roll back to, so CloudFormation reports the group as
    created before its servers are in service.

    The hook requires an image with the AWS CLI (Amazon Linux except its minimal images) and a route
    to EC2 Auto Scaling. In a VPC without internet access this is the interface endpoint
    "autoscaling", at $7.30 a month for each zone; elsewhere, allow egress to port 443.

    Source: Security Hub AutoScaling.1, AutoScaling.2, AutoScaling.6, AutoScaling.9; AWS, "Amazon
        EC2 Auto Scaling lifecycle hooks"; AWS, "Use an instance refresh to update instances in an
        Auto Scaling group"; AWS CloudFormation, "UpdatePolicy attribute".

    Example::

        vpc = HardenedVpc(
            self, "Network", interface_endpoints=("ssm", "ssmmessages", "autoscaling")
        )
        fleet = HardenedAutoScalingGroup(self, "Fleet", vpc=vpc, max_capacity=6)
        fleet.user_data.add_commands("systemctl enable --now my-service")
        fleet.scale_on_cpu_utilization("Load", target_utilization_percent=50)
    """

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 - CDK's own name for it
        *,
        vpc: ec2.IVpc,
        launch_template: HardenedLaunchTemplate | None = None,
        mixed_instances_policy: autoscaling.MixedInstancesPolicy | None = None,
        vpc_subnets: ec2.SubnetSelection | None = None,
        min_capacity: int = 2,
        max_capacity: int | None = None,
        wait_for_hardening: bool = True,
        heartbeat_timeout: Duration | None = None,
        health_check_grace_period: Duration | None = None,
        instance_refresh: autoscaling.InstanceRefreshOptions | None = None,
        max_instance_lifetime: Duration | None = None,
        notifications_topic: cdk.aws_sns.ITopic | None = None,
        capacity_rebalance: bool = False,
        deletion_protection: autoscaling.DeletionProtection | None = None,
        auto_scaling_group_name: str | None = None,
    ) -> None:
        """Create the group, and a launch template and SNS topic if none are given.

        Args:
            scope: The parent construct.
            id: The group's id in it.
            vpc: The VPC.
            launch_template: The launch template of the servers. Each group needs its own. Default:
                a new `HardenedLaunchTemplate` without termination and stop protection: an Auto
                Scaling group terminates protected servers too, and EC2 cannot launch a Spot
                Instance with this protection.
            mixed_instances_policy: Several instance types, On-Demand and Spot. Every launch
                template in it, including those of overrides, must be a `HardenedLaunchTemplate`.
                Default: none.
            vpc_subnets: The subnets to place the servers in. Default: the VPC's private subnets; a
                VPC without private subnets is refused.
            min_capacity: The minimum number of servers. Default: 2.
            max_capacity: The maximum number of servers. Default: ``min_capacity``.
            wait_for_hardening: Whether a new server stays out of service until it reports its
                hardening. With False, a server is in service as soon as it runs, even if its
                hardening failed, and instance refresh counts it as replaced. Default: True.
            heartbeat_timeout: How long the hardening and your commands can take on a new server,
                from 30 seconds to 2 hours. Default: 15 minutes.
            health_check_grace_period: How long failed load balancer health checks are ignored after
                a server is in service. Default: 5 minutes.
            instance_refresh: How a changed launch template replaces the servers: percentages,
                checkpoints, and alarms that stop the refresh. Default: 100% to 110% of the servers
                healthy, without checkpoints.
            max_instance_lifetime: The age at which a server is replaced, from 1 to 365 days.
                Default: 30 days.
            notifications_topic: The SNS topic that is notified of launches, terminations and their
                failures. Default: a new encrypted topic without subscribers, in the attribute
                ``notifications_topic``; its KMS key costs $1 a month.
            capacity_rebalance: Whether Spot Instances at risk are replaced before they are
                interrupted. Default: False.
            deletion_protection: When the group is protected from deletion. Default: while it has
                servers.
            auto_scaling_group_name: The group's name, of letters, digits, "-", "_", "." and "/".
                Default: the stack's name and the logical id, which the servers' user data can
                contain before the group exists.

        Raises:
            ValueError: If an argument is invalid or two contradict each other, all subnets are in
                one zone, a launch template is not hardened, or the servers could not report; the
                message says what to write.
        """
        subnets = subnets_or_private(vpc, vpc_subnets)
        templates = hardened_templates(launch_template, mixed_instances_policy)
        replacement = update_policy(instance_refresh)
        heartbeat = heartbeat_seconds(heartbeat_timeout, waits=wait_for_hardening)
        if wait_for_hardening:
            refuse_silent_servers(vpc, templates)
        if auto_scaling_group_name is not None:
            LifecycleSignal(group=auto_scaling_group_name, hook=LIFECYCLE_HOOK)  # checks the name
        if vpc_subnets is None:
            refuse_public_address_in_private_subnets(templates)
        refuse_one_zone(vpc, subnets)

        # All argument checks run above, before the first construct is created.
        with all_or_nothing(scope) as created:
            if not templates:
                launch_template = HardenedLaunchTemplate(
                    scope,
                    f"{id}LaunchTemplate",
                    vpc=vpc,
                    disable_api_termination=False,
                    disable_api_stop=False,
                )
                # If it is refused, it removes its own children.
                created += [f"{id}LaunchTemplate", f"{id}LaunchTemplateAccess"]
                templates = (launch_template,)
            if notifications_topic is None:
                created.append(f"{id}Notifications")
                notifications_topic = topic_of_its_own(Construct(scope, f"{id}Notifications"))
            created.append(id)
            super().__init__(
                scope,
                id,
                vpc=vpc,
                vpc_subnets=subnets,
                launch_template=launch_template,
                mixed_instances_policy=mixed_instances_policy,
                min_capacity=min_capacity,
                max_capacity=max_capacity,
                update_policy=replacement,
                health_checks=_health_checks(health_check_grace_period),
                # A server replaced for its health or age waits for its successor too.
                min_healthy_percentage=100,
                max_healthy_percentage=110,
                max_instance_lifetime=max_instance_lifetime or _lifetime(),
                notifications=[
                    autoscaling.NotificationConfiguration(
                        topic=notifications_topic, scaling_events=_all_events()
                    )
                ],
                group_metrics=[_all_metrics()],
                capacity_rebalance=capacity_rebalance or None,
                deletion_protection=deletion_protection
                or autoscaling.DeletionProtection.PREVENT_FORCE_DELETION,
            )
        self.notifications_topic = notifications_topic
        """The SNS topic that is notified of launches, terminations and their failures."""
        self.launch_templates = templates
        """The launch templates of the servers."""
        group = cast("autoscaling.CfnAutoScalingGroup", self.node.default_child)
        if wait_for_hardening:
            self._wait_for_hardening(group, auto_scaling_group_name, heartbeat)
        elif auto_scaling_group_name is not None:
            group.auto_scaling_group_name = auto_scaling_group_name
        let_auto_scaling_use(self, *(key for each in templates for key in each.encryption_keys))
        if mixed_instances_policy is not None:
            acknowledge(group, *MIXED_INSTANCES)

    def _wait_for_hardening(
        self, group: autoscaling.CfnAutoScalingGroup, name: str | None, heartbeat: int
    ) -> None:
        """Keep new servers out of service until they report that they are hardened."""
        stack = Stack.of(self)
        named = _named(stack)
        if name is None:
            name = f"{named.stack}-{stack.get_logical_id(group)}"
        group.auto_scaling_group_name = name
        # Part of the group: a separate hook would be created after the first servers launch.
        group.lifecycle_hook_specification_list = [
            autoscaling.CfnAutoScalingGroup.LifecycleHookSpecificationProperty(
                lifecycle_hook_name=LIFECYCLE_HOOK,
                lifecycle_transition="autoscaling:EC2_INSTANCE_LAUNCHING",
                default_result="ABANDON",
                heartbeat_timeout=heartbeat,
            )
        ]
        signal = LifecycleSignal(group=name, hook=LIFECYCLE_HOOK, region=named.region)
        for template in self.launch_templates:
            template.report_to(signal)
        arn = f"{named.groups_arn}{name}"
        roles = dict.fromkeys(template.server_role for template in self.launch_templates)
        # A managed policy, not an inline one: NIST 800-53 packs refuse inline policies.
        permission = iam.ManagedPolicy(
            self,
            "CompleteLifecycleAction",
            description="Say that a server of the group is hardened",
            statements=[
                iam.PolicyStatement(
                    actions=["autoscaling:CompleteLifecycleAction"], resources=[arn]
                )
            ],
            roles=[*roles],
        )
        finding = (
            as_nag_writes(stack, arn) if has_tokens(name) else f"{named.groups_in_findings}{name}"
        )
        # The first servers need the policy, and the policy does not reference the group.
        group.node.add_dependency(permission)
        acknowledge(
            permission,
            replace(
                ANY_GROUP_OF_THIS_NAME,
                rule=f"AwsSolutions::AwsSolutions-IAM5[Resource::{finding}]",
            ),
        )


@dataclass(frozen=True, kw_only=True)
class _Names:
    """The parts of names and ARNs that all groups of a stack share.

    Args:
        stack: The stack's name.
        region: The stack's Region. None if only CloudFormation knows it; the host then looks it up,
            because with a token, user data could not be delivered as gzip.
        groups_arn: The ARN of any group of the stack's account and Region, up to its name.
        groups_in_findings: The same, as cdk-nag writes it.
    """

    stack: str
    region: str | None
    groups_arn: str
    groups_in_findings: str


_NAMES: WeakKeyDictionary[Stack, _Names] = WeakKeyDictionary()


def _named(stack: Stack) -> _Names:
    if stack not in _NAMES:
        name, region = stack.stack_name, stack.region
        arn = stack.format_arn(
            service="autoscaling",
            resource="autoScalingGroup",
            resource_name="*:autoScalingGroupName/",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        _NAMES[stack] = _Names(
            # CloudFormation names nested stacks.
            stack=Aws.STACK_NAME if has_tokens(name) else name,
            region=None if has_tokens(region) else region,
            groups_arn=arn,
            groups_in_findings=as_nag_writes(stack, arn),
        )
    return _NAMES[stack]


def _health_checks(grace_period: Duration | None) -> autoscaling.HealthChecks:
    return _load_balancer_checks() if grace_period is None else _checks_after(grace_period)


def _checks_after(grace_period: Duration) -> autoscaling.HealthChecks:
    # EC2's own checks are always on; the stock packs require the type to be exactly ELB.
    return autoscaling.HealthChecks.with_additional_checks(
        additional_types=[autoscaling.AdditionalHealthCheckType.ELB], grace_period=grace_period
    )


# Cached values that are the same for every group, created with one message to node.


@cache
def _load_balancer_checks() -> autoscaling.HealthChecks:
    return _checks_after(Duration.minutes(5))


@cache
def _lifetime() -> Duration:
    return Duration.days(30)


@cache
def _all_events() -> autoscaling.ScalingEvents:
    return autoscaling.ScalingEvents.ALL


@cache
def _all_metrics() -> autoscaling.GroupMetrics:
    return autoscaling.GroupMetrics.all()
