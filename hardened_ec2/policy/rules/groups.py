"""Security groups as such: that each server has one of its own, and what it lets out."""

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
from hardened_ec2.policy.facts.ingress import ALL_PROTOCOLS, LAST_PORT, TCP, UDP, Opening, read_rule
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
        for egress in group.properties.at(EGRESS_LIST):
            why = why_unknown(egress.content)
            if why is not None:
                yield Doubt(
                    place=egress.place,
                    why=f"SecurityGroupEgress is not known: {why}",
                    when=egress.when,
                )
            elif lets_everything_out(egress):
                given = "is not given" if egress.content is ABSENT else "holds no rule"
                yield faulty(egress, f"SecurityGroupEgress {given}, so EC2 lets everything out")


def lets_everything_out(egress: Value) -> bool:
    """Tell whether EC2's own rule stays in a group: in some deployment it names no other."""
    rules = egress.entries()
    return any(
        holds(egress.when, scenario) and not any(holds(entry.when, scenario) for entry in rules)
        for scenario in scenarios([egress.when, *(entry.when for entry in rules)])
    )


@rule(
    id="HardenedEc2-WideEgress",
    severity=Severity.WARNING,
    subject=Subject.GROUPS,
    fact="A server may call the internet on a few ports, not on all of them.",
    why=(
        "What a stolen server needs next is a way out: to fetch its tools, to send what it found, "
        "to be told what to do."
    ),
    fix="Write what the server calls: 443 to the services it needs, by prefix list or endpoint.",
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
    """Unite what each group lets out to the internet, and count the ports."""
    for group, rules in egress_rules(case).items():
        openings = [
            o for rule in rules for o in read_rule(rule, case.deployment, Groups(case.deployment))
        ]
        for opening in openings:
            if opening.unknown and not opening.unknown.startswith("the entries of prefix list"):
                yield Doubt(
                    place=opening.place,
                    why=f"what {group[1]} lets out is not known: {opening.unknown}",
                    when=opening.when,
                )
        known = [o for o in openings if not o.unknown]
        for scenario in scenarios(o.when for o in known):
            wide = _wide(case, [o for o in known if holds(o.when, scenario)])
            if wide is not None:
                yield wide
                break


def egress_rules(case: Case) -> dict[GroupKey, list[Value]]:
    """Return what each group lets out, its standalone rules included.

    Args:
        case: What is looked at.

    Returns:
        The rules of each group that has any in the templates.
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
                message=f"all protocols are let out to {where}",
                when=widest.when,
            )
        if reach.protocol in (TCP, UDP):
            ports += reach.last - reach.first + 1
        if ports > case.settings.egress_ports:
            return Fault(
                place=widest.place,
                message=f"{ports} ports are let out to {where}, {case.settings.egress_ports} are "
                "enough",
                when=widest.when,
            )
    return None


@rule(
    id="HardenedEc2-AllPortsOpen",
    severity=Severity.WARNING,
    subject=Subject.GROUPS,
    fact="A rule names the ports it opens.",
    why=(
        "Whoever is on the whitelist for one service reaches every other one too, the agent and "
        "the debugger included, and those that are installed next year."
    ),
    fix="Write one rule for each port that is used.",
    references=(
        Control(Framework.CFN_NAG, "W42"),
        Control(Framework.KICS, "1a427b25"),
        Control(Framework.CHECKOV, "CKV_AWS_277"),
    ),
)
def all_ports_open(case: Case) -> Iterator[Outcome]:
    """Report rules for all ports to addresses; what is worse in them has rules of its own."""
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
    fact="Every security group rule says what it is for.",
    why="A rule that nobody can explain is one that nobody dares to remove.",
    fix="Write Description in every rule, and GroupDescription for the group.",
    references=(
        Control(Framework.CHECKOV, "CKV_AWS_23"),
        Control(Framework.CDK_NAG, "AwsSolutions-EC27"),
        Control(Framework.TRIVY, "AWS-0124"),
        Control(Framework.CFN_NAG, "W36"),
        Control(Framework.KICS, "5e6c9c68"),
    ),
)
def rule_description(case: Case) -> Iterator[Outcome]:
    """Report rules without a description, inline and standalone."""
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
