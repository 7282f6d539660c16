"""The verdict of a check: findings, accepted findings, unreadable inputs, a word for every rule."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from hardened_ec2.policy.findings import Finding, Severity
from hardened_ec2.policy.judging.baseline import Accepted, Baseline
from hardened_ec2.policy.judging.collection import Collection
from hardened_ec2.policy.judging.judgement import RuleFailed, judge_case, with_lines
from hardened_ec2.policy.judging.validation_report import Acknowledgement
from hardened_ec2.policy.read.template import Template, UnreadableTemplate
from hardened_ec2.policy.resolve.deployment import Deployment
from hardened_ec2.policy.rules import RULES
from hardened_ec2.policy.rules.case import Case, examined
from hardened_ec2.policy.rules.rule import Rule
from hardened_ec2.policy.rules.subjects import Resources, Subject
from hardened_ec2.policy.rules.verification import cannot_verify
from hardened_ec2.policy.settings import Settings

NO_ERROR, ERRORS, UNUSABLE = 0, 1, 2
"""Exit codes: no errors, errors, or inputs that could not be judged."""


class Standing(StrEnum):
    """The verdict on one rule, worst first; every report uses these words.

    Example:
        >>> judged = verdict(collection)
        >>> standings = {rule.id: judged.standing(rule) for rule in RULES}
        >>> standings["HardenedEc2-ImdsV2"], standings["HardenedEc2-KeyPair"]
        (<Standing.VIOLATED: 'violated'>, <Standing.ACCEPTED: 'accepted'>)
    """

    VIOLATED = "violated"
    """The rule has findings that are not accepted."""

    UNVERIFIED = "not verified"
    """The templates leave open whether the rule holds, in at least one place."""

    ACCEPTED = "accepted"
    """All findings of the rule are accepted, each with a reason."""

    HOLDS = "holds"
    """Resources were examined, without a finding."""

    NOTHING = "nothing to examine"
    """The templates contain no resource that the rule examines."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The verdict on templates that are deployed together.

    Args:
        templates: The names of the templates that were judged.
        findings: The findings that are not accepted, in the order of `judge`.
        accepted: The findings that a baseline or the app accepts, with the reasons.
        unreadable: The inputs that could not be judged.
        cases: The deployments, for reports that show more than findings.
        acknowledged: All findings that the apps acknowledged, of other packs too. Default: none.

    Example:
        >>> judged = verdict(collection)
        >>> len(judged.findings), len(judged.accepted), judged.exit_code
        (1, 1, 1)
    """

    templates: tuple[str, ...]
    findings: tuple[Finding, ...]
    accepted: tuple[tuple[Finding, Accepted], ...]
    unreadable: tuple[UnreadableTemplate, ...]
    cases: tuple[Case, ...]
    acknowledged: tuple[Acknowledgement, ...] = ()

    @cached_property
    def violations(self) -> tuple[Finding, ...]:
        """The findings that are errors and warnings."""
        return tuple(each for each in self.findings if each.rule != cannot_verify.id)

    @cached_property
    def not_verified(self) -> tuple[Finding, ...]:
        """The findings that say what could not be verified."""
        return tuple(each for each in self.findings if each.rule == cannot_verify.id)

    @cached_property
    def standings(self) -> dict[str, Standing]:
        """The verdict on every rule, by its id, in the order of `RULES`."""
        return {rule.id: self.standing(rule) for rule in RULES}

    def standing(self, rule: Rule) -> Standing:
        """Return the verdict on a rule in all templates together."""
        if rule.id in self._violated:
            return Standing.VIOLATED
        if rule.id in self._undecided:
            return Standing.UNVERIFIED
        if any(finding.rule == rule.id for finding, _ in self.accepted):
            return Standing.ACCEPTED
        return Standing.HOLDS if self.examined(rule) else Standing.NOTHING

    def examined(self, rule: Rule) -> int:
        """Return how many resources a rule examined; see `Rule.subject`."""
        known = self._examined.get(rule.subject)
        if known is None:
            known = sum(len(examined(case, rule.subject)) for case in self.cases)
            self._examined[rule.subject] = known
        return known

    @cached_property
    def _examined(self) -> dict[Subject | Resources, int]:
        return {}

    @cached_property
    def _violated(self) -> frozenset[str]:
        return frozenset(finding.rule for finding in self.violations)

    @cached_property
    def _undecided(self) -> frozenset[str]:
        found = (*self.findings, *(finding for finding, _ in self.accepted))
        undecided = {rule for finding in found for rule in finding.undecided}
        return frozenset(undecided.union(finding.rule for finding in self.not_verified))

    def count(self, severity: Severity) -> int:
        """Return how many of `violations` have a severity."""
        return sum(finding.severity is severity for finding in self.violations)

    @property
    def exit_code(self) -> int:
        """The exit code of the command."""
        if self.unreadable:
            return UNUSABLE
        return ERRORS if self.count(Severity.ERROR) else NO_ERROR


def verdict(
    collection: Collection, settings: Settings | None = None, baseline: Baseline | None = None
) -> Verdict:
    """Judge a collection as one deployment: exports and nested stacks are followed through it.

    A rule that fails says nothing about the deployment: its templates are judged one by one, and
    one on which the rule fails again counts as unreadable. So no fault of the policy's is ever
    taken for a pass. What the app behind a cloud assembly acknowledged is accepted, as the pack
    accepted it at synth.

    Args:
        collection: The templates.
        settings: The thresholds. Default: ``Settings()``.
        baseline: What is accepted. Default: nothing.

    Returns:
        The verdict.
    """
    unreadable = list(collection.unreadable)
    cases: list[Case] = []
    findings: list[Finding] = []
    for case, found in _judged(collection.templates, settings, unreadable):
        cases.append(case)
        findings += found
    apps = (entry for each in collection.acknowledged for entry in each.accepted())
    accepted = Baseline(accepted=(*(baseline or Baseline()).accepted, *apps))
    pairs = [(finding, accepted.accepting(finding)) for finding in findings]
    return Verdict(
        templates=tuple(each.name for case in cases for each in case.deployment.templates),
        findings=tuple(finding for finding, entry in pairs if entry is None),
        accepted=tuple((finding, entry) for finding, entry in pairs if entry is not None),
        unreadable=tuple(unreadable),
        cases=tuple(cases),
        acknowledged=collection.acknowledged,
    )


def _judged(
    deployment: Sequence[Template],
    settings: Settings | None,
    unreadable: list[UnreadableTemplate],
) -> Iterator[tuple[Case, list[Finding]]]:
    try:
        case = Case(Deployment(deployment), settings or Settings())
        yield case, with_lines(judge_case(case), case.deployment.templates)
    except (RuleFailed, RecursionError) as error:
        if len(deployment) > 1:
            for template in deployment:
                yield from _judged([template], settings, unreadable)
            return
        why = "it is nested too deeply"
        if isinstance(error, RuleFailed):
            why = f"rule {error.rule} failed with {type(error.__cause__).__name__}"
        reason = f"it cannot be judged: {why}. Report it, with the template"
        unreadable.append(UnreadableTemplate(deployment[0].name, reason))
