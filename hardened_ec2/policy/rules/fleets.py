"""Auto Scaling groups: launch templates, server lifetime, zones and health checks."""

from collections.abc import Iterator
from typing import Final

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
from hardened_ec2.policy.rules.subjects import Resources, Subject

_FLEETS: Final = Resources("Auto Scaling groups", (AUTO_SCALING_GROUP,))


@rule(
    id="HardenedEc2-LaunchConfiguration",
    severity=Severity.WARNING,
    subject=Subject.MACHINES,
    fact="Servers are launched from launch templates.",
    why=(
        "Launch configurations are frozen: what EC2 has added to protect servers since 2022 is "
        "available in launch templates only."
    ),
    fix=(
        "Write AWS::EC2::LaunchTemplate and name it in LaunchTemplate of the Auto Scaling "
        "group (LaunchTemplateConfigs of a Spot Fleet)."
    ),
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
    subject=_FLEETS,
    fact="An Auto Scaling group replaces each server within Settings.fleet_lifetime_days.",
    why=(
        "A server that runs for a year has last year's vulnerabilities, and an attacker who "
        "got in stays in; a replacement starts patched and clean."
    ),
    fix="Write MaxInstanceLifetime in seconds, such as 2592000 for 30 days.",
)
def fleet_lifetime(case: Case) -> Iterator[Outcome]:
    """Compare MaxInstanceLifetime of Auto Scaling groups with `Settings.fleet_lifetime_days`."""
    days = case.settings.fleet_lifetime_days
    for fleet in case.deployment.resources(AUTO_SCALING_GROUP):
        for lifetime in fleet.properties.at("MaxInstanceLifetime"):
            seconds = as_int(lifetime.content)
            why = why_unknown(lifetime.content)
            if why is not None:
                yield doubtful(lifetime, f"MaxInstanceLifetime is not known: {why}")
            elif not seconds:
                yield faulty(
                    lifetime, "MaxInstanceLifetime is not given, so servers are never replaced"
                )
            elif seconds > days * 86400:
                yield faulty(
                    lifetime,
                    f"MaxInstanceLifetime is {seconds} seconds, at most {days * 86400} "
                    f"({days} days) are allowed",
                )


@rule(
    id="HardenedEc2-FleetZones",
    severity=Severity.WARNING,
    subject=_FLEETS,
    fact="An Auto Scaling group spans at least two Availability Zones.",
    why=(
        "When the only Availability Zone fails, all servers are gone and no other zone is "
        "configured to replace them."
    ),
    fix="Write subnets of two or more Availability Zones in VPCZoneIdentifier.",
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
                    # A single unknown entry is a list parameter, or all zones of the Region.
                    one = len(named) == 1 and not isinstance(present[0], Unknown)
                    if one and holds(zones.when, scenario):
                        yield Fault(
                            place=zones.place,
                            message=f"{key} names only one: {named.pop()}",
                            when=scenario or ALWAYS,
                        )
                        break


@rule(
    id="HardenedEc2-FleetHealthCheck",
    severity=Severity.WARNING,
    subject=_FLEETS,
    fact=(
        "An Auto Scaling group behind a load balancer replaces the servers that the load "
        "balancer finds unhealthy."
    ),
    why=(
        "EC2's own check asks whether the instance runs, not whether it answers: a broken or "
        "hijacked server stays in service."
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
                yield faulty(
                    check, f"HealthCheckType is {given}, and the group is behind a load balancer"
                )
