"""Security groups: one for each server, egress, and what every rule states."""

from collections.abc import Iterator, Sequence

from hardened_ec2.policy.facts.groups import (
    EGRESS_LIST,
    EGRESS_RULE,
    RULE_LISTS,
    SECURITY_GROUP,
    STANDALONE_RULES,
    GroupKey,
    Groups,
)
from hardened_ec2.policy.facts.ingress import (
    ALL_PROTOCOLS,
    LAST_PORT,
    TCP,
    UDP,
    Opening,
    read_group_rule,
)
from hardened_ec2.policy.facts.reach import is_world, reaches, spelled_addresses
from hardened_ec2.policy.findings import Severity
from hardened_ec2.policy.resolve.scenarios import ALWAYS, holds, scenarios
from hardened_ec2.policy.resolve.values import ABSENT, Value, why_unknown
from hardened_ec2.policy.rules.case import Case
from hardened_ec2.policy.rules.rule import (
    Control,
    Doubt,
    Fault,
    Framework,
    Outcome,
    faulty,
    rule,
)
from hardened_ec2.policy.rules.subjects import Subject


@rule(
    id="HardenedEc2-OwnSecurityGroup",
    severity=Severity.ERROR,
    subject=Subject.SERVERS,
    fact="Every server has a security group other than the default group of its VPC.",
    why=(
        "A server without a security group gets the default one: every rule that was ever "
        "added to it applies, and every other server in it can connect."
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
        for scenario in scenarios([server.resource.when, *(a.when for a in attachments)]):
            if holds(server.resource.when, scenario) and not any(
                holds(attachment.when, scenario) for attachment in attachments
            ):
                yield Fault(
                    place=server.place,
                    message="no security group is given, so it gets the default group of its VPC",
                    when=scenario or ALWAYS,
                )
                break


@rule(
    id="HardenedEc2-ImplicitEgress",
    severity=Severity.WARNING,
    subject=Subject.GROUPS,
    fact="Every security group states its egress rules.",
    why=(
        "A security group without egress rules gets EC2's default rule, which allows all "
        "outbound traffic: malware on the server can call home on any port."
    ),
    fix=(
        "Write SecurityGroupEgress with what the server needs, at least one rule (udp 123 to "
        "169.254.169.123/32, the Amazon Time Sync Service, if it needs nothing else); in the "
        "CDK, allow_all_outbound=False and add_egress_rule()."
    ),
    references=(Control(Framework.CFN_NAG, "F1000"), Control(Framework.TRIVY, "AWS-0104")),
)
def implicit_egress(case: Case) -> Iterator[Outcome]:
    """Report groups without inline egress: standalone rules leave EC2's default rule in place."""
    for group in case.deployment.resources(SECURITY_GROUP):
        for egress in group.properties.at(EGRESS_LIST):
            why = why_unknown(egress.content)
            if why is not None:
                yield Doubt(
                    place=egress.place,
                    why=f"SecurityGroupEgress is not known: {why}",
                    when=egress.when,
                )
            elif lets_everything_out(egress):
                given = "is not given" if egress.content is ABSENT else "is empty"
                yield faulty(
                    egress, f"SecurityGroupEgress {given}, so EC2 allows all outbound traffic"
                )


def lets_everything_out(egress: Value) -> bool:
    """Whether a group keeps EC2's default egress rule: some scenario has no other egress rule."""
    rules = egress.entries()
    return any(
        holds(egress.when, scenario) and not any(holds(entry.when, scenario) for entry in rules)
        for scenario in scenarios([egress.when, *(entry.when for entry in rules)])
    )


@rule(
    id="HardenedEc2-WideEgress",
    severity=Severity.WARNING,
    subject=Subject.GROUPS,
    fact="A server can connect to at most Settings.egress_ports ports on the internet.",
    why=(
        "An attacker on the server needs a way out: to download tools, to exfiltrate data and "
        "to receive commands."
    ),
    fix=(
        "Allow only what the server calls: port 443 to the services it needs, by prefix list "
        "or VPC endpoint."
    ),
    references=(
        Control(Framework.CFN_NAG, "W5"),
        Control(Framework.CFN_NAG, "W29"),
        Control(Framework.CFN_NAG, "W40"),
        Control(Framework.TRIVY, "AWS-0104"),
        Control(Framework.CHECKOV, "CKV_AWS_382"),
        Control(Framework.KICS, "66f2d8f9"),
    ),
)
def wide_egress(case: Case) -> Iterator[Outcome]:
    """Count the ports that each group opens towards the internet, all egress rules united."""
    groups = Groups(case.deployment)
    for group, rules in egress_rules(case).items():
        openings = [o for rule in rules for o in read_group_rule(rule, case.deployment, groups)]
        for opening in openings:
            if opening.unknown and not opening.unknown.startswith("the entries of prefix list"):
                yield Doubt(
                    place=opening.place,
                    why=f"what {group[1]} allows out is not known: {opening.unknown}",
                    when=opening.when,
                )
        known = [o for o in openings if not o.unknown]
        for scenario in scenarios(o.when for o in known):
            wide = _wide(case, [o for o in known if holds(o.when, scenario)])
            if wide is not None:
                yield wide
                break


def egress_rules(case: Case) -> dict[GroupKey, list[Value]]:
    """Return the egress rules of each group, inline and standalone.

    Args:
        case: The deployment.

    Returns:
        The egress rules by group, for groups that have any in the templates.
    """
    found: dict[GroupKey, list[Value]] = {}
    for group in case.deployment.resources(SECURITY_GROUP):
        for egress in group.properties.at(EGRESS_LIST):
            if why_unknown(egress.content) is None:
                found.setdefault(group.key, []).extend(egress.entries())
    for key, standalone in Groups(case.deployment).standalone_rules(EGRESS_RULE).items():
        found.setdefault(key, []).extend(standalone)
    return found


def _wide(case: Case, openings: Sequence[Opening]) -> Fault | None:
    ports = 0
    for reach in reaches(openings):
        if not is_world(reach.addresses):
            continue
        widest = max(reach.openings, key=lambda opening: opening.addresses.width)
        where = spelled_addresses(reach.addresses)
        if reach.protocol == ALL_PROTOCOLS:
            return Fault(
                place=widest.place,
                message=f"all protocols open towards {where}",
                when=widest.when,
            )
        if reach.protocol in (TCP, UDP):
            ports += reach.last - reach.first + 1
        if ports > case.settings.egress_ports:
            return Fault(
                place=widest.place,
                message=f"{ports} ports open towards {where}, at most "
                f"{case.settings.egress_ports} are allowed",
                when=widest.when,
            )
    return None


@rule(
    id="HardenedEc2-AllPortsOpen",
    severity=Severity.WARNING,
    subject=Subject.GROUPS,
    fact="Every ingress rule names the ports it opens.",
    why=(
        "A client that is allowed in for one service also reaches every other one, the agent "
        "and the debugger included, and those that are installed next year."
    ),
    fix="Write one ingress rule for each port in use, with FromPort and ToPort.",
    references=(
        Control(Framework.CFN_NAG, "W42"),
        Control(Framework.KICS, "1a427b25"),
        Control(Framework.CHECKOV, "CKV_AWS_277"),
    ),
)
def all_ports_open(case: Case) -> Iterator[Outcome]:
    """Report ingress rules for all ports that no rule on administrative ports reports."""
    reported = {o.place for breach in case.admin_ports.breaches for o in breach.openings}
    for group in case.exposure.groups:
        for opening in case.exposure.openings(group):
            every = opening.protocol in (ALL_PROTOCOLS, TCP, UDP)
            every = every and opening.last - opening.first >= LAST_PORT - 1
            if not every or not opening.addresses or opening.place in reported:
                continue
            if opening.unknown:
                yield Doubt(
                    place=opening.place,
                    why=f"{opening.ports} may be open: {opening.unknown}",
                    when=opening.when,
                )
            else:
                yield Fault(
                    place=opening.place,
                    message=f"{opening.ports} open to {spelled_addresses(opening.addresses)}",
                    when=opening.when,
                )


@rule(
    id="HardenedEc2-RuleDescription",
    severity=Severity.WARNING,
    subject=Subject.GROUPS,
    fact="Every ingress and egress rule has a description.",
    why=(
        "A rule without a stated purpose is never removed, so an opening that nobody needs "
        "stays available to an attacker."
    ),
    fix="Write Description in every rule.",
    references=(
        Control(Framework.CHECKOV, "CKV_AWS_23"),
        Control(Framework.CDK_NAG, "AwsSolutions-EC27"),
        Control(Framework.TRIVY, "AWS-0124"),
        Control(Framework.CFN_NAG, "W36"),
        Control(Framework.KICS, "5e6c9c68"),
    ),
)
def rule_description(case: Case) -> Iterator[Outcome]:
    """Report ingress and egress rules without a description, inline and standalone."""
    rules = [
        entry
        for group in case.deployment.resources(SECURITY_GROUP)
        for key in RULE_LISTS
        for value in group.properties.at(key)
        for entry in value.entries()
    ]
    standalone = case.deployment.resources(*STANDALONE_RULES)
    rules.extend(resource.properties for resource in standalone)
    for each in rules:
        if why_unknown(each.content) is None:
            for text in each.at("Description"):
                if text.content is ABSENT or text.content == "":
                    yield faulty(each, "the rule has no Description")
