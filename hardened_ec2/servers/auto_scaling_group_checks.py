"""Argument checks of HardenedAutoScalingGroup, run before any construct is created."""

from collections.abc import Iterable, Sequence
from functools import cache
from weakref import WeakKeyDictionary

from aws_cdk import Duration
from aws_cdk import aws_autoscaling as autoscaling
from aws_cdk import aws_ec2 as ec2

from hardened_ec2.network.interface_endpoints import InterfaceEndpoints
from hardened_ec2.network.vpc import HardenedVpc, private_subnets
from hardened_ec2.servers.launch_template import HardenedLaunchTemplate
from hardened_ec2.servers.subnets import selected_subnets

DEFAULT_HEARTBEAT = 900
"""The default heartbeat timeout of the lifecycle hook, in seconds."""

_HEARTBEATS = range(30, 7_201)
_ZONES: WeakKeyDictionary[ec2.IVpc, dict[ec2.SubnetType, Sequence[str]]] = WeakKeyDictionary()


def hardened_templates(
    launch_template: object, policy: object
) -> tuple[HardenedLaunchTemplate, ...]:
    """Return every launch template that a group can launch a server from.

    Args:
        launch_template: The group's launch template. None for a new one, or with a policy.
        policy: The group's mixed instances policy, or None.

    Returns:
        The launch templates, each once; empty if the group creates its own.

    Raises:
        ValueError: If both are given, a launch template is not hardened or belongs to another
            group, or the policy requests Spot Instances from one that protects its servers.

    Source: AWS, "Auto Scaling groups with multiple instance types and purchase options"; AWS,
        "Change instance termination protection".

    Example:
        >>> template = HardenedLaunchTemplate(self, "Template", vpc=vpc)
        >>> [each.node.id for each in hardened_templates(template, None)]
        ['Template']
    """
    if launch_template is not None and policy is not None:
        raise ValueError(
            "launch_template and mixed_instances_policy are both given, and the policy contains a "
            "launch template already: leave launch_template out"
        )
    found: list[HardenedLaunchTemplate] = []
    if launch_template is not None:
        found.append(_hardened(launch_template, "launch_template"))
    if policy is not None:
        found += _templates_of(policy)
    unique = tuple(dict.fromkeys(found))
    for template in unique:
        if template.reports:
            raise ValueError(
                f"the launch template {template.node.path} is in use by another group, to which "
                "its servers report: create a HardenedLaunchTemplate for each group"
            )
    return unique


def _templates_of(policy: object) -> Iterable[HardenedLaunchTemplate]:
    if not isinstance(policy, autoscaling.MixedInstancesPolicy):
        raise ValueError(
            f"mixed_instances_policy is {policy!r}: write autoscaling.MixedInstancesPolicy("
            "launch_template=HardenedLaunchTemplate(...), launch_template_overrides=[...])"
        )
    templates = [_hardened(policy.launch_template, "mixed_instances_policy.launch_template")]
    overrides: Sequence[object] = policy.launch_template_overrides or ()
    for number, override in enumerate(overrides):
        where = f"mixed_instances_policy.launch_template_overrides[{number}]"
        if not isinstance(override, autoscaling.LaunchTemplateOverrides):
            raise ValueError(
                f"{where} is {override!r}: write autoscaling.LaunchTemplateOverrides("
                "instance_type=ec2.InstanceType('m7g.large'))"
            )
        if override.launch_template is not None:
            templates.append(_hardened(override.launch_template, f"{where}.launch_template"))
    distribution = policy.instances_distribution
    on_demand = distribution and distribution.on_demand_percentage_above_base_capacity
    for template in templates:
        if on_demand not in (None, 100) and template.protects_from_termination_or_stop:
            raise ValueError(
                f"mixed_instances_policy requests Spot Instances "
                f"(on_demand_percentage_above_base_capacity={on_demand}) from the launch template "
                f"{template.node.path}, which protects its servers from termination or stop, and "
                "EC2 cannot launch protected Spot Instances: create the launch template with "
                "disable_api_termination=False, disable_api_stop=False"
            )
    return templates


def _hardened(template: object, where: str) -> HardenedLaunchTemplate:
    if not isinstance(template, HardenedLaunchTemplate):
        raise ValueError(
            f"{where} is {template!r}, which does not harden its servers: write "
            "HardenedLaunchTemplate(self, 'Template', vpc=vpc, ...)"
        )
    return template


def update_policy(options: object) -> autoscaling.UpdatePolicy:
    """Return the update policy with which a changed launch template replaces a group's servers.

    Args:
        options: The user's instance refresh options, or None.

    Returns:
        The update policy.

    Raises:
        ValueError: If they are of another type, or leave servers with their old user data.

    Source: AWS, "Replace root volumes" of an instance refresh.

    Example:
        >>> isinstance(update_policy(None), autoscaling.UpdatePolicy)
        True
    """
    if options is None:
        return _rolling()
    if not isinstance(options, autoscaling.InstanceRefreshOptions):
        raise ValueError(
            f"instance_refresh is {options!r}: write autoscaling.InstanceRefreshOptions("
            "strategy=autoscaling.InstanceRefreshStrategy.ROLLING, ...), or leave it out"
        )
    if options.strategy is not autoscaling.InstanceRefreshStrategy.ROLLING:
        raise ValueError(
            f"instance_refresh has strategy={options.strategy.name}, which replaces the root "
            "volumes of servers and keeps their user data, so a changed hardening does not reach "
            "them: write strategy=autoscaling.InstanceRefreshStrategy.ROLLING"
        )
    names = (name for name, member in vars(type(options)).items() if isinstance(member, property))
    return autoscaling.UpdatePolicy.instance_refresh(
        **{name: getattr(options, name) for name in names}
    )


@cache
def _rolling() -> autoscaling.UpdatePolicy:
    return autoscaling.UpdatePolicy.instance_refresh(
        strategy=autoscaling.InstanceRefreshStrategy.ROLLING
    )


def heartbeat_seconds(timeout: Duration | None, *, waits: bool) -> int:
    """Return the heartbeat timeout of a lifecycle hook.

    Args:
        timeout: The user's timeout, or None.
        waits: Whether the group has the hook.

    Returns:
        The timeout in seconds. Default: 15 minutes.

    Raises:
        ValueError: If EC2 Auto Scaling refuses the timeout, or the group has no hook.

    Source: EC2 Auto Scaling API Reference, "PutLifecycleHook".

    Example:
        >>> heartbeat_seconds(Duration.minutes(20), waits=True)
        1200
    """
    if timeout is None:
        return DEFAULT_HEARTBEAT
    if not waits:
        raise ValueError(
            "heartbeat_timeout is given with wait_for_hardening=False, which creates no lifecycle "
            "hook: leave one of the two out"
        )
    seconds = int(timeout.to_seconds())
    if seconds not in _HEARTBEATS:
        raise ValueError(
            f"heartbeat_timeout is {seconds} seconds, and 30 to 7200 are allowed: write the "
            "longest time that the hardening and your commands take, such as Duration.minutes(15)"
        )
    return seconds


def refuse_silent_servers(vpc: ec2.IVpc, templates: Iterable[HardenedLaunchTemplate]) -> None:
    """Refuse to wait for servers that cannot report: the group would terminate all of them.

    Args:
        vpc: The VPC of the servers.
        templates: Their launch templates.

    Raises:
        ValueError: If a launch template hardens nothing at boot, or the VPC is a `HardenedVpc`
            without a route to EC2 Auto Scaling.

    Source: AWS, "Amazon EC2 Auto Scaling and interface VPC endpoints".
    """
    for template in templates:
        if not template.hardens_at_boot:
            raise ValueError(
                f"the launch template {template.node.path} hardens nothing at boot, so its servers "
                "would never report and never be in service: leave its host_hardening and imds at "
                "their defaults, or write wait_for_hardening=False"
            )
    needed = InterfaceEndpoints.LIFECYCLE_HOOK
    if (
        isinstance(vpc, HardenedVpc)
        and private_subnets(vpc) is ec2.SubnetType.PRIVATE_ISOLATED
        and not {*needed} <= {*vpc.interface_endpoints}
    ):
        raise ValueError(
            f"the servers cannot reach EC2 Auto Scaling from {vpc.node.path} to report that they "
            "are hardened: write HardenedVpc(..., interface_endpoints="
            f"{(*vpc.interface_endpoints, *needed)!r}), or wait_for_hardening=False"
        )


def refuse_one_zone(vpc: ec2.IVpc, subnets: ec2.SubnetSelection) -> None:
    """Refuse subnets that are all in one Availability Zone.

    Args:
        vpc: The VPC.
        subnets: The selection of its subnets.

    Raises:
        ValueError: If all of them are in one zone.

    Source: Security Hub AutoScaling.2.
    """
    zones = _zones(vpc, subnets)
    if len(set(zones)) == 1:
        raise ValueError(
            f"the subnets are all in one Availability Zone ({zones[0]}), whose failure would stop "
            "the whole fleet: write a VPC with max_azs=2 or more, or vpc_subnets in several zones"
        )


def _zones(vpc: ec2.IVpc, subnets: ec2.SubnetSelection) -> Sequence[str]:
    """Return the Availability Zones of subnets, cached by subnet type for each VPC."""
    kind = subnets.subnet_type
    if kind is None or subnets != ec2.SubnetSelection(subnet_type=kind):
        return selected_subnets(vpc, subnets).availability_zones
    known = _ZONES.setdefault(vpc, {})
    if kind not in known:
        known[kind] = selected_subnets(vpc, subnets).availability_zones
    return known[kind]


def refuse_public_address_in_private_subnets(templates: Iterable[HardenedLaunchTemplate]) -> None:
    """Refuse launch templates that request public addresses for servers in private subnets.

    Args:
        templates: The launch templates of servers in private subnets.

    Raises:
        ValueError: If one requests public addresses.
    """
    for template in templates:
        if template.associate_public_ip_address:
            raise ValueError(
                f"the launch template {template.node.path} requests public addresses, and the "
                "servers are placed in private subnets: write vpc_subnets=ec2.SubnetSelection("
                "subnet_type=ec2.SubnetType.PUBLIC) as well, or leave associate_public_ip_address "
                "out"
            )
