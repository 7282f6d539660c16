"""What one place of a template can be: kinds of content, and the conditions of each.

A property of a CloudFormation template rarely has one value. It has one value under a condition and
another otherwise, the default of a parameter, text that is known in part, or an attribute of a
resource that does not exist yet. So every place reads as a tuple of `Value`, one for each thing it
can be, and a rule looks at all of them.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

from hardened_ec2.policy.resolve.scenarios import ALWAYS, When, together


class Absent(Enum):
    """The type of `ABSENT`."""

    ABSENT = "absent"


_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,20}")

ABSENT: Final = Absent.ABSENT
"""Nothing there: the property is missing, null, or ``AWS::NoValue``."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A value that only the deployment decides.

    Args:
        why: Why it is not known, as the end of a sentence.
        name: The parameter, pseudo parameter or dynamic reference it comes from. Default: empty.

    Example:
        >>> (server,) = deployment.resources("AWS::EC2::Instance")
        >>> (region,) = server.scope.resolve({"Ref": "AWS::Region"})
        >>> region.content.name
        'AWS::Region'
    """

    why: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Reference:
    """A resource of the templates, or an attribute of one.

    Args:
        template: The name of the template that declares it.
        logical_id: Its logical ID.
        attribute: The attribute that ``Fn::GetAtt`` names. Default: empty, it is a ``Ref``.

    Example:
        >>> str(Reference("app.json", "Group", "GroupId"))
        'Group.GroupId'
    """

    template: str
    logical_id: str
    attribute: str = ""

    def __str__(self) -> str:
        return f"{self.logical_id}.{self.attribute}" if self.attribute else self.logical_id


@dataclass(frozen=True, slots=True)
class Text:
    """Text of which some parts are known only at deployment.

    Args:
        parts: The known text and the unknown parts, in order.

    Example:
        >>> str(Text(("web-", Unknown("known at deployment", "AWS::Region"))))
        'web-${AWS::Region}'
    """

    parts: tuple["str | Unknown | Reference | Base64", ...]

    def __str__(self) -> str:
        return "".join(part if isinstance(part, str) else _spelled(part) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Base64:
    """What ``Fn::Base64`` makes of its argument.

    Args:
        of: What is encoded.

    Example:
        >>> (server,) = deployment.resources("AWS::EC2::Instance")
        >>> (user_data,) = server.scope.resolve({"Fn::Base64": "#!/bin/sh"})
        >>> user_data.content
        Base64(of='#!/bin/sh')
    """

    of: "str | Text | Unknown | Reference"


class Resolver(Protocol):
    """Resolves raw pieces of a template."""

    def resolve(self, raw: Any) -> "Alternatives":  # noqa: ANN401 - decoded JSON
        """Return everything that a raw piece can be."""


@dataclass(frozen=True, slots=True, eq=False)
class Tree:
    """An object or a list of the template, its entries still to be resolved.

    Args:
        scope: Resolves what lies inside.
        raw: The decoded object or list.
    """

    scope: Resolver
    raw: dict[str, Any] | list[Any]


Content: TypeAlias = str | int | float | Absent | Unknown | Reference | Text | Base64 | Tree
"""Everything that one place can hold; a ``bool`` is an ``int`` here as in Python."""


class Resolved(NamedTuple):
    """A content and when it is deployed, not yet tied to a place."""

    content: Content
    when: When = ALWAYS


Alternatives: TypeAlias = tuple[Resolved, ...]
"""Everything that one piece of a template can be."""


class _Plain:
    def resolve(self, raw: Any) -> Alternatives:  # noqa: ANN401
        if isinstance(raw, dict | list):
            return (Resolved(Tree(self, raw)),)
        return (Resolved(ABSENT if raw is None else raw),)


PLAIN: Final[Resolver] = _Plain()
"""Resolves JSON that a template contains as text, in which there are no functions."""


class Place(NamedTuple):
    """The place of a value: template, logical ID and property path."""

    template: str
    logical_id: str
    path: str = ""

    def under(self, key: str) -> "Place":
        """Return the place one step further down."""
        return Place(self.template, self.logical_id, f"{self.path}.{key}" if self.path else key)

    def __str__(self) -> str:
        return f"{self.logical_id} {self.path}" if self.path else self.logical_id


NOWHERE: Final = Place("", "")
"""The place of a value that is not from a template."""


class Value(NamedTuple):
    """One thing that one place can be.

    Args:
        content: What it is.
        when: What must hold for it to be deployed. Default: nothing.
        place: Its place in the templates. Default: none.

    Example:
        >>> (server,) = deployment.resources("AWS::EC2::Instance")
        >>> (key,) = server.properties.at("KeyName")
        >>> key.content, str(key.place)
        ('operations', 'Server Properties.KeyName')
    """

    content: Content
    when: When = ALWAYS
    place: Place = NOWHERE

    def at(self, *keys: str) -> tuple["Value", ...]:
        """Go down into objects.

        Args:
            keys: Property names, outermost first.

        Returns:
            Everything the property can be; content `ABSENT` where it, or an object on the way, is
            missing, and `Unknown` where an object on the way is not known.

        Example:
            >>> (server,) = deployment.resources("AWS::EC2::Instance")
            >>> [value.content for value in server.properties.at("MetadataOptions", "HttpTokens")]
            ['optional']
        """
        found: tuple[Value, ...] = (self,)
        for key in keys:
            if len(found) == 1:
                found = _below(found[0], key)
            else:
                found = tuple(inner for value in found for inner in _below(value, key))
        return found

    def under(self, when: When) -> "Value | None":
        """Return the value with `when` added; none when it and the value exclude each other."""
        joined = together(self.when, when)
        if joined is None or joined == self.when:
            return None if joined is None else self
        return Value(self.content, joined, self.place)

    def entries(self) -> tuple["Value", ...]:
        """Open a list.

        Returns:
            Everything that can be an entry of it, less what is absent. A value that is no list is
            the only entry of one, as CloudFormation reads it; an unknown list is one unknown entry.
        """
        return tuple(_entries(self, nested=True))


def unknown(why: str, name: str = "") -> Alternatives:
    """Return the alternatives of a piece that only the deployment decides; see `Unknown`."""
    return (Resolved(Unknown(why, name)),)


def under(when: When, alternatives: Iterable[Resolved]) -> Iterator[Resolved]:
    """Yield the alternatives that are possible with `when`, which is added to each."""
    for content, own in alternatives:
        joined = together(when, own)
        if joined is not None:
            yield Resolved(content, joined)


def distinct(alternatives: Iterable[Resolved]) -> Alternatives:
    """Return each alternative once, in order."""
    return tuple(dict.fromkeys(alternatives))


def describe(content: Content) -> str:
    """Spell a content for a message, unresolved parts as ``${Name}``."""
    match content:
        case bool():
            return str(content).lower()
        case Absent():
            return "nothing"
        case Unknown(why=why, name=""):
            return f"a value unknown at synth ({why})"
        case Unknown() | Reference() | Base64():
            return _spelled(content)
        case Tree(raw=raw):
            return "an object" if isinstance(raw, dict) else "a list"
        case _:
            return repr(str(content) if isinstance(content, Text) else content)


def as_bool(content: Content) -> bool | None:
    """Read a Boolean in any spelling CloudFormation takes; none when it is not one."""
    if isinstance(content, bool):
        return content
    if isinstance(content, str):
        return {"true": True, "false": False}.get(content.strip().lower())
    return None


def as_int(content: Content) -> int | None:
    """Read a whole number, also one in text; none when it is not one."""
    if isinstance(content, bool):
        return None
    if isinstance(content, float) and content.is_integer():
        return int(content)
    # int() would also accept underscores and digits of other scripts, which EC2 refuses.
    if isinstance(content, str) and _WHOLE_NUMBER.fullmatch(content.strip()):
        return int(content)
    return content if isinstance(content, int) else None


def why_unknown(content: Content) -> str | None:
    """Return why a content is not a plain value; none when it is one."""
    match content:
        case Unknown(why=why):
            return why
        case Text(parts=parts):
            return "; ".join(
                dict.fromkeys(
                    why_unknown(part) or "" for part in parts if not isinstance(part, str)
                )
            )
        case Reference():
            return f"{content} is known only at deployment"
        case Base64(of=of):
            return why_unknown(of)
        case _:
            return None


def _placed(resolved: Iterable[Resolved], when: When, place: Place) -> tuple[Value, ...]:
    return tuple(
        Value(content, joined, place)
        for content, own in resolved
        if (joined := together(when, own)) is not None
    )


def _spelled(part: Unknown | Reference | Base64) -> str:
    match part:
        case Unknown(name=name):
            return name if name.startswith("{{") else f"${{{name or '?'}}}"
        case Base64():
            return "${Fn::Base64}"
        case _:
            return f"${{{part}}}"


def _below(value: Value, key: str) -> tuple[Value, ...]:
    content = value.content
    if isinstance(content, Unknown):
        # The unknown keeps its place: one unknown object is one thing to verify.
        return (value,)
    place = value.place.under(key)
    if content is ABSENT:
        return (Value(ABSENT, value.when, place),)
    if not isinstance(content, Tree) or not isinstance(content.raw, dict):
        why = f"{describe(content)} is given where an object is expected"
        return (Value(Unknown(why), value.when, value.place),)
    if key in content.raw:
        return _placed(content.scope.resolve(content.raw[key]), value.when, place)
    if "Fn::Transform" in content.raw:
        return (Value(Unknown("Fn::Transform can add it"), value.when, place),)
    return (Value(ABSENT, value.when, place),)


def _entries(value: Value, *, nested: bool) -> Iterator[Value]:
    content = value.content
    if content is ABSENT:
        return
    if not isinstance(content, Tree) or isinstance(content.raw, dict):
        yield value
        return
    for index, raw in enumerate(content.raw):
        place = value.place.under(str(index))
        for entry in _placed(content.scope.resolve(raw), value.when, place):
            inner = entry.content
            if not isinstance(inner, Tree) or isinstance(inner.raw, dict):
                if inner is not ABSENT:
                    yield entry
            elif nested:
                # A whole list behind Fn::If is an entry of a list in many a template.
                yield from _entries(entry, nested=False)
            else:
                yield Value(Unknown("lists are nested too deeply"), entry.when, place)
