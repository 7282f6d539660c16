"""Launch properties of servers: key pair, role, monitoring, instance type, interfaces."""

import re
from collections.abc import Iterator
from typing import Final

from hardened_ec2.policy.facts.servers import Kind, Server
from hardened_ec2.policy.findings import Severity
from hardened_ec2.policy.resolve.values import (
    ABSENT,
    Place,
    Tree,
    Unknown,
    Value,
    as_bool,
    describe,
    why_unknown,
)
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

_OLD_TYPES: Final = re.compile(
    r"(?:a1|c[134]|cc\d|cg\d|cr\d|d2|f1|g[23]s?|h1|hi1|hs1|i[23]|m[1-4]|p[23]"
    r"|r[34]|t[12]|u-\w+tb1|x1e?)\.\w+"
)
_SHOWN: Final = 3
_NODE_GROUP: Final = "AWS::EKS::Nodegroup"

_INSTANCES: Final = Resources("instances", (Kind.INSTANCE.value,))


@rule(
    id="HardenedEc2-KeyPair",
    severity=Severity.WARNING,
    subject=Subject.MACHINES,
    fact="Servers are launched without an EC2 key pair.",
    why=(
        "A key pair is one long-lived secret that people share: it never expires, the logs do "
        "not say who used it, and EC2 never removes it from the server."
    ),
    fix=(
        "Omit KeyName and log in through Session Manager or an EC2 Instance Connect Endpoint; "
        "acknowledge it with a reason where a key pair is needed."
    ),
)
def key_pair(case: Case) -> Iterator[Outcome]:
    """Report every KeyName, a parameter included."""
    for server in _made(case):
        for key in server.at("KeyName"):
            if isinstance(key.content, Unknown) and not key.content.name:
                yield doubtful(key, f"KeyName is not known: {key.content.why}")
            elif key.content is not ABSENT and key.content != "":
                yield faulty(key, f"KeyName is {describe(key.content)}")


@rule(
    id="HardenedEc2-InstanceProfile",
    severity=Severity.WARNING,
    subject=Subject.MACHINES,
    fact="Every server has an instance profile.",
    why=(
        "A server without a role gets its credentials as access keys in a file, which are "
        "copied with every image, never expire and work anywhere once stolen."
    ),
    fix=(
        "Write IamInstanceProfile with a role of the server's own; the role may be without "
        "permissions."
    ),
    references=(
        Control(Framework.CIS, "1.17"),
        Control(Framework.NIST, "AC-3"),
        Control(Framework.PCI, "7.1.1"),
        Control(Framework.CDK_NAG, "EC2InstanceProfileAttached"),
        Control(Framework.PROWLER, "ec2_instance_profile_attached"),
        Control(Framework.KICS, "f914357d"),
        Control(Framework.CHECKOV, "CKV2_AWS_41"),
    ),
)
def instance_profile(case: Case) -> Iterator[Outcome]:
    """Report servers without a profile, except EKS nodes, which get the node role from EKS."""
    nodes = {
        found.key
        for group in case.deployment.resources(_NODE_GROUP)
        for template in group.properties.at("LaunchTemplate", "Id")
        if (found := case.deployment.find(template.content)) is not None
    }
    for server in (each for each in _made(case) if each.resource.key not in nodes):
        for profile in server.at("IamInstanceProfile"):
            if profile.content is ABSENT or profile.content == "":
                yield faulty(profile, f"{server.resource.logical_id} has no instance profile")


@rule(
    id="HardenedEc2-DetailedMonitoring",
    severity=Severity.WARNING,
    subject=Subject.MACHINES,
    fact="Detailed monitoring is enabled.",
    why=(
        "Without it, CloudWatch gets metrics every five minutes, and an alarm sees a burst of "
        "data theft or mining when it is over."
    ),
    fix="Write Monitoring true (in a launch template, Monitoring with Enabled true).",
    references=(
        Control(Framework.CONTROL_TOWER, "CT.EC2.PR.13"),
        Control(Framework.CONTROL_TOWER, "CT.EC2.PR.10"),
        Control(Framework.CDK_NAG, "AwsSolutions-EC28"),
        Control(Framework.CHECKOV, "CKV_AWS_126"),
        Control(Framework.PROWLER, "ec2_instance_detailed_monitoring_enabled"),
    ),
)
def detailed_monitoring(case: Case) -> Iterator[Outcome]:
    """Judge the monitoring of every server; launch configurations enable it by default."""
    for server in _made(case):
        old = server.kind is Kind.LAUNCH_CONFIGURATION
        key = "InstanceMonitoring" if old else "Monitoring"
        for monitoring in server.at(key):
            wrapped = isinstance(monitoring.content, Tree)
            for answer in monitoring.at("Enabled") if wrapped else (monitoring,):
                if not (old and answer.content is ABSENT):
                    yield from _unless_true(answer, key)


@rule(
    id="HardenedEc2-TerminationProtection",
    severity=Severity.WARNING,
    subject=_INSTANCES,
    fact="Standalone instances have termination protection.",
    why=(
        "One mistaken or malicious call terminates the server and deletes what is on its "
        "disks, and no Auto Scaling group replaces it."
    ),
    fix="Write DisableApiTermination true.",
    references=(Control(Framework.CDK_NAG, "AwsSolutions-EC29"),),
)
def termination_protection(case: Case) -> Iterator[Outcome]:
    """Judge DisableApiTermination of instances."""
    for server in _made(case):
        if server.kind is Kind.INSTANCE:
            for answer in server.at("DisableApiTermination"):
                yield from _unless_true(answer, "DisableApiTermination")


@rule(
    id="HardenedEc2-InstanceType",
    severity=Severity.WARNING,
    subject=Subject.MACHINES,
    fact="Servers use a current instance type, built on the Nitro System.",
    why=(
        "Older types share the host with a privileged management domain and encrypt neither "
        "memory nor the traffic between servers; the oldest are paravirtual."
    ),
    fix="Choose a current generation in InstanceType, such as m7g, m7i or t4g.",
    references=(
        Control(Framework.SECURITY_HUB, "EC2.24"),
        Control(Framework.CONTROL_TOWER, "CT.EC2.PR.15"),
        Control(Framework.CONTROL_TOWER, "CT.AUTOSCALING.PR.10"),
        Control(Framework.PROWLER, "ec2_instance_paravirtual_type"),
    ),
)
def instance_type(case: Case) -> Iterator[Outcome]:
    """Report instance types before Nitro, once for each list of allowed types."""
    for server in _made(case):
        old: dict[Place, list[Value]] = {}
        for kind in server.at("InstanceType"):
            if isinstance(kind.content, str):
                if _OLD_TYPES.fullmatch(kind.content.strip().lower()):
                    old.setdefault(kind.place, []).append(kind)
            elif isinstance(kind.content, Unknown):
                yield doubtful(kind, f"InstanceType is not known: {kind.content.why}")
        for place, kinds in old.items():
            names = sorted({str(kind.content) for kind in kinds})
            if len(names) == 1:
                yield faulty(kinds[0], f"InstanceType is {names[0]}")
            else:
                shown = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
                what = f"InstanceType can be one of {len(names)} old types: {shown}"
                yield Fault(place=place, message=what, when=server.resource.when)


@rule(
    id="HardenedEc2-SourceDestCheck",
    severity=Severity.WARNING,
    subject=Subject.SERVERS,
    fact="The source/destination check is enabled.",
    why=(
        "Without the check, an attacker on the server can forge any source address of the "
        "network, and security groups that trust addresses accept it."
    ),
    fix="Leave SourceDestCheck true; acknowledge it for a NAT instance or a firewall.",
    references=(Control(Framework.SECURITY_HUB, "EC2.180"),),
)
def source_dest_check(case: Case) -> Iterator[Outcome]:
    """Judge SourceDestCheck of instances and network interfaces; true is EC2's default."""
    for server in case.servers:
        if server.kind in (Kind.INSTANCE, Kind.NETWORK_INTERFACE):
            # A launch template has no SourceDestCheck.
            for answer in (value for own in server.own for value in own.at("SourceDestCheck")):
                if answer.content is not ABSENT:
                    yield from _unless_true(answer, "SourceDestCheck")


@rule(
    id="HardenedEc2-OneInterface",
    severity=Severity.WARNING,
    subject=Subject.MACHINES,
    fact="A server has one network interface.",
    why=(
        "A server with interfaces in two networks leads an attacker from one into the other, "
        "past every route and security group between them."
    ),
    fix="Remove the second network interface; acknowledge it for a firewall or a router.",
    references=(
        Control(Framework.SECURITY_HUB, "EC2.17"),
        Control(Framework.CONTROL_TOWER, "CT.EC2.PR.12"),
        Control(Framework.PROWLER, "ec2_instance_uses_single_eni"),
    ),
)
def one_interface(case: Case) -> Iterator[Outcome]:
    """Count the network interfaces of every server, separately attached ones included."""
    for server in _made(case):
        listed: dict[Place, bool] = {}
        for entry in server.entries("NetworkInterfaces"):
            if why_unknown(entry.content) is None:
                names = entry.at("NetworkInterfaceId")
                listed[entry.place] = any(name.content is not ABSENT for name in names)
        ready_made = max(len({each.key for each in server.interfaces}), sum(listed.values()))
        # Without a list, EC2 creates the first interface.
        made = len(listed) - sum(listed.values()) if listed else 1
        if made + ready_made > 1:
            place = list(listed)[1] if len(listed) > 1 else server.place
            yield faulty(
                Value(ABSENT, server.resource.when, place),
                f"{server.resource.logical_id} has {made + ready_made} network interfaces",
            )


def _made(case: Case) -> Iterator[Server]:
    return (server for server in case.servers if server.kind is not Kind.NETWORK_INTERFACE)


def _unless_true(answer: Value, key: str) -> Iterator[Outcome]:
    given = as_bool(answer.content)
    why = why_unknown(answer.content)
    if why is not None:
        yield doubtful(answer, f"{key} is not known: {why}")
    elif answer.content is ABSENT:
        yield faulty(answer, f"{key} is not given")
    elif given is not True:
        spelled = "false" if given is False else describe(answer.content)
        yield faulty(answer, f"{key} is {spelled}")
