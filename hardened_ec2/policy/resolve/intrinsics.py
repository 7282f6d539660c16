"""What each intrinsic function can return, given what its arguments can be."""

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final, Protocol

from hardened_ec2.policy.resolve.scenarios import ALWAYS, When, together
from hardened_ec2.policy.resolve.text import Budget, concatenated
from hardened_ec2.policy.resolve.values import (
    ABSENT,
    Alternatives,
    Base64,
    Content,
    Reference,
    Resolved,
    Resolver,
    Text,
    Tree,
    Unknown,
    as_int,
    describe,
    under,
    unknown,
    why_unknown,
)

VARIABLE: Final = re.compile(r"\$\{(!?)([^${}]*)\}")
"""A variable of ``Fn::Sub``: a mark when it is escaped, and its name."""

MAX_CIDR_BLOCKS: Final = 256
"""Blocks that ``Fn::Cidr`` returns at most."""

_PAIR = 2
_TRIPLE = 3


class Names(Resolver, Protocol):
    """What names mean in the template that calls a function."""

    @property
    def budget(self) -> Budget:
        """The limits of the judgement."""

    @property
    def mappings(self) -> dict[str, Any]:
        """The ``Mappings`` section."""

    def named(self, name: str) -> Alternatives:
        """Return what a ``Ref`` to a name can be."""

    def attribute(self, logical_id: str, attribute: str) -> Alternatives:
        """Return what an attribute of a resource can be."""

    def imported(self, name: Content) -> Alternatives:
        """Return what ``Fn::ImportValue`` of an export's name can be."""

    def condition(self, name: object, *, holds: bool = True) -> When:
        """Return the requirement that a named condition is true, or false."""


def ref(scope: Names, name: Any) -> Alternatives:  # noqa: ANN401 - decoded JSON, as everywhere here
    """Return what ``Ref`` can be."""
    return scope.named(name) if isinstance(name, str) else unknown("Ref names nothing")


def get_att(scope: Names, argument: Any) -> Alternatives:  # noqa: ANN401
    """Return what ``Fn::GetAtt`` can be, in its dotted and its list form."""
    if isinstance(argument, str):
        argument = argument.split(".", 1)
    if not _is_list(argument, _PAIR) or not isinstance(argument[0], str):
        return unknown("Fn::GetAtt names no attribute")
    logical_id, attribute = argument
    return tuple(
        resolved
        for content, when in scope.resolve(attribute)
        for resolved in under(
            when,
            scope.attribute(logical_id, content)
            if isinstance(content, str)
            else unknown(f"an attribute of {logical_id} is chosen at deployment"),
        )
    )


def import_value(scope: Names, argument: Any) -> Alternatives:  # noqa: ANN401
    """Return what ``Fn::ImportValue`` can be, from the exports of the templates given."""
    return tuple(
        resolved
        for content, when in scope.resolve(argument)
        for resolved in under(when, scope.imported(content))
    )


def if_(scope: Names, argument: Any) -> Alternatives:  # noqa: ANN401
    """Return both arms of ``Fn::If``, each under its condition."""
    if not _is_list(argument, _TRIPLE):
        return unknown("Fn::If does not have three arguments")
    name, yes, no = argument
    return tuple(
        resolved
        for holds, arm in ((True, yes), (False, no))
        for resolved in under(scope.condition(name, holds=holds), scope.resolve(arm))
    )


def find_in_map(scope: Names, argument: Any) -> Alternatives:  # noqa: ANN401
    """Return every entry that ``Fn::FindInMap`` can find; an unknown key finds them all."""
    if not isinstance(argument, list) or not _TRIPLE <= len(argument) <= _TRIPLE + 1:
        return unknown("Fn::FindInMap does not have three arguments")
    found: list[tuple[Any, When]] = [(scope.mappings, ALWAYS)]
    for key in argument[:_TRIPLE]:
        found = [
            (level[name], when)
            for level, before in found
            if isinstance(level, dict)
            for content, own in scope.resolve(key)
            if (when := together(before, own)) is not None
            for name in ([content] if isinstance(content, str | int) else level)
            if name in level
        ]
    alternatives = [r for level, when in found for r in under(when, scope.resolve(level))]
    if len(argument) > _TRIPLE and isinstance(argument[_TRIPLE], dict):
        alternatives.extend(scope.resolve(argument[_TRIPLE].get("DefaultValue")))
    return tuple(alternatives) or unknown("Fn::FindInMap finds nothing")


def select(scope: Names, argument: Any) -> Alternatives:  # noqa: ANN401
    """Return what ``Fn::Select`` can select."""
    if not _is_list(argument, _PAIR):
        return unknown("Fn::Select does not have two arguments")
    found: list[Resolved] = []
    for position, when in scope.resolve(argument[0]):
        index = as_int(position)
        for entries, own in _lists(scope, argument[1]):
            joined = together(when, own)
            if joined is None:
                continue
            if isinstance(entries, Unknown):
                found.append(Resolved(entries, joined))
            elif index is None:
                found.append(Resolved(Unknown("Fn::Select chooses at deployment"), joined))
            elif 0 <= index < len(entries):
                found.extend(under(joined, entries[index]()))
    return tuple(found) or unknown("Fn::Select selects nothing")


def base64(scope: Names, argument: Any) -> Alternatives:  # noqa: ANN401
    """Return what ``Fn::Base64`` encodes, not encoded."""
    return tuple(Resolved(_encoded(content), when) for content, when in scope.resolve(argument))


def join(scope: Names, argument: Any) -> Alternatives:  # noqa: ANN401
    """Return every text that ``Fn::Join`` can make."""
    if not _is_list(argument, _PAIR) or not isinstance(argument[0], str):
        return unknown("Fn::Join does not have a delimiter and a list")
    return tuple(
        resolved
        for entries, when in _lists(scope, argument[1])
        for resolved in under(
            when,
            (Resolved(entries),)
            if isinstance(entries, Unknown)
            else concatenated([entry() for entry in entries], argument[0], scope.budget),
        )
    )


def sub(scope: Names, argument: Any) -> Alternatives:  # noqa: ANN401
    """Return every text that ``Fn::Sub`` can make."""
    variables: Any = {}
    if _is_list(argument, _PAIR):
        argument, variables = argument
    if not isinstance(argument, str) or not isinstance(variables, dict):
        return unknown("Fn::Sub has no text")
    pieces: list[Alternatives] = []
    end = 0
    for match in VARIABLE.finditer(argument):
        pieces.append((Resolved(argument[end : match.start()]),))
        end = match.end()
        escaped, name = match.group(1), match.group(2).strip()
        if escaped:
            pieces.append((Resolved("${" + match.group(2) + "}"),))
        elif name in variables:
            pieces.append(scope.resolve(variables[name]))
        elif "." in name:
            pieces.append(get_att(scope, name))
        else:
            pieces.append(scope.named(name))
    pieces.append((Resolved(argument[end:]),))
    return concatenated(pieces, "", scope.budget)


def split(scope: Names, argument: Any) -> Alternatives:  # noqa: ANN401
    """Return every list that ``Fn::Split`` can make."""
    if not _is_list(argument, _PAIR) or not isinstance(argument[0], str) or not argument[0]:
        return unknown("Fn::Split does not have a delimiter and a text")
    return tuple(
        Resolved(
            Tree(scope, list(content.split(argument[0])))
            if isinstance(content, str)
            else Unknown(f"Fn::Split splits {describe(content)}: {why_unknown(content)}"),
            when,
        )
        for content, when in scope.resolve(argument[1])
    )


def cidr(scope: Names, argument: Any) -> Alternatives:  # noqa: ANN401
    """Return the blocks that ``Fn::Cidr`` cuts, when all its arguments are plain values."""
    if not isinstance(argument, list) or not _PAIR <= len(argument) <= _TRIPLE:
        return unknown("Fn::Cidr does not have two or three arguments")
    arguments = [scope.resolve(raw) for raw in argument]
    block, count = arguments[0][0].content, as_int(arguments[1][0].content)
    bits = as_int(arguments[2][0].content) if len(arguments) > _PAIR else 8
    if any(len(a) > 1 for a in arguments) or not isinstance(block, str) or None in (count, bits):
        return unknown("Fn::Cidr is computed at deployment")
    try:
        network = ipaddress.ip_network(block)
        subnets = network.subnets(new_prefix=network.max_prefixlen - (bits or 0))
        blocks = [str(subnet) for subnet in islice(subnets, min(count or 0, MAX_CIDR_BLOCKS))]
    except ValueError:
        return unknown(f"Fn::Cidr cannot split {block!r}")
    return (Resolved(Tree(scope, blocks)),)


FUNCTIONS: Final[Mapping[str, Callable[[Names, Any], Alternatives]]] = {
    "Ref": ref,
    "Fn::Base64": base64,
    "Fn::Cidr": cidr,
    "Fn::FindInMap": find_in_map,
    "Fn::GetAtt": get_att,
    "Fn::If": if_,
    "Fn::ImportValue": import_value,
    "Fn::Join": join,
    "Fn::Select": select,
    "Fn::Split": split,
    "Fn::Sub": sub,
}
"""The functions that are resolved, by name; every other one is evaluated at deployment."""


def called(raw: dict[str, Any]) -> str | None:
    """Name the intrinsic function that an object calls.

    Args:
        raw: An object of a template.

    Returns:
        The function, or none when it is a plain object. ``Fn::Transform`` is none: it adds to the
        object around it, which `Value.at` reports as unknown.

    Example:
        >>> called({"Ref": "Vpc"})
        'Ref'
    """
    if len(raw) == 1:
        key = next(iter(raw))
        if key == "Ref" or (
            isinstance(key, str) and key.startswith("Fn::") and key != "Fn::Transform"
        ):
            return key
    return None


def names_in(raw: Any, visited: set[int]) -> Iterator[str]:  # noqa: ANN401
    """Yield the names whose values can end in a piece of a template, however deep.

    Args:
        raw: The piece.
        visited: Ids of objects already seen; it grows, so that shared objects are read once.

    Yields:
        What ``Ref`` and ``Fn::Sub`` name; not the keys of ``Fn::FindInMap``, which choose a value
        but do not end in it.
    """
    pending = [raw]
    while pending:
        piece = pending.pop()
        if isinstance(piece, list):
            pending.extend(piece)
        elif isinstance(piece, dict) and id(piece) not in visited:
            visited.add(id(piece))
            if isinstance(piece.get("Ref"), str):
                yield piece["Ref"]
            yield from _variables(piece.get("Fn::Sub"))
            pending.extend(inner for key, inner in piece.items() if key != "Fn::FindInMap")


def _variables(argument: Any) -> Iterator[str]:  # noqa: ANN401
    text = argument[0] if isinstance(argument, list) and argument else argument
    if isinstance(text, str):
        for match in VARIABLE.finditer(text):
            if not match.group(1):
                yield match.group(2).strip()


def _is_list(argument: Any, length: int) -> bool:  # noqa: ANN401
    return isinstance(argument, list) and len(argument) == length


def _encoded(content: Content) -> Content:
    if content is ABSENT:
        return ABSENT
    if isinstance(content, str | Text | Unknown | Reference):
        return Base64(content)
    return Base64(Unknown(f"{describe(content)} is given where text is expected"))


def _lists(
    scope: Names,
    raw: Any,  # noqa: ANN401
) -> Iterator[tuple[Sequence[Callable[[], Alternatives]] | Unknown, When]]:
    """Yield each list that a piece can be, its entries to be resolved when they are called."""
    for content, when in scope.resolve(raw):
        if isinstance(content, Tree) and isinstance(content.raw, list):
            yield [_resolving(content, entry) for entry in content.raw], when
        elif isinstance(content, Unknown):
            yield content, when
        else:
            why = why_unknown(content) or f"{describe(content)} is given where a list is expected"
            yield Unknown(why), when


def _resolving(tree: Tree, raw: Any) -> Callable[[], Alternatives]:  # noqa: ANN401
    return lambda: tree.scope.resolve(raw)
