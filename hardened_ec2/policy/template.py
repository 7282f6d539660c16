"""One CloudFormation template as it was written: read, checked for shape, not yet resolved."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NoReturn, Self

MAX_TEMPLATE_BYTES: Final = 16 * 2**20
"""The largest file read. CloudFormation itself takes 1 MiB; indentation can multiply that."""

_SECTIONS = ("Parameters", "Mappings", "Conditions", "Resources", "Outputs", "Metadata", "Rules")


class UnreadableTemplate(ValueError):  # noqa: N818 - it names the fault, as `ValueError`s here do
    """A file or document that cannot be judged because it is no CloudFormation template.

    Args:
        template: The template's name.
        reason: What is wrong with it, without the name.

    Example:
        >>> str(UnreadableTemplate("app.json", "it is empty"))
        'app.json: it is empty'
    """

    def __init__(self, template: str, reason: str) -> None:
        super().__init__(template, reason)
        self.template = template
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.template}: {self.reason}"


@dataclass(frozen=True, kw_only=True, eq=False)
class Template:
    """A template, already decoded.

    Whatever decodes a template (JSON here, YAML elsewhere) ends in this class, so that every rule
    sees the long form of intrinsic functions: ``{"Fn::Sub": …}``, ``{"Ref": …}``.

    Args:
        name: What findings call it; a path, as a rule.
        document: The decoded template: plain dicts, lists, strings, numbers, Booleans and none.

    Raises:
        UnreadableTemplate: If the document is no object, has no ``Resources``, or a section or a
            resource has not the shape CloudFormation asks for.

    Source: AWS CloudFormation User Guide, "Template anatomy".

    Example:
        >>> document = {"Resources": {"Web": {"Type": "AWS::EC2::SecurityGroup"}}}
        >>> sorted(Template(name="app.json", document=document).resources)
        ['Web']
    """

    name: str
    document: dict[str, Any]

    def __post_init__(self) -> None:
        if not isinstance(self.document, dict):
            self._refuse(f"it holds {_kind(self.document)}, not a template object")
        if "Resources" not in self.document:
            self._refuse("it has no Resources section, so it is no CloudFormation template")
        for section in _SECTIONS:
            if not isinstance(self.document.get(section, {}), dict):
                self._refuse(f"{section} is {_kind(self.document[section])}, not an object")
        if not self.document["Resources"]:
            self._refuse("its Resources section is empty")
        for logical_id, resource in self.document["Resources"].items():
            if not (isinstance(logical_id, str) and logical_id.startswith("Fn::")):
                self._check_resource(logical_id, resource)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a JSON template from a file.

        Args:
            path: The file. Findings name it as given here.

        Returns:
            The template.

        Raises:
            UnreadableTemplate: If the file cannot be read, is larger than `MAX_TEMPLATE_BYTES`,
                is not JSON in UTF-8, or is no template. Never anything else.

        Source: RFC 8259 (JSON).

        Example:
            >>> Template.load("cdk.out/Server.template.json").name
            'cdk.out/Server.template.json'
        """
        name = str(path)
        try:
            with Path(path).open("rb") as file:
                content = file.read(MAX_TEMPLATE_BYTES + 1)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise UnreadableTemplate(name, f"it cannot be read: {reason}") from None
        if len(content) > MAX_TEMPLATE_BYTES:
            raise UnreadableTemplate(name, f"it is larger than {MAX_TEMPLATE_BYTES} bytes")
        if not content.strip():
            raise UnreadableTemplate(name, "it is empty")
        return cls(name=name, document=_decoded(name, content))

    @cached_property
    def resources(self) -> dict[str, dict[str, Any]]:
        """The resources by logical ID, without ``Fn::ForEach`` loops."""
        return {
            logical_id: resource
            for logical_id, resource in self.document["Resources"].items()
            if isinstance(logical_id, str) and not logical_id.startswith("Fn::")
        }

    def section(self, name: str) -> dict[str, Any]:
        """Return a section such as ``Parameters``; empty when the template has none."""
        section: dict[str, Any] = self.document.get(name, {})
        return section

    def _check_resource(self, logical_id: object, resource: object) -> None:
        if not isinstance(resource, dict):
            self._refuse(f"resource {logical_id} is {_kind(resource)}, not an object")
        if not isinstance(resource.get("Type"), str):
            self._refuse(f"resource {logical_id} has no Type")
        for part in ("Properties", "Metadata"):
            if not isinstance(resource.get(part, {}), dict | None):
                self._refuse(
                    f"{part} of resource {logical_id} is {_kind(resource[part])}, not an object"
                )

    def _refuse(self, reason: str) -> NoReturn:
        raise UnreadableTemplate(self.name, reason)


def _decoded(name: str, content: bytes) -> Any:  # noqa: ANN401 - whatever the JSON holds
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableTemplate(
            name, f"it is not UTF-8 text: byte {error.start} is 0x{content[error.start]:02x}"
        ) from None
    try:
        return json.loads(text, parse_constant=_refused_constant)
    except json.JSONDecodeError as error:
        raise UnreadableTemplate(
            name, f"it is not JSON: {error.msg} at line {error.lineno} column {error.colno}"
        ) from None
    except RecursionError:
        raise UnreadableTemplate(name, "it is nested too deeply") from None
    except ValueError as error:
        # NaN and the like, and numbers of thousands of digits.
        raise UnreadableTemplate(name, f"it is not JSON: {error}") from None


def _refused_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON value")


def _kind(raw: object) -> str:
    if raw is None:
        return "null"
    return {dict: "an object", list: "a list", str: "a string", bool: "a Boolean"}.get(
        type(raw), "a number"
    )
