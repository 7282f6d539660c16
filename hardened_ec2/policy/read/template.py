"""One CloudFormation template as it is written: decoded, its shape checked, nothing resolved."""

import errno
import hashlib
import os
import stat
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NoReturn, Self

from hardened_ec2.policy.read.decoding import UndecodableText, decode, marks
from hardened_ec2.policy.read.marks import Marks

MAX_TEMPLATE_BYTES: Final = 16 * 2**20
"""The largest file read. CloudFormation itself takes 1 MiB; indentation can multiply that."""

_SECTIONS = ("Parameters", "Mappings", "Conditions", "Resources", "Outputs", "Metadata", "Rules")


class UnreadableTemplate(ValueError):  # noqa: N818 - it names the fault, as `ValueError`s here do
    """A file or document that cannot be judged: it is not a CloudFormation template.

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


class NoResources(UnreadableTemplate):
    """A template without resources: CloudFormation deploys nothing from it.

    Example:
        >>> str(NoResources("app.json", "its Resources section is empty"))
        'app.json: its Resources section is empty'
    """


@dataclass(frozen=True, kw_only=True, eq=False)
class Template:
    """A template, already decoded.

    Every decoder of templates produces this class, so every rule sees the long form of intrinsic
    functions: ``{"Fn::Sub": …}``, ``{"Ref": …}``.

    Args:
        name: Its name in findings, usually a path.
        document: The decoded template: plain dicts, lists, strings, numbers, Booleans and none.
        text: The text it was decoded from, to look up lines. Default: none; lines are not known.
        digest: The SHA-256 of its file, in hexadecimal. Default: empty, it is not from a file.

    Raises:
        UnreadableTemplate: If the document is not an object, or a section or a resource does not
            have the shape that CloudFormation asks for; `NoResources` if it has no resource.

    Source: AWS CloudFormation User Guide, "Template anatomy".

    Example:
        >>> document = {"Resources": {"Web": {"Type": "AWS::EC2::SecurityGroup"}}}
        >>> sorted(Template(name="app.json", document=document).resources)
        ['Web']
    """

    name: str
    document: dict[str, Any]
    text: str | None = field(default=None, repr=False)
    digest: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.document, dict):
            self._refuse(f"it holds {_kind(self.document)}, not a template object")
        if "Resources" not in self.document:
            raise NoResources(
                self.name, "it has no Resources section, so it is not a CloudFormation template"
            )
        for section in _SECTIONS:
            if not isinstance(self.document.get(section, {}), dict):
                self._refuse(f"{section} is {_kind(self.document[section])}, not an object")
        if not self.document["Resources"]:
            raise NoResources(self.name, "its Resources section is empty")
        for logical_id, resource in self.document["Resources"].items():
            if not (isinstance(logical_id, str) and logical_id.startswith("Fn::")):
                self._check_resource(logical_id, resource)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a template from a file, JSON or YAML.

        Args:
            path: The file. Findings name it as given here.

        Returns:
            The template.

        Raises:
            UnreadableTemplate: If the file cannot be read, is larger than `MAX_TEMPLATE_BYTES`,
                is not JSON or YAML in UTF-8, or is not a template. No other exception is raised.

        Source: RFC 8259 (JSON); YAML 1.1.

        Example:
            >>> list(Template.load("cdk.out/Web.template.json").section("Conditions"))
            ['IsProduction']
        """
        name = str(path)
        try:
            with open(path, "rb", opener=_at_once) as file:
                # Asked for more than there is, Python allocates it all the same.
                size = os.fstat(file.fileno()).st_size
                content = file.read(min(size, MAX_TEMPLATE_BYTES) + 1)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise UnreadableTemplate(name, f"it cannot be read: {reason}") from None
        if len(content) > MAX_TEMPLATE_BYTES:
            raise UnreadableTemplate(name, f"it is larger than {MAX_TEMPLATE_BYTES} bytes")
        if not content.strip():
            raise UnreadableTemplate(name, "it is empty")
        text = _text(name, content)
        digest = hashlib.sha256(content).hexdigest()
        try:
            return cls(name=name, document=decode(text), text=text, digest=digest)
        except UndecodableText as error:
            raise UnreadableTemplate(name, str(error)) from None

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

    def line(self, logical_id: str, path: str = "") -> int | None:
        """Return the line of a resource, or of a property of it.

        Args:
            logical_id: The resource; empty for the template itself.
            path: The property, such as ``Properties.ImageId``. Default: the resource itself.

        Returns:
            The line, or that of the nearest value around it; none when the text is not known.
        """
        if self._marks is None:
            return None
        steps = ("Resources", logical_id, *path.split(".")) if logical_id else path.split(".")
        return self._marks.line_of(tuple(steps))

    @cached_property
    def _marks(self) -> Marks | None:
        return None if self.text is None else marks(self.text)

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


def _at_once(path: str, flags: int) -> int:
    """Open a file without waiting: a pipe waits for a writer, and a device may never end."""
    descriptor = os.open(path, flags | os.O_NONBLOCK)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise OSError(errno.EINVAL, "it is not a regular file")


def _text(name: str, content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UnreadableTemplate(
            name, f"it is not UTF-8 text: byte {error.start} is 0x{content[error.start]:02x}"
        ) from None


def _kind(raw: object) -> str:
    if raw is None:
        return "null"
    return {dict: "an object", list: "a list", str: "a string", bool: "a Boolean"}.get(
        type(raw), "a number"
    )
