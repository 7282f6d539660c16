"""The judgement: every rule on every template, in an order that never changes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from hardened_ec2.policy.findings import Finding
from hardened_ec2.policy.read.template import Template
from hardened_ec2.policy.resolve.deployment import Deployment
from hardened_ec2.policy.resolve.scenarios import When, spelled_when
from hardened_ec2.policy.resolve.values import Place
from hardened_ec2.policy.rules import RULES
from hardened_ec2.policy.rules.case import Case
from hardened_ec2.policy.rules.rule import Doubt, Fault, Rule
from hardened_ec2.policy.rules.verification import cannot_verify
from hardened_ec2.policy.settings import Settings


class RuleFailed(Exception):  # noqa: N818 - named for what happened, as `UnreadableTemplate` is
    """A rule raised: its verdict is missing, so the judgement as a whole is worth nothing.

    Args:
        rule: The rule's id.
        templates: The names of the templates that were judged.

    Example:
        >>> str(RuleFailed("HardenedEc2-ImdsV2", ("app.json",)))
        'rule HardenedEc2-ImdsV2 failed on app.json'
    """

    def __init__(self, rule: str, templates: tuple[str, ...]) -> None:
        super().__init__(rule, templates)
        self.rule = rule
        self.templates = templates

    def __str__(self) -> str:
        return f"rule {self.rule} failed on {', '.join(self.templates)}"


@dataclass
class _Unverified:
    """What is not known at one place: one finding, however many rules it leaves undecided."""

    rules: dict[str, None] = field(default_factory=dict)
    whys: dict[str, None] = field(default_factory=dict)

    @property
    def message(self) -> str:
        return f"could not verify {', '.join(self.rules) or 'any rule'}: {'; '.join(self.whys)}"


def judge(
    templates: Sequence[Template],
    settings: Settings | None = None,
    *,
    rules: Iterable[Rule] = RULES,
) -> list[Finding]:
    """Judge templates that are deployed together.

    Args:
        templates: The templates; nested stacks beside their parents, all that export to one
            another together. In any order: the findings are the same.
        settings: The thresholds. Default: ``Settings()``.
        rules: The rules to judge by. Default: `RULES`, all of them.

    Returns:
        The findings by template, logical ID, rule and property; each once.

    Raises:
        ValueError: If two templates have the same name.
        RuleFailed: If a rule raises; the exception it raised is the cause.

    Source: the rules, each of which names its own.

    Example:
        >>> for finding in judge([Template.load("cdk.out/Web.template.json")]):
        ...     print(finding.rule, finding.logical_id, finding.path)
        HardenedEc2-ImdsV2 Server Properties.MetadataOptions.HttpTokens
        HardenedEc2-KeyPair Server Properties.KeyName
    """
    case = Case(Deployment(templates), settings or Settings())
    return with_lines(judge_case(case, rules=rules), case.deployment.templates)


def with_lines(findings: Iterable[Finding], templates: Iterable[Template]) -> list[Finding]:
    """Return findings with the line of each.

    Args:
        findings: The findings.
        templates: The templates that they stand in.

    Example:
        >>> [finding.line for finding in with_lines(judge_case(case), [template])]
        [143, 139]
    """
    by_name = {template.name: template for template in templates}
    return [
        replace(each, line=by_name[each.template].line(each.logical_id, each.path))
        for each in findings
    ]


def judge_case(case: Case, *, rules: Iterable[Rule] = RULES) -> list[Finding]:
    """Judge a deployment that is at hand; see `judge`.

    Args:
        case: The deployment. A report that asks it further sees what the rules saw.
        rules: See `judge`. Default: `RULES`, all of them.

    Returns:
        See `judge`; without lines, for which `with_lines` reads the text of the templates again.

    Raises:
        RuleFailed: See `judge`.

    Example:
        >>> [finding.rule for finding in judge_case(Case(Deployment([template]), Settings()))]
        ['HardenedEc2-ImdsV2', 'HardenedEc2-KeyPair']
    """
    findings: dict[Finding, None] = {}
    doubts: dict[tuple[Place, When], _Unverified] = {}
    for rule in rules:
        try:
            for outcome in rule.check(case):
                match outcome:
                    case Fault(place=place, message=message, when=when):
                        findings[_finding(rule, place, message, when)] = None
                    case Doubt(place=place, why=why, when=when):
                        unverified = doubts.setdefault((place, when), _Unverified())
                        unverified.whys[why] = None
                        if rule is not cannot_verify:
                            unverified.rules[rule.id] = None
        except Exception as error:
            names = tuple(template.name for template in case.deployment.templates)
            raise RuleFailed(rule.id, names) from error
    for (place, when), unverified in doubts.items():
        finding = _finding(cannot_verify, place, unverified.message, when)
        findings[replace(finding, undecided=tuple(unverified.rules))] = None
    return sorted(findings, key=_order)


def _finding(rule: Rule, place: Place, message: str, when: When) -> Finding:
    condition = spelled_when(when)
    return Finding(
        rule=rule.id,
        severity=rule.severity,
        template=place.template,
        logical_id=place.logical_id,
        path=place.path,
        message=f"{message} (when {condition})" if condition else message,
        fix=rule.fix,
        references=tuple(str(control) for control in rule.references),
    )


def _order(finding: Finding) -> tuple[str, ...]:
    return (finding.template, finding.logical_id, finding.rule, finding.path, finding.message)
