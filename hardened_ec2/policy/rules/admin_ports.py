"""Administrative ports: who may knock at SSH, RDP and their like."""

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
    "Name the addresses that administer the server (203.0.113.7/32), or let in only the security "
    "group of an EC2 Instance Connect Endpoint or a bastion, or use Session Manager, which needs "
    "no open port."
)


@rule(
    id="HardenedEc2-AdminPortOpenToWorld",
    severity=Severity.ERROR,
    subject=Subject.GROUPS,
    fact="No administrative port is open to the internet.",
    why=(
        "Every address on the internet is scanned for these ports within minutes; what answers "
        "there is attacked with stolen keys, guessed passwords and the next flaw of the service."
    ),
    fix=_FIX,
    references=_WORLD,
)
def admin_port_open_to_world(case: Case) -> Iterator[Outcome]:
    """Report world-open administrative ports, and rules that may open them for all we know."""
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
    fact="No more public addresses than a whitelist holds may reach an administrative port.",
    why=(
        "A whitelist of thousands of addresses is a provider's whole network: everyone who rents "
        "a machine there is on it."
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
    fact="No more private addresses than a whitelist holds may reach an administrative port.",
    why=(
        "Whoever is in one machine of the network goes on to the next; a whole private network in "
        "a whitelist is every one of its machines."
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
        "every administrative port"
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
        text += f", by {len(breach.openings)} rules together: {', '.join(places)}"
    return text
