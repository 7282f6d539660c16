"""What an app acknowledged: the validation report that the CDK leaves in a cloud assembly."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hardened_ec2.policy.findings import PACK_NAME
from hardened_ec2.policy.judging.baseline import Accepted

MAX_BYTES: Final = 64 * 2**20
"""The largest report read; a larger one acknowledges nothing."""

_FILE: Final = "validation-report.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Acknowledgement:
    """One finding that an app acknowledged, of this pack or another.

    Args:
        pack: The pack that found it.
        rule: The rule's id.
        construct: The path of the construct that it was found at.
        template: The template's name, as findings write it; empty when the report has none.
        logical_id: The resource; empty when the report has none.
        paths: The properties; none when the report has none.
        message: What was found.
        reason: Why it is right for this design.
        where: The path of the construct on which it was acknowledged.

    Source: AWS CDK, "Policy validation at synthesis time", ``suppressedViolations``.

    Example:
        >>> (acknowledgement,) = read_acknowledgements(Path("cdk.out"))
        >>> acknowledgement.rule, acknowledgement.where
        ('HardenedEc2-KeyPair', 'Web/Server')
    """

    pack: str
    rule: str
    construct: str
    template: str
    logical_id: str
    paths: tuple[str, ...]
    message: str
    reason: str
    where: str

    def accepted(self) -> Iterator[Accepted]:
        """Yield it as entries of a baseline; nothing where it is another pack's."""
        if self.pack == PACK_NAME and self.template and self.logical_id and self.reason.strip():
            for path in self.paths or ("",):
                yield Accepted(
                    rule=self.rule,
                    template=self.template,
                    logical_id=self.logical_id,
                    path=path,
                    reason=self.reason,
                    where=self.where,
                )


def read_acknowledgements(assembly: Path) -> tuple[Acknowledgement, ...]:
    """Read what an app acknowledged.

    Args:
        assembly: The folder of the cloud assembly.

    Returns:
        The acknowledgements in the order of the report; none where there is no report or it cannot
        be read. Then findings stay findings, so nothing is lost.

    Source: AWS CDK, "Policy validation at synthesis time".

    Example:
        >>> [each.reason for each in read_acknowledgements(Path("cdk.out"))]
        ["The vendor's installer logs in with it."]
    """
    try:
        with (assembly / _FILE).open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        document = json.loads(content) if len(content) <= MAX_BYTES else None
    except (OSError, ValueError, RecursionError):
        return ()
    found: dict[Acknowledgement, None] = {}
    for plugin in _objects(document, "pluginReports"):
        for violation in _objects(plugin, "suppressedViolations"):
            for construct in _objects(violation, "violatingConstructs"):
                found[_acknowledgement(assembly, plugin, violation, construct)] = None
    return tuple(found)


def _acknowledgement(
    assembly: Path, plugin: dict[str, Any], violation: dict[str, Any], construct: dict[str, Any]
) -> Acknowledgement:
    resource = construct.get("cloudFormationResource")
    resource = resource if isinstance(resource, dict) else {}
    file = _text(resource, "templatePath")
    paths = resource.get("propertyPaths")
    return Acknowledgement(
        pack=_text(plugin, "pluginName"),
        rule=_text(violation, "ruleName"),
        construct=_text(construct, "constructPath"),
        template=str(assembly / file) if file else "",
        logical_id=_text(resource, "logicalId"),
        paths=tuple(each for each in paths if isinstance(each, str))
        if isinstance(paths, list)
        else (),
        message=_text(violation, "description"),
        reason=_text(violation, "reason"),
        where=_text(violation, "acknowledgedAt"),
    )


def _objects(holder: object, key: str) -> Iterator[dict[str, Any]]:
    entries = holder.get(key) if isinstance(holder, dict) else None
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict):
            yield entry


def _text(holder: dict[str, Any], key: str) -> str:
    text = holder.get(key)
    return text if isinstance(text, str) else ""
