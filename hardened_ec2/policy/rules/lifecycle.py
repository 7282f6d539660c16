"""How a server lives: the keys it is made with, what watches it, and how it ends."""

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
from hardened_ec2.policy.rules.subjects import Subject

_OLD_TYPES: Final = re.compile(
    r"(?:a1|c[134]|cc\d|cg\d|cr\d|d2|f1|g[23]s?|h1|hi1|hs1|i[23]|m[1-4]|p[23]"
    r"|r[34]|t[12]|u-\w+tb1|x1e?)\.\w+"
)
_SHOWN: Final = 3
_NODE_GROUP: Final = "AWS::EKS::Nodegroup"


@rule(
    id="HardenedEc2-KeyPair",
    severity=Severity.WARNING,
    subject=Subject.MACHINES,
    fact="The server is made without a long-lived key pair.",
    why=(
        "A key pair is one secret for everybody: it cannot expire, it names nobody in the logs, "
        "and EC2 puts it on the server once and never takes it off."
    ),
    fix=(
        "Leave KeyName out and log in through Session Manager or an EC2 Instance Connect "
        "Endpoint; acknowledge it with a reason where a key pair is needed."
    ),
)
def key_pair(case: Case) -> Iterator[Outcome]:
    """Report every KeyName: a parameter is a key pair all the same."""
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
    fact="A server has an instance profile.",
    why=(
        "A server without a role gets its credentials some other way: long-lived keys in a file, "
        "which are copied with every image and never expire."
    ),
    fix="Write IamInstanceProfile with a role of the server's own; it may be without permissions.",
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
    """Report servers without a profile, but for those that EKS gives its node role to."""
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
    fact="A server is monitored every minute.",
    why="An alarm that looks every five minutes sees a burst of theft or mining when it is over.",
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
    """Judge the monitoring of every server; a launch configuration has it by default."""
    for server in _made(case):
        old = server.kind is Kind.LAUNCH_CONFIGURATION
        for monitoring in server.at("InstanceMonitoring" if old else "Monitoring"):
            wrapped = isinstance(monitoring.content, Tree)
            for answer in monitoring.at("Enabled") if wrapped else (monitoring,):
                if not (old and answer.content is ABSENT):
                    yield from _wanted(answer, "detailed monitoring", expected=True)


@rule(
    id="HardenedEc2-TerminationProtection",
    severity=Severity.WARNING,
    subject=Subject.INSTANCES,
    fact="A server that stands by itself cannot be terminated by one call.",
    why=(
        "One wrong call, or one angry one, ends the server and what is on its disks; servers of a "
        "fleet are replaced, this one is not."
    ),
    fix="Write DisableApiTermination true.",
    references=(Control(Framework.CDK_NAG, "AwsSolutions-EC29"),),
)
def termination_protection(case: Case) -> Iterator[Outcome]:
    """Judge DisableApiTermination of instances."""
    for server in _made(case):
        if server.kind is Kind.INSTANCE:
            for answer in server.at("DisableApiTermination"):
                yield from _wanted(answer, "termination protection", expected=True)


@rule(
    id="HardenedEc2-InstanceType",
    severity=Severity.WARNING,
    subject=Subject.MACHINES,
    fact="A server is of a current instance type, built on the Nitro System.",
    why=(
        "Older types share their host's management domain and encrypt neither memory nor the "
        "network between them; the oldest run paravirtualized."
    ),
    fix="Choose a current generation, such as m7g, m7i or t4g.",
    references=(
        Control(Framework.SECURITY_HUB, "EC2.24"),
        Control(Framework.CONTROL_TOWER, "CT.EC2.PR.15"),
        Control(Framework.CONTROL_TOWER, "CT.AUTOSCALING.PR.10"),
        Control(Framework.PROWLER, "ec2_instance_paravirtual_type"),
    ),
)
def instance_type(case: Case) -> Iterator[Outcome]:
    """Report the generations before Nitro, by name: once, however many of them a list allows."""
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
    fact="A server sends and receives in its own name only.",
    why=(
        "Without the check a server can forge any source address of the network, and groups that "
        "trust addresses trust it."
    ),
    fix="Leave SourceDestCheck true; acknowledge it for a NAT instance or a firewall.",
    references=(Control(Framework.SECURITY_HUB, "EC2.180"),),
)
def source_dest_check(case: Case) -> Iterator[Outcome]:
    """Judge SourceDestCheck of instances and network interfaces; true is EC2's default."""
    for server in case.servers:
        if server.kind in (Kind.INSTANCE, Kind.NETWORK_INTERFACE):
            # A launch template cannot say it.
            for answer in (value for own in server.own for value in own.at("SourceDestCheck")):
                if answer.content is not ABSENT:
                    yield from _wanted(answer, "SourceDestCheck", expected=True)


@rule(
    id="HardenedEc2-OneInterface",
    severity=Severity.WARNING,
    subject=Subject.MACHINES,
    fact="A server has one network interface.",
    why="A server in two networks is a way from one into the other, past every route and group.",
    fix="Take the second interface away; acknowledge it for a firewall or a router.",
    references=(
        Control(Framework.SECURITY_HUB, "EC2.17"),
        Control(Framework.CONTROL_TOWER, "CT.EC2.PR.12"),
        Control(Framework.PROWLER, "ec2_instance_uses_single_eni"),
    ),
)
def one_interface(case: Case) -> Iterator[Outcome]:
    """Count the interfaces of every server, those attached apart too."""
    for server in _made(case):
        listed: dict[Place, bool] = {}
        for entry in server.entries("NetworkInterfaces"):
            if why_unknown(entry.content) is None:
                names = entry.at("NetworkInterfaceId")
                listed[entry.place] = any(name.content is not ABSENT for name in names)
        ready_made = max(len({each.key for each in server.interfaces}), sum(listed.values()))
        # Without a list an instance gets its first interface from EC2.
        made = len(listed) - sum(listed.values()) if listed else 1
        if made + ready_made > 1:
            place = list(listed)[1] if len(listed) > 1 else server.place
            yield faulty(
                Value(ABSENT, server.resource.when, place),
                f"{server.resource.logical_id} has {made + ready_made} network interfaces",
            )


def _made(case: Case) -> Iterator[Server]:
    return (server for server in case.servers if server.kind is not Kind.NETWORK_INTERFACE)


def _wanted(answer: Value, what: str, *, expected: bool) -> Iterator[Outcome]:
    given = as_bool(answer.content)
    if given is expected:
        return
    why = why_unknown(answer.content)
    if why is not None:
        yield doubtful(answer, f"{what} is not known: {why}")
    else:
        yield faulty(answer, f"{what} is {'not given' if answer.content is ABSENT else 'off'}")
