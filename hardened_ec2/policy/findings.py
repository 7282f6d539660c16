"""What a judgement hands back: findings, ordered, each with the fix beside the fault."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a finding weighs. It has one meaning across all rules.

    Example:
        >>> [f"{finding.severity}: {finding.rule}" for finding in verdict.findings]
        ['error: HardenedEc2-ImdsV2']
    """

    ERROR = "error"
    """With this template a server is or can be exposed, a secret leaks, credentials can be stolen
    or escalated, or data is unencrypted."""

    WARNING = "warning"
    """It could not be verified, is wider than needed within private space, or is hygiene."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing wrong at one place of a template.

    Args:
        rule: The rule's id, such as ``HardenedEc2-ImdsV2``.
        severity: How much it weighs.
        template: The template's name, as it was given.
        logical_id: The resource that carries the fault; empty when it is the template itself.
        path: The property, such as ``Properties.SecurityGroupIngress.0``; empty when it is the
            resource itself.
        message: What is wrong, with the values that are wrong in it.
        fix: What to write instead.
        references: The same demand in public benchmarks and checkers.
        line: The line in the template's source. Default: none, not known.
        undecided: The ids of the rules that could not be verified there. Default: none.

    Source: the vocabulary of AWS CloudFormation ("logical ID", "property").

    Example:
        >>> Finding(rule="HardenedEc2-KeyPair", severity=Severity.WARNING, template="app.json",
        ...         logical_id="Server", path="Properties.KeyName", message="…", fix="…").place
        'app.json Server Properties.KeyName'
    """

    rule: str
    severity: Severity
    template: str
    logical_id: str
    path: str
    message: str
    fix: str
    references: tuple[str, ...] = ()
    line: int | None = None
    undecided: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """Where it is, in words: template, logical ID and property."""
        return " ".join(part for part in (self.template, self.logical_id, self.path) if part)
