"""Findings: what is wrong, where, how severe it is, and how to fix it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

PACK_NAME: Final = "HardenedEc2"
"""The policy's name in CDK's reports, the beginning of a rule's id and of an acknowledgement's."""


class Severity(StrEnum):
    """The severity of a finding, with one meaning across all rules.

    Example:
        >>> [f"{finding.severity}: {finding.rule}" for finding in verdict.findings]
        ['error: HardenedEc2-ImdsV2']
    """

    ERROR = "error"
    WARNING = "warning"

    @property
    def meaning(self) -> str:
        """What findings of the severity mean, as a sentence for reports."""
        return _MEANINGS[self]


_MEANINGS = {
    Severity.ERROR: (
        "The template exposes a server or can do so, leaks a secret, lets credentials be stolen or "
        "privileges be escalated, or leaves data unencrypted."
    ),
    Severity.WARNING: (
        "Access is wider than needed inside the network, a good practice is missing, or something "
        "could not be verified."
    ),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One fault in one place of a template.

    Args:
        rule: The rule's id, such as ``HardenedEc2-ImdsV2``.
        severity: Its severity.
        template: The template's name, as it was given.
        logical_id: The resource with the fault; empty for the template itself.
        path: The property, such as ``Properties.SecurityGroupIngress.0``; empty for the resource
            itself.
        message: The fault, with the values that cause it.
        fix: What to write instead.
        references: The same requirement in public benchmarks and checkers. Default: none.
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
        """The template, logical ID and property, separated by spaces."""
        return " ".join(part for part in (self.template, self.logical_id, self.path) if part)
