"""What one place of a template can be: kinds of content, and the circumstances of each.

A property of a CloudFormation template rarely *is* a value. It is one value under a condition and
another otherwise, the default of a parameter, half known text, an attribute of a resource that does
not exist yet. So every place reads as a tuple of `Value`, one for each thing it can be, and a rule
looks at all of them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import product
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

Choice: TypeAlias = tuple[tuple[str, str, str], str]
"""One thing that must hold: ((kind, template, name), choice), kind "condition" or "parameter"."""

When: TypeAlias = frozenset[Choice]
"""All that must hold together for a value to be the one deployed."""

ALWAYS: Final[When] = frozenset()

MAX_WORLDS: Final = 64
"""Combinations of conditions told apart before everything that can be is taken to be at once."""


class Absent(Enum):
    """The type of `ABSENT`."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT
"""Nothing there: the property is missing, null, or ``AWS::NoValue``."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """Something that only the deployment decides.

    Args:
        why: Why it is not known, as the end of a sentence.
        name: The parameter, pseudo parameter or dynamic reference it comes from. Default: empty,
            it has none.

    Example:
        >>> Unknown("parameter Cidr has no Default", "Cidr").name
        'Cidr'
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
        >>> Base64("#!/bin/sh").of
        '#!/bin/sh'
    """

    of: "str | Text | Unknown | Reference"


class Resolver(Protocol):
    """Whatever can say what a raw piece of a template can be."""

    def resolve(self, raw: Any) -> tuple["Resolved", ...]:  # noqa: ANN401 - decoded JSON
        """Return every thing that the raw piece can be."""


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
    """A content and its circumstances, not yet tied to a place."""

    content: Content
    when: When = ALWAYS


class Place(NamedTuple):
    """Where a value stands: template, logical ID and property path."""

    template: str
    logical_id: str
    path: str = ""

    def under(self, key: str) -> "Place":
        """Return the place one step further down."""
        return Place(self.template, self.logical_id, f"{self.path}.{key}" if self.path else key)

    def __str__(self) -> str:
        return f"{self.logical_id} {self.path}" if self.path else self.logical_id


@dataclass(frozen=True, slots=True)
class Value:
    """One thing that one place can be.

    Args:
        content: What it is.
        when: What must hold for it to be that. Default: nothing.
        place: Where it stands.

    Example:
        >>> Value("required", place=Place("app.json", "Server")).content
        'required'
    """

    content: Content
    when: When = ALWAYS
    place: Place = Place("", "")

    def at(self, *keys: str) -> tuple["Value", ...]:
        """Go down into objects.

        Args:
            keys: Property names, outermost first.

        Returns:
            Everything the property can be; content `ABSENT` where it, or an object on the way, is
            missing, and `Unknown` where an object on the way is not known.

        Example:
            >>> [v.content for v in server.properties.at("MetadataOptions", "HttpTokens")]
            ['required']
        """
        found: tuple[Value, ...] = (self,)
        for key in keys:
            found = tuple(inner for value in found for inner in value._under(key))
        return found

    def entries(self) -> tuple["Value", ...]:
        """Open a list.

        Returns:
            Everything that can be an entry of it, less what is absent. A value that is no list is
            the only entry of one, as CloudFormation reads it; an unknown list is one unknown entry.
        """
        return tuple(self._entries(nested=True))

    def _under(self, key: str) -> Iterator["Value"]:
        content, place = self.content, self.place.under(key)
        if isinstance(content, Tree) and isinstance(content.raw, dict):
            if key in content.raw:
                yield from _placed(content.scope.resolve(content.raw[key]), self.when, place)
            elif "Fn::Transform" in content.raw:
                yield Value(Unknown("a Fn::Transform can add it"), self.when, place)
            else:
                yield Value(ABSENT, self.when, place)
        elif content is ABSENT:
            yield Value(ABSENT, self.when, place)
        elif isinstance(content, Unknown):
            # The unknown stands here, not below: one unknown object is one thing to verify.
            yield self
        else:
            why = f"{describe(content)} stands where an object belongs"
            yield Value(Unknown(why), self.when, place)

    def _entries(self, *, nested: bool) -> Iterator["Value"]:
        content = self.content
        if content is ABSENT:
            return
        if not isinstance(content, Tree) or isinstance(content.raw, dict):
            yield self
            return
        for index, raw in enumerate(content.raw):
            for value in _placed(
                content.scope.resolve(raw), self.when, self.place.under(str(index))
            ):
                inner = value.content
                if isinstance(inner, Tree) and not isinstance(inner.raw, dict):
                    # A whole list behind Fn::If is an entry of a list in many a template.
                    if nested:
                        yield from value._entries(nested=False)
                    else:
                        yield Value(Unknown("lists are nested too deeply"), value.when, value.place)
                elif inner is not ABSENT:
                    yield value


def together(left: When, right: When) -> When | None:
    """Join two circumstances.

    Args:
        left: What must hold for one value.
        right: What must hold for the other.

    Returns:
        What must hold for both, or none when they exclude each other.

    Example:
        >>> yes = frozenset({(("condition", "app.json", "IsProd"), "true")})
        >>> together(yes, ALWAYS) == yes
        True
    """
    if not left or left == right:
        return right
    if not right:
        return left
    joined = left | right
    return joined if len(joined) == len({subject for subject, _ in joined}) else None


def worlds(circumstances: Iterable[When]) -> list[When | None]:
    """List the deployments that differ in the given circumstances.

    Two rules under opposite conditions are never deployed together, so their addresses must not be
    united; two under independent conditions can be, so they must.

    Args:
        circumstances: The circumstances of all values to be judged together.

    Returns:
        Each combination of choices once; the single entry none, "everything at once", when there
        would be more than `MAX_WORLDS`.

    Example:
        >>> worlds([ALWAYS])
        [frozenset()]
    """
    choices: dict[tuple[str, str, str], set[str]] = {}
    for when in circumstances:
        for subject, choice in when:
            taken = choices.setdefault(subject, set())
            taken.add(choice)
            if subject[0] == "condition":
                taken.update(("true", "false"))
    count = 1
    for options in choices.values():
        count *= len(options)
        if count > MAX_WORLDS:
            return [None]
    subjects = sorted(choices)
    return [
        frozenset(zip(subjects, picked, strict=True))
        for picked in product(*(sorted(choices[subject]) for subject in subjects))
    ]


def holds(when: When, world: When | None) -> bool:
    """Tell whether a value can be the one deployed in a world of `worlds`."""
    return world is None or together(when, world) is not None


def spelled_when(when: When) -> str:
    """Spell circumstances for a message; empty when there are none."""
    return " and ".join(
        f"condition {name} is {choice}" if kind == "condition" else f"{name} is {choice!r}"
        for (kind, _, name), choice in sorted(when)
    )


def describe(content: Content) -> str:
    """Spell a content for a message, unresolved parts as ``${Name}``."""
    match content:
        case bool():
            return str(content).lower()
        case Absent():
            return "nothing"
        case Unknown(why=why, name=name):
            return f"${{{name}}}" if name else f"a value unknown at synth ({why})"
        case Reference() | Base64():
            return _spelled(content)
        case Tree(raw=raw):
            return "an object" if isinstance(raw, dict) else "a list"
        case Text():
            return repr(str(content))
        case _:
            return repr(content)


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
    if isinstance(content, int):
        return content
    if isinstance(content, float):
        return int(content) if content.is_integer() else None
    if isinstance(content, str):
        # Python's int() would also take underscores and non-ASCII digits, which EC2 refuses, and
        # texts of any length, slowly.
        digits = content.strip()
        sign, digits = ("-", digits[1:]) if digits.startswith("-") else ("", digits)
        if digits.isascii() and digits.isdigit() and len(digits) <= 20:  # noqa: PLR2004
            return int(sign + digits)
    return None


def why_unknown(content: Content) -> str | None:
    """Say why a content is not a plain value; none when it is one."""
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


def _placed(resolved: Iterable[Resolved], when: When, place: Place) -> Iterator[Value]:
    for content, circumstance in resolved:
        joined = together(when, circumstance)
        if joined is not None:
            yield Value(content, joined, place)


def _spelled(part: Unknown | Reference | Base64) -> str:
    match part:
        case Unknown(name=name):
            return name if name.startswith("{{") else f"${{{name or '?'}}}"
        case Base64():
            return "${Fn::Base64}"
        case _:
            return f"${{{part}}}"
