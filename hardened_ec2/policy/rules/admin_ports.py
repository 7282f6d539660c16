"""Administrative ports: which addresses can reach SSH, RDP and the like."""

from collections.abc import Iterator
from typing import Final

from hardened_ec2.policy.facts.admin_ports import Breach, Width
from hardened_ec2.policy.facts.reach import spelled_addresses
from hardened_ec2.policy.findings import Severity
from hardened_ec2.policy.ports import port_names
from hardened_ec2.policy.rules.case import Case
from hardened_ec2.policy.rules.rule import (
    Control,
    Doubt,
    Fault,
    Framework,
    Outcome,
    rule,
)
from hardened_ec2.policy.rules.subjects import Subject

_WORLD: Final = (
    Control(Framework.SECURITY_HUB, "EC2.13"),
    Control(Framework.SECURITY_HUB, "EC2.18"),
    Control(Framework.SECURITY_HUB, "EC2.19"),
    Control(Framework.CIS, "5.3"),
    Control(Framework.CIS, "5.4"),
    Control(Framework.NIST, "AC-17(1)"),
    Control(Framework.NIST, "SC-7(5)"),
    Control(Framework.PCI, "1.2.1"),
    Control(Framework.PCI, "1.3.1"),
    Control(Framework.CONTROL_TOWER, "CT.EC2.PR.3"),
    Control(Framework.CONTROL_TOWER, "CT.EC2.PR.4"),
    Control(Framework.CDK_NAG, "AwsSolutions-EC23"),
    Control(Framework.CDK_NAG, "EC2RestrictedSSH"),
    Control(Framework.CDK_NAG, "EC2RestrictedCommonPorts"),
    Control(Framework.CHECKOV, "CKV_AWS_24"),
    Control(Framework.CHECKOV, "CKV_AWS_25"),
    Control(Framework.TRIVY, "AWS-0107"),
    Control(Framework.PROWLER, "ec2_instance_port_ssh_exposed_to_internet"),
    Control(Framework.PROWLER, "ec2_instance_port_rdp_exposed_to_internet"),
    Control(Framework.CFN_NAG, "W2"),
)

_FIX: Final = (
    "Allow only the addresses that administer the server (203.0.113.7/32), or only the "
    "security group of an EC2 Instance Connect Endpoint or a bastion; or use Session Manager, "
    "which needs no open port."
)


@rule(
    id="HardenedEc2-AdminPortOpenToWorld",
    severity=Severity.ERROR,
    subject=Subject.GROUPS,
    fact="Administrative ports are closed to the internet.",
    why=(
        "Every public address is scanned for these ports within minutes, and a service that "
        "answers is attacked with stolen keys, guessed passwords and its next vulnerability."
    ),
    fix=_FIX,
    references=_WORLD,
)
def admin_port_open_to_world(case: Case) -> Iterator[Outcome]:
    """Report world-open administrative ports, and ingress rules with sources that are not known."""
    yield from _breaches(case, Width.WORLD)
    for opening in case.admin_ports.doubtful:
        yield Doubt(
            place=opening.place,
            why=f"{opening.ports} may be open to anyone: {opening.unknown}",
            when=opening.when,
        )
    for server in case.servers:
        for attachment in case.exposure.attachments(server):
            if not attachment.group[0] and not case.exposure.openings(attachment.group):
                name = attachment.group[1]
                yield Doubt(
                    place=attachment.place,
                    why=attachment.unknown
                    or f"the rules of security group {name} are not in the templates",
                    when=attachment.when,
                )


@rule(
    id="HardenedEc2-AdminPortTooWide",
    severity=Severity.ERROR,
    subject=Subject.GROUPS,
    fact="At most Settings.whitelist_width public addresses can reach an administrative port.",
    why=(
        "A whitelist of thousands of addresses is usually a provider's entire network, where "
        "an attacker can rent a machine."
    ),
    fix=_FIX,
    references=(
        Control(Framework.CFN_NAG, "W9"),
        Control(Framework.PROWLER, "ec2_securitygroup_allow_wide_open_public_ipv4"),
    ),
)
def admin_port_too_wide(case: Case) -> Iterator[Outcome]:
    """Report administrative ports open to more public addresses than the limit."""
    yield from _breaches(case, Width.PUBLIC)


@rule(
    id="HardenedEc2-AdminPortWideInside",
    severity=Severity.WARNING,
    subject=Subject.GROUPS,
    fact="At most Settings.whitelist_width private addresses can reach an administrative port.",
    why=(
        "An attacker on one server moves on to the next: a whitelist that covers a whole "
        "private network lets every compromised machine in it try to log in."
    ),
    fix=_FIX,
)
def admin_port_wide_inside(case: Case) -> Iterator[Outcome]:
    """Report administrative ports open to more private addresses than the limit."""
    yield from _breaches(case, Width.PRIVATE)


def _breaches(case: Case, width: Width) -> Iterator[Fault]:
    for breach in case.admin_ports.breaches:
        if breach.width is width:
            yield Fault(place=breach.place, message=_message(case, breach), when=breach.when)


def _message(case: Case, breach: Breach) -> str:
    names = case.settings.administrative_ports
    opened = (
        "all administrative ports"
        if len(breach.ports) == len(names)
        else f"{'port' if len(breach.ports) == 1 else 'ports'} {port_names(breach.ports, names)}"
    )
    rules = ", ".join(dict.fromkeys(opening.ports for opening in breach.openings))
    addresses = spelled_addresses(breach.addresses)
    text = f"{opened} ({rules}) open to {addresses}"
    if breach.width is Width.WORLD:
        text += ", which is the internet"
    else:
        text += (
            f", {breach.addresses.width} addresses where {case.settings.whitelist_width} are "
            "allowed"
        )
    if len(breach.openings) > 1:
        places = dict.fromkeys(str(opening.place) for opening in breach.openings)
        text += f", by {len(breach.openings)} ingress rules together: {', '.join(places)}"
    return text
