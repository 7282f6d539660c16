"""The verdict of a check: findings, what was accepted, what passed, what could not be read."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hardened_ec2.policy.baseline import Accepted, Baseline
from hardened_ec2.policy.collection import Collection
from hardened_ec2.policy.findings import Finding, Severity
from hardened_ec2.policy.judgement import RuleFailed, judge
from hardened_ec2.policy.rules import RULES
from hardened_ec2.policy.settings import Settings
from hardened_ec2.policy.template import Template, UnreadableTemplate

NO_ERROR, ERRORS, UNUSABLE = 0, 1, 2
"""Exit codes: nothing is exposed, something is, or some of it could not be judged."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What is said about templates.

    Args:
        templates: The names of the templates that were judged.
        findings: What is wrong and not accepted, in the order of `judge`.
        accepted: What a baseline accepts, with the reasons.
        unreadable: What could not be judged.

    Example:
        >>> verdict(collect([Path("cdk.out")])).exit_code
        0
    """

    templates: tuple[str, ...]
    findings: tuple[Finding, ...]
    accepted: tuple[tuple[Finding, Accepted], ...]
    unreadable: tuple[UnreadableTemplate, ...]

    @property
    def passed(self) -> tuple[str, ...]:
        """The rules that hold in all templates; none where nothing was judged."""
        broken = {finding.rule for finding in self.findings}
        broken |= {finding.rule for finding, _ in self.accepted}
        return tuple(rule.id for rule in RULES if self.templates and rule.id not in broken)

    def count(self, severity: Severity) -> int:
        """Return how many findings have a severity."""
        return sum(finding.severity is severity for finding in self.findings)

    @property
    def exit_code(self) -> int:
        """What the command ends with."""
        if self.unreadable:
            return UNUSABLE
        return ERRORS if self.count(Severity.ERROR) else NO_ERROR


def verdict(
    collection: Collection, settings: Settings | None = None, baseline: Baseline | None = None
) -> Verdict:
    """Judge a collection.

    A rule that fails on a deployment says nothing about it: its templates are judged one by one,
    and one on which the rule fails again counts as unreadable. So no fault of the policy's is ever
    taken for a pass.

    Args:
        collection: The templates.
        settings: The thresholds. Default: ``Settings()``.
        baseline: What is accepted. Default: nothing.

    Returns:
        The verdict.
    """
    unreadable = list(collection.unreadable)
    judged: list[str] = []
    findings: list[Finding] = []
    for deployment in collection.deployments:
        for templates, found in _judged(deployment, settings, unreadable):
            judged += [template.name for template in templates]
            findings += found
    accepted = baseline or Baseline()
    pairs = [(finding, accepted.accepting(finding)) for finding in findings]
    return Verdict(
        templates=tuple(judged),
        findings=tuple(finding for finding, entry in pairs if entry is None),
        accepted=tuple((finding, entry) for finding, entry in pairs if entry is not None),
        unreadable=tuple(unreadable),
    )


def _judged(
    deployment: Sequence[Template],
    settings: Settings | None,
    unreadable: list[UnreadableTemplate],
) -> Iterator[tuple[Sequence[Template], list[Finding]]]:
    try:
        yield deployment, judge(deployment, settings)
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
