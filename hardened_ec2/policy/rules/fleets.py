"""Fleets: what keeps their servers fresh, healthy and spread."""

from collections.abc import Iterator

from hardened_ec2.policy.facts.servers import AUTO_SCALING_GROUP, Kind
from hardened_ec2.policy.findings import Severity
from hardened_ec2.policy.resolve.scenarios import ALWAYS, holds, scenarios
from hardened_ec2.policy.resolve.values import ABSENT, Unknown, Value, as_int, describe, why_unknown
from hardened_ec2.policy.rules.case import Case
from hardened_ec2.policy.rules.rule import (
    Control,
    Fault,
    Framework,
    Outcome,
    doubtful,
    faulty,
    rule,
)
from hardened_ec2.policy.rules.subjects import Subject


@rule(
    id="HardenedEc2-LaunchConfiguration",
    severity=Severity.WARNING,
    subject=Subject.MACHINES,
    fact="Servers are launched from launch templates, not from launch configurations.",
    why=(
        "A launch configuration gets nothing new: what protects servers since 2022, from metadata "
        "options to instance types, is for launch templates only."
    ),
    fix="Write AWS::EC2::LaunchTemplate and name it in the Auto Scaling group.",
    references=(
        Control(Framework.SECURITY_HUB, "AutoScaling.9"),
        Control(Framework.CONTROL_TOWER, "CT.AUTOSCALING.PR.8"),
        Control(Framework.CHECKOV, "CKV_AWS_315"),
    ),
)
def launch_configuration(case: Case) -> Iterator[Outcome]:
    """Report every launch configuration, and the launch specifications of Spot fleets."""
    for server in case.servers:
        if server.kind in (Kind.LAUNCH_CONFIGURATION, Kind.SPOT_FLEET):
            older = "a launch configuration"
            if server.kind is Kind.SPOT_FLEET:
                older = "a launch specification"
            value = Value(ABSENT, server.resource.when, server.own[0].place)
            yield faulty(value, f"{server.resource.logical_id} is {older}")


@rule(
    id="HardenedEc2-FleetLifetime",
    severity=Severity.WARNING,
    subject=Subject.FLEETS,
    fact="The servers of a fleet are replaced before they grow old.",
    why=(
        "A server that runs for a year runs what was safe a year ago, and whoever got in stays in; "
        "one that is replaced every month is patched and clean every month."
    ),
    fix="Write MaxInstanceLifetime in seconds, such as 2592000 for thirty days.",
)
def fleet_lifetime(case: Case) -> Iterator[Outcome]:
    """Judge MaxInstanceLifetime of Auto Scaling groups against the setting."""
    days = case.settings.fleet_lifetime_days
    for fleet in case.deployment.resources(AUTO_SCALING_GROUP):
        for lifetime in fleet.properties.at("MaxInstanceLifetime"):
            seconds = as_int(lifetime.content)
            why = why_unknown(lifetime.content)
            if why is not None:
                yield doubtful(lifetime, f"MaxInstanceLifetime is not known: {why}")
            elif not seconds:
                yield faulty(lifetime, "MaxInstanceLifetime is not given, so servers never retire")
            elif seconds > days * 86400:
                yield faulty(
                    lifetime, f"MaxInstanceLifetime is {seconds // 86400} days, {days} is enough"
                )


@rule(
    id="HardenedEc2-FleetZones",
    severity=Severity.WARNING,
    subject=Subject.FLEETS,
    fact="A fleet is spread over at least two Availability Zones.",
    why="With one zone gone the whole fleet is gone, and nothing is left to launch it elsewhere.",
    fix="Write two or more subnets of different zones in VPCZoneIdentifier.",
    references=(
        Control(Framework.SECURITY_HUB, "AutoScaling.2"),
        Control(Framework.NIST, "CP-10"),
        Control(Framework.CONTROL_TOWER, "CT.AUTOSCALING.PR.1"),
    ),
)
def fleet_zones(case: Case) -> Iterator[Outcome]:
    """Count the subnets and zones of Auto Scaling groups."""
    for fleet in case.deployment.resources(AUTO_SCALING_GROUP):
        for key in ("VPCZoneIdentifier", "AvailabilityZones"):
            for zones in fleet.properties.at(key):
                entries = zones.entries()
                for scenario in scenarios([zones.when, *(entry.when for entry in entries)]):
                    present = [e.content for e in entries if holds(e.when, scenario)]
                    named = {describe(content) for content in present}
                    # One that is unknown is a list that is a parameter, or all zones of the region.
                    one = len(named) == 1 and not isinstance(present[0], Unknown)
                    if one and holds(zones.when, scenario):
                        yield Fault(
                            place=zones.place,
                            message=f"{key} names one only: {named.pop()}",
                            when=scenario or ALWAYS,
                        )
                        break


@rule(
    id="HardenedEc2-FleetHealthCheck",
    severity=Severity.WARNING,
    subject=Subject.FLEETS,
    fact="A fleet behind a load balancer replaces what the load balancer finds broken.",
    why=(
        "EC2's own check asks whether the machine runs, not whether it answers: a broken or "
        "hijacked server stays in the fleet."
    ),
    fix='Write HealthCheckType "ELB".',
    references=(
        Control(Framework.SECURITY_HUB, "AutoScaling.1"),
        Control(Framework.NIST, "CA-7"),
        Control(Framework.PCI, "2.2"),
        Control(Framework.CONTROL_TOWER, "CT.AUTOSCALING.PR.4"),
        Control(Framework.CDK_NAG, "AwsSolutions-AS2"),
        Control(Framework.CHECKOV, "CKV2_AWS_15"),
    ),
)
def fleet_health_check(case: Case) -> Iterator[Outcome]:
    """Judge HealthCheckType of the Auto Scaling groups that register with a load balancer."""
    for fleet in case.deployment.resources(AUTO_SCALING_GROUP):
        behind = any(
            entry.content is not ABSENT
            for key in ("TargetGroupARNs", "LoadBalancerNames", "TrafficSources")
            for value in fleet.properties.at(key)
            for entry in value.entries()
        )
        for check in fleet.properties.at("HealthCheckType") if behind else ():
            why = why_unknown(check.content)
            if why is not None:
                yield doubtful(check, f"HealthCheckType is not known: {why}")
            elif "ELB" not in str(check.content).split(","):
                given = "not given" if check.content is ABSENT else describe(check.content)
                yield faulty(check, f"HealthCheckType is {given}, behind a load balancer")
