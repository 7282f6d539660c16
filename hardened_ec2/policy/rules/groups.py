"""Security groups as such: that each server has one of its own, and what it lets out."""

from collections.abc import Iterator

from hardened_ec2.policy.circumstances import ALWAYS, holds, worlds
from hardened_ec2.policy.findings import Severity
from hardened_ec2.policy.groups import SECURITY_GROUP, Groups
from hardened_ec2.policy.rule import (
    Case,
    Control,
    Doubt,
    Fault,
    Framework,
    Outcome,
    faulty,
    rule,
)
from hardened_ec2.policy.values import ABSENT, why_unknown


@rule(
    id="HardenedEc2-OwnSecurityGroup",
    severity=Severity.ERROR,
    fact="Every server has a security group that is not the default group of its VPC.",
    why=(
        "A server without a group gets the default one: whatever was ever added to it applies, and "
        "every other server that was forgotten the same way may connect to it."
    ),
    fix="Write SecurityGroupIds with a security group made for the server.",
    references=(
        Control(Framework.SECURITY_HUB, "EC2.2"),
        Control(Framework.CIS, "5.5"),
        Control(Framework.PROWLER, "ec2_securitygroup_default_restrict_traffic"),
    ),
)
def own_security_group(case: Case) -> Iterator[Outcome]:
    """Report servers that get, or name, the default group."""
    for server in case.servers:
        attachments = case.exposure.attachments(server)
        for attachment in attachments:
            if Groups.is_default(attachment.group):
                yield Fault(
                    place=attachment.place,
                    message=f"{attachment.group[1]} is the default group of its VPC",
                    when=attachment.when,
                )
            elif attachment.unknown:
                yield Doubt(place=attachment.place, why=attachment.unknown, when=attachment.when)
        for world in worlds([server.resource.when, *(a.when for a in attachments)]):
            if holds(server.resource.when, world) and not any(
                holds(attachment.when, world) for attachment in attachments
            ):
                yield Fault(
                    place=server.place,
                    message="no security group is given, so it gets the default group of its VPC",
                    when=world or ALWAYS,
                )
                break


@rule(
    id="HardenedEc2-ImplicitEgress",
    severity=Severity.WARNING,
    fact="Every security group says what it lets out.",
    why=(
        "A group without an egress rule of its own is made with one that lets everything out to "
        "everywhere; a stolen server then calls home on any port."
    ),
    fix=(
        "Write SecurityGroupEgress with what the server needs, at least one rule (udp 123 to "
        "169.254.169.123/32, the time service, when there is nothing else)."
    ),
    references=(Control(Framework.CFN_NAG, "F1000"), Control(Framework.TRIVY, "AWS-0104")),
)
def implicit_egress(case: Case) -> Iterator[Outcome]:
    """Report groups without inline egress: standalone rules do not remove EC2's own."""
    for group in case.deployment.resources(SECURITY_GROUP):
        for egress in group.properties.at("SecurityGroupEgress"):
            rules = egress.entries()
            why = why_unknown(egress.content)
            if why is not None:
                yield Doubt(
                    place=egress.place,
                    why=f"SecurityGroupEgress is not known: {why}",
                    when=egress.when,
                )
                continue
            for world in worlds([egress.when, *(entry.when for entry in rules)]):
                if holds(egress.when, world) and not any(
                    holds(entry.when, world) for entry in rules
                ):
                    given = "is not given" if egress.content is ABSENT else "holds no rule"
                    yield faulty(egress, f"SecurityGroupEgress {given}, so EC2 lets everything out")
                    break
