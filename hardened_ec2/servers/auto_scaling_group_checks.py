"""What a fleet takes and what it refuses, before anything of it is made."""

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
"""How many seconds a new server may take for its hardening and the user's commands."""

_HEARTBEATS = range(30, 7_201)
_ZONES: WeakKeyDictionary[ec2.IVpc, dict[ec2.SubnetType, Sequence[str]]] = WeakKeyDictionary()


def hardened_templates(
    launch_template: object, policy: object
) -> tuple[HardenedLaunchTemplate, ...]:
    """List every launch template that a group could launch a server from.

    Args:
        launch_template: The group's launch template. None for one of its own, or with a policy.
        policy: Its mixed instances policy, or None.

    Returns:
        The launch templates, each once; none where the group gets one of its own.

    Raises:
        ValueError: If both are given, a launch template is not hardened or serves another group, or
            Spot Instances are asked for from one that protects its servers.

    Source: AWS, "Auto Scaling groups with multiple instance types and purchase options"; AWS,
        "Change instance termination protection".

    Example:
        >>> template = HardenedLaunchTemplate(self, "Template", vpc=vpc)
        >>> [each.node.id for each in hardened_templates(template, None)]
        ['Template']
    """
    if launch_template is not None and policy is not None:
        raise ValueError(
            "launch_template and mixed_instances_policy are both given, and the policy names its "
            "own launch template: leave launch_template out"
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
                f"the launch template {template.node.path} is in use by another group, which its "
                "servers report to: make a HardenedLaunchTemplate for each group"
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
                f"mixed_instances_policy asks for Spot Instances "
                f"(on_demand_percentage_above_base_capacity={on_demand}) from the launch template "
                f"{template.node.path}, which protects its servers from termination or stop: EC2 "
                "launches no such Spot Instance. Make the launch template with "
                "disable_api_termination=False, disable_api_stop=False"
            )
    return templates


def _hardened(template: object, where: str) -> HardenedLaunchTemplate:
    if not isinstance(template, HardenedLaunchTemplate):
        raise ValueError(
            f"{where} is {template!r}, whose servers nothing hardens: write "
            "HardenedLaunchTemplate(self, 'Template', vpc=vpc, ...)"
        )
    return template


def update_policy(options: object) -> autoscaling.UpdatePolicy:
    """Return how the servers of a group are replaced when its launch template changes.

    Args:
        options: The user's options of an instance refresh, or None.

    Returns:
        The update policy.

    Raises:
        ValueError: If they are no such options, or would leave servers with their old user data.

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
            "volumes of servers and leaves their user data: changed hardening would not reach "
            "them. Write strategy=autoscaling.InstanceRefreshStrategy.ROLLING"
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
    """Return how long a lifecycle hook waits for a server.

    Args:
        timeout: What the user wants, or None.
        waits: Whether there is a hook.

    Returns:
        The timeout in seconds. Default: 15 minutes.

    Raises:
        ValueError: If EC2 Auto Scaling would refuse the timeout, or there is no hook.

    Source: EC2 Auto Scaling API Reference, "PutLifecycleHook".

    Example:
        >>> heartbeat_seconds(Duration.minutes(20), waits=True)
        1200
    """
    if timeout is None:
        return DEFAULT_HEARTBEAT
    if not waits:
        raise ValueError(
            "heartbeat_timeout with wait_for_hardening=False, which makes no hook that could time "
            "out: leave one of the two out"
        )
    seconds = int(timeout.to_seconds())
    if seconds not in _HEARTBEATS:
        raise ValueError(
            f"heartbeat_timeout is {seconds} seconds, where EC2 Auto Scaling takes 30 to 7200: "
            "write how long the hardening and your commands take at most, such as "
            "Duration.minutes(15)"
        )
    return seconds


def refuse_silent_servers(vpc: ec2.IVpc, templates: Iterable[HardenedLaunchTemplate]) -> None:
    """Refuse to wait for servers that could never report: all would be launched, and ended.

    Args:
        vpc: The VPC that they are in.
        templates: What they are launched from.

    Raises:
        ValueError: If a launch template hardens nothing at boot, or the VPC is a `HardenedVpc` that
            has no way to EC2 Auto Scaling.

    Source: AWS, "Amazon EC2 Auto Scaling and interface VPC endpoints".
    """
    for template in templates:
        if not template.hardens_at_boot:
            raise ValueError(
                f"the launch template {template.node.path} hardens nothing at boot, so its servers "
                "would never report it and never be in service: leave its host_hardening and imds "
                "at their defaults, or write wait_for_hardening=False"
            )
    needed = InterfaceEndpoints.LIFECYCLE_HOOK
    if (
        isinstance(vpc, HardenedVpc)
        and private_subnets(vpc) is ec2.SubnetType.PRIVATE_ISOLATED
        and not {*needed} <= {*vpc.interface_endpoints}
    ):
        raise ValueError(
            f"the servers could not reach EC2 Auto Scaling from {vpc.node.path}, to say that they "
            "are hardened: write HardenedVpc(..., interface_endpoints="
            f"{(*vpc.interface_endpoints, *needed)!r}), or wait_for_hardening=False"
        )


def refuse_one_zone(vpc: ec2.IVpc, subnets: ec2.SubnetSelection) -> None:
    """Refuse subnets that are all in one zone.

    Args:
        vpc: The VPC.
        subnets: Which of its subnets.

    Raises:
        ValueError: If they are in one zone.

    Source: Security Hub AutoScaling.2.
    """
    zones = _zones(vpc, subnets)
    if len(set(zones)) == 1:
        raise ValueError(
            f"the subnets are all in one zone ({zones[0]}), whose failure would end the whole "
            "fleet: write a VPC with max_azs=2 or more, or vpc_subnets in several zones"
        )


def _zones(vpc: ec2.IVpc, subnets: ec2.SubnetSelection) -> Sequence[str]:
    """Return the zones of subnets; those of a type are looked up once for each VPC."""
    kind = subnets.subnet_type
    if kind is None or subnets != ec2.SubnetSelection(subnet_type=kind):
        return selected_subnets(vpc, subnets).availability_zones
    known = _ZONES.setdefault(vpc, {})
    if kind not in known:
        known[kind] = selected_subnets(vpc, subnets).availability_zones
    return known[kind]


def refuse_public_address_in_private_subnets(templates: Iterable[HardenedLaunchTemplate]) -> None:
    """Refuse launch templates that ask for public addresses where only private subnets are.

    Args:
        templates: What servers in private subnets are launched from.

    Raises:
        ValueError: If one asks for public addresses.
    """
    for template in templates:
        if template.associate_public_ip_address:
            raise ValueError(
                f"the launch template {template.node.path} asks for public addresses, and the "
                "servers are placed in private subnets: write vpc_subnets=ec2.SubnetSelection("
                "subnet_type=ec2.SubnetType.PUBLIC) as well, or leave associate_public_ip_address "
                "out"
            )
