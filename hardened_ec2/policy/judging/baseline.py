"""The baseline: findings that a team has looked at and accepts, each with the reason."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from hardened_ec2.policy.findings import Finding

_KEYS = ("rule", "template", "logical_id", "path", "reason")
_OPTIONAL = frozenset({"path"})


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """One finding that is accepted.

    Args:
        rule: The rule's id.
        template: The template's name, as findings write it.
        logical_id: The resource; empty for the template itself.
        reason: Why it is right for this design.
        path: The property. Default: any of that resource.
        where: The construct on which the app acknowledged it. Default: empty, a baseline says so.

    Raises:
        ValueError: If there is no reason.

    Example:
        >>> accepted = Accepted(rule="HardenedEc2-ImdsV2", template="cdk.out/Web.template.json",
        ...                     logical_id="Server", reason="Replaced in March.")
        >>> [accepted.accepts(finding) for finding in verdict.findings]
        [True]
    """

    rule: str
    template: str
    logical_id: str
    reason: str
    path: str = ""
    where: str = ""

    def __post_init__(self) -> None:
        if not self.reason.strip():
            raise ValueError(
                f"{self.rule} at {self.template} {self.logical_id} is accepted without a reason: "
                "write why it is right for this design"
            )

    def accepts(self, finding: Finding) -> bool:
        """Whether a finding is this one; its line may have changed since."""
        return (
            (self.rule, self.logical_id) == (finding.rule, finding.logical_id)
            and Path(self.template) == Path(finding.template)
            and self.path in ("", finding.path)
        )


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """All that is accepted.

    Args:
        accepted: The entries. Default: none.

    Example:
        >>> baseline = Baseline.load(Path("baseline.json"))
        >>> [accepted.reason for accepted in baseline.stale(verdict.findings)]
        ['Holds public data only.']
    """

    accepted: tuple[Accepted, ...] = field(default=())

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a baseline.

        Args:
            path: A file as `written` writes it, with a reason in every entry.

        Raises:
            ValueError: If it is none, or an entry has no reason.
            OSError: If it cannot be read.
        """
        try:
            document = json.loads(path.read_bytes())
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path} is not JSON: {error}") from None
        entries = document.get("accepted") if isinstance(document, dict) else None
        if not isinstance(entries, list):
            raise ValueError(
                f'{path} is not a baseline: write {{"accepted": [...]}}, or let '
                "--write-baseline write it"
            )
        return cls(
            accepted=tuple(_entry(path, index, entry) for index, entry in enumerate(entries))
        )

    def accepting(self, finding: Finding) -> Accepted | None:
        """Return the entry that accepts a finding, or none."""
        return next((entry for entry in self.accepted if entry.accepts(finding)), None)

    def stale(self, findings: Iterable[Finding]) -> tuple[Accepted, ...]:
        """Return the entries that accept nothing any more."""
        found = list(findings)
        return tuple(
            entry for entry in self.accepted if not any(entry.accepts(each) for each in found)
        )


def written(findings: Iterable[Finding]) -> str:
    """Return the text of a baseline for findings, its reasons still to be written.

    Args:
        findings: What is to be accepted.

    Example:
        >>> (entry,) = json.loads(written(verdict.findings))["accepted"]
        >>> entry["rule"], entry["reason"]
        ('HardenedEc2-ImdsV2', '')
    """
    entries = [
        {
            "rule": finding.rule,
            "template": finding.template,
            "logical_id": finding.logical_id,
            "path": finding.path,
            "reason": "",
        }
        for finding in findings
    ]
    return json.dumps({"accepted": entries}, indent=2) + "\n"


def _entry(path: Path, index: int, entry: Any) -> Accepted:  # noqa: ANN401 - whatever JSON holds
    where = f"{path}: entry {index + 1}"
    if not isinstance(entry, dict):
        raise ValueError(f"{where} is {entry!r}: write an object with {', '.join(_KEYS)}")
    unknown = sorted(entry.keys() - set(_KEYS))
    if unknown:
        raise ValueError(f"{where} has {unknown[0]!r}: {', '.join(_KEYS)} are allowed")
    for key in _KEYS:
        if not isinstance(entry.get(key, "" if key in _OPTIONAL else None), str):
            raise ValueError(f"{where} has no string for {key!r}: write one")
    try:
        return Accepted(**entry)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
