"""What names and intrinsic functions mean inside one template of a deployment."""

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from hardened_ec2.policy.template import Template
from hardened_ec2.policy.text import MAX_TEXT, normalised
from hardened_ec2.policy.values import (
    ABSENT,
    ALWAYS,
    Base64,
    Content,
    Reference,
    Resolved,
    Text,
    Tree,
    Unknown,
    When,
    as_int,
    describe,
    together,
    why_unknown,
)

if TYPE_CHECKING:
    from hardened_ec2.policy.deployment import Deployment

MAX_ALTERNATIVES: Final = 64
"""Things that one place can be before the rest of them counts as unknown."""

MAX_DEPTH: Final = 48
"""Intrinsic functions within one another before the innermost counts as unknown."""

MAX_WORK: Final = 64 * 2**20
"""Characters joined in one judgement before every further text counts as unknown."""

_PSEUDO_PARAMETERS = frozenset(
    {
        "AWS::AccountId",
        "AWS::NotificationARNs",
        "AWS::Partition",
        "AWS::Region",
        "AWS::StackId",
        "AWS::StackName",
        "AWS::URLSuffix",
    }
)

_COPIED_ATTRIBUTES = frozenset({("AWS::EC2::VPC", "CidrBlock"), ("AWS::EC2::Subnet", "CidrBlock")})
"""Attributes that return a property of the same name, unchanged."""

_VARIABLE = re.compile(r"\$\{(!?)([^${}]*)\}")

Alternatives = tuple[Resolved, ...]


@dataclass(kw_only=True)
class Budget:
    """How much text one judgement may still join: it ends, whatever the template repeats.

    Args:
        left: Characters left. Default: `MAX_WORK`.
        depth: Functions being resolved right now, one within another. Default: 0.
    """

    left: int = MAX_WORK
    depth: int = 0

    def spend(self, amount: int) -> bool:
        """Take an amount, and tell whether it was there."""
        self.left -= amount
        return self.left >= 0


class Scope:
    """One template of a deployment: resolves any piece of it to the set of what it can be.

    Args:
        template: The template.
        deployment: The templates it is deployed with.
        budget: Shared by all of them.

    Source: AWS CloudFormation Template Reference, "Intrinsic function reference" and "Pseudo
        parameters reference".

    Example:
        >>> [r.content for r in scope.resolve({"Fn::If": ["IsProd", "required", "optional"]})]
        ['required', 'optional']
    """

    def __init__(self, *, template: Template, deployment: "Deployment", budget: Budget) -> None:
        self.template = template
        self._deployment = deployment
        self._budget = budget
        self._known: dict[int, Alternatives] = {}
        self._open: set[int | str] = set()

    def resolve(self, raw: Any) -> Alternatives:  # noqa: ANN401 - decoded JSON
        """Say what a piece of the template can be.

        Args:
            raw: Any piece of this template's document, as decoded.

        Returns:
            Each thing it can be, with its circumstances: never empty, at most `MAX_ALTERNATIVES`
            and one unknown for the rest.
        """
        if isinstance(raw, dict):
            function = _function(raw)
            if function is None:
                return (Resolved(Tree(self, raw)),)
            # The document outlives the scope, so an object's id names it for good.
            known = self._known.get(id(raw))
            if known is None:
                known = self._guarded(id(raw), lambda: self._called(function, raw[function]))
                self._known[id(raw)] = known
            return known
        if isinstance(raw, str):
            if "{{resolve:" in raw:
                return (Resolved(normalised((raw,))),)
            return (Resolved(raw),)
        if isinstance(raw, list):
            return (Resolved(Tree(self, raw)),)
        if isinstance(raw, int | float):
            return (Resolved(raw),)
        return (Resolved(ABSENT if raw is None else str(raw)),)

    def condition(self, name: object, *, holds: bool = True) -> When:
        """Say what must hold for a named condition to be true, or false.

        Args:
            name: The condition's name; anything but a string is no condition.
            holds: Whether it is to be true. Default: true.

        Returns:
            The choice, told of the condition at the root of any ``Fn::Not``.
        """
        if not isinstance(name, str):
            return ALWAYS
        seen = {name}
        while True:
            body = self.template.section("Conditions").get(name)
            negated = body.get("Fn::Not") if isinstance(body, dict) and len(body) == 1 else None
            inner = negated[0] if isinstance(negated, list) and len(negated) == 1 else None
            base = inner.get("Condition") if isinstance(inner, dict) and len(inner) == 1 else None
            if not isinstance(base, str) or base in seen:
                subject = ("condition", self.template.name, name)
                return frozenset({(subject, "true" if holds else "false")})
            seen.add(base)
            name, holds = base, not holds

    def parameters_in(self, raw: Any) -> Iterator[tuple["Scope", str]]:  # noqa: ANN401
        """Find every parameter whose value can end in a piece of the template.

        Args:
            raw: Any piece of this template's document.

        Yields:
            The parameter's name with the template that declares it; for a parameter of a nested
            stack also the parameters of the parent that are passed to it.
        """
        pending: list[tuple[Scope, Any]] = [(self, raw)]
        seen: set[tuple[str, str]] = set()
        visited: set[int] = set()
        while pending:
            scope, piece = pending.pop()
            for name in _names(piece, visited):
                if (scope.template.name, name) in seen:
                    continue
                seen.add((scope.template.name, name))
                if name in scope.template.section("Parameters"):
                    yield scope, name
                    pending.extend(scope._arguments(name))

    def references_in(self, raw: Any) -> Iterator[Reference]:  # noqa: ANN401
        """Yield the resources of this template that a piece of it mentions by ``Ref``."""
        for name in _names(raw, set()):
            if name in self.template.document["Resources"]:
                yield Reference(self.template.name, name)

    def parameter(self, name: str) -> dict[str, Any]:
        """Return a parameter's declaration; empty when there is none."""
        declared = self.template.section("Parameters").get(name)
        return declared if isinstance(declared, dict) else {}

    def _guarded(self, key: int | str, resolve: Callable[[], Alternatives]) -> Alternatives:
        if key in self._open:
            return _unknown("it refers to itself")
        if self._budget.depth >= MAX_DEPTH:
            return _unknown(f"functions are nested more than {MAX_DEPTH} deep")
        self._open.add(key)
        self._budget.depth += 1
        try:
            return _capped(resolve())
        finally:
            self._budget.depth -= 1
            self._open.discard(key)

    def _called(self, function: str, argument: Any) -> Alternatives:  # noqa: ANN401
        resolve = _FUNCTIONS.get(function)
        if resolve is None:
            return _unknown(f"{function} is evaluated at deployment")
        return resolve(self, argument)

    # Names

    def _ref(self, name: Any) -> Alternatives:  # noqa: ANN401
        if not isinstance(name, str):
            return _unknown("a Ref names nothing")
        if name == "AWS::NoValue":
            return (Resolved(ABSENT),)
        if name in _PSEUDO_PARAMETERS:
            return _unknown(f"{name} is known only at deployment", name)
        if name in self.template.section("Parameters"):
            return self._guarded(f"parameter {name}", lambda: self._parameter(name))
        if name in self.template.document["Resources"]:
            return (Resolved(Reference(self.template.name, name)),)
        return _unknown(f"{name} is neither a parameter nor a resource of the template", name)

    def _parameter(self, name: str) -> Alternatives:
        declared = self.parameter(name)
        kind = declared.get("Type")
        kind = kind if isinstance(kind, str) else ""
        if kind.startswith("AWS::SSM::Parameter::"):
            return _unknown(f"parameter {name} is read from Systems Manager at deployment", name)
        passed: list[Resolved] = []
        for scope, raw in self._arguments(name):
            passed.extend(Resolved(content) for content, _ in scope.resolve(raw))
        if not passed:
            allowed = declared.get("AllowedValues")
            values = [declared["Default"]] if "Default" in declared else []
            values += allowed if isinstance(allowed, list) else []
            passed = [Resolved(v) for v in values if isinstance(v, str | int | float)]
        if not passed:
            return _unknown(f"parameter {name} has no Default and no AllowedValues", name)
        if kind == "CommaDelimitedList" or kind.startswith("List<"):
            passed = [Resolved(self._listed(content)) for content, _ in passed]
        distinct = _distinct(passed)
        if len(distinct) == 1:
            return distinct
        subject = ("parameter", self.template.name, name)
        return tuple(
            Resolved(content, frozenset({(subject, describe(content))})) for content, _ in distinct
        )

    def _listed(self, content: Content) -> Content:
        if isinstance(content, str):
            return Tree(self, [item.strip() for item in content.split(",")] if content else [])
        return content

    def _arguments(self, name: str) -> Iterator[tuple["Scope", Any]]:
        """Yield what the parents of a nested stack pass for one of its parameters."""
        for stack in self._deployment.parents(self.template.name):
            arguments = (stack.raw.get("Properties") or {}).get("Parameters")
            if isinstance(arguments, dict) and name in arguments:
                yield stack.scope, arguments[name]

    def _get_att(self, argument: Any) -> Alternatives:  # noqa: ANN401
        if isinstance(argument, str):
            argument = argument.split(".", 1)
        if not (
            isinstance(argument, list)
            and len(argument) == 2  # noqa: PLR2004 - a logical ID and an attribute
            and isinstance(argument[0], str)
        ):
            return _unknown("a Fn::GetAtt names no attribute")
        logical_id = argument[0]
        if logical_id not in self.template.document["Resources"]:
            return _unknown(f"{logical_id} is no resource of the template", logical_id)
        found: list[Resolved] = []
        for content, when in self.resolve(argument[1]):
            if isinstance(content, str):
                found.extend(self._attribute(logical_id, content, when))
            else:
                found.extend(_unknown(f"an attribute of {logical_id} is chosen at deployment"))
        return tuple(found)

    def _attribute(self, logical_id: str, attribute: str, when: When) -> Alternatives:
        reference = Reference(self.template.name, logical_id, attribute)
        if attribute.startswith("Outputs."):
            child = self._deployment.nested(reference)
            output = attribute.removeprefix("Outputs.")
            declared = child.template.section("Outputs").get(output) if child else None
            if child is not None and isinstance(declared, dict) and "Value" in declared:
                return child._guarded(
                    f"output {output}", lambda: child.resolve(declared["Value"])
                )
            return _unknown(f"the nested stack {logical_id} is not among the templates", logical_id)
        resource = self.template.resources.get(logical_id, {})
        properties = resource.get("Properties")
        if (
            (resource.get("Type"), attribute) in _COPIED_ATTRIBUTES
            and isinstance(properties, dict)
            and attribute in properties
        ):
            return self.resolve(properties[attribute])
        return (Resolved(reference, when),)

    def _import_value(self, argument: Any) -> Alternatives:  # noqa: ANN401
        found: list[Resolved] = []
        for content, when in self.resolve(argument):
            exported = None if isinstance(content, Tree) else self._deployment.exported(str(content))
            if exported is None or isinstance(content, Unknown):
                found.append(
                    Resolved(Unknown(f"{describe(content)} is exported by no template given"), when)
                )
                continue
            scope, raw = exported
            resolved = scope._guarded(f"export {content}", lambda s=scope, r=raw: s.resolve(r))
            found.extend(_under(when, resolved))
        return tuple(found)

    # Choices

    def _if(self, argument: Any) -> Alternatives:  # noqa: ANN401
        if not isinstance(argument, list) or len(argument) != 3:  # noqa: PLR2004
            return _unknown("a Fn::If has not three arguments")
        name, yes, no = argument
        return tuple(
            resolved
            for holds, arm in ((True, yes), (False, no))
            for resolved in _under(self.condition(name, holds=holds), self.resolve(arm))
        )

    def _find_in_map(self, argument: Any) -> Alternatives:  # noqa: ANN401
        if not isinstance(argument, list) or not 3 <= len(argument) <= 4:  # noqa: PLR2004
            return _unknown("a Fn::FindInMap has not three arguments")
        found: list[Resolved] = []
        levels: list[tuple[Any, When]] = [(self.template.section("Mappings"), ALWAYS)]
        for key in argument[:3]:
            levels = [
                (level[name], joined)
                for level, when in levels
                if isinstance(level, dict)
                for content, circumstance in self.resolve(key)
                if (joined := together(when, circumstance)) is not None
                # A key that is not known picks any entry: all of them are what it can be.
                for name in ([content] if isinstance(content, str | int) else level)
                if name in level
            ]
        for level, when in levels:
            found.extend(_under(when, self.resolve(level)))
        if len(argument) == 4 and isinstance(argument[3], dict):  # noqa: PLR2004
            found.extend(self.resolve(argument[3].get("DefaultValue")))
        return tuple(found) or _unknown("a Fn::FindInMap finds nothing")

    def _select(self, argument: Any) -> Alternatives:  # noqa: ANN401
        if not isinstance(argument, list) or len(argument) != 2:  # noqa: PLR2004
            return _unknown("a Fn::Select has not two arguments")
        found: list[Resolved] = []
        for position, when in self.resolve(argument[0]):
            index = as_int(position)
            for entries, circumstance in self._lists(argument[1]):
                joined = together(when, circumstance)
                if joined is None:
                    continue
                if entries is None or index is None:
                    found.append(
                        Resolved(Unknown("a Fn::Select chooses at deployment"), joined)
                    )
                elif 0 <= index < len(entries):
                    scope, raw = entries[index]
                    found.extend(_under(joined, scope.resolve(raw)))
        return tuple(found) or _unknown("a Fn::Select selects nothing")

    # Text

    def _base64(self, argument: Any) -> Alternatives:  # noqa: ANN401
        return tuple(
            Resolved(
                content
                if content is ABSENT
                else Base64(content)
                if isinstance(content, str | Text | Unknown | Reference)
                else Base64(Unknown(f"{describe(content)} stands where text belongs")),
                when,
            )
            for content, when in self.resolve(argument)
        )

    def _join(self, argument: Any) -> Alternatives:  # noqa: ANN401
        if (
            not isinstance(argument, list)
            or len(argument) != 2  # noqa: PLR2004
            or not isinstance(argument[0], str)
        ):
            return _unknown("a Fn::Join has not a delimiter and a list")
        delimiter = argument[0]
        found: list[Resolved] = []
        for entries, when in self._lists(argument[1]):
            if entries is None:
                found.append(Resolved(Unknown("a Fn::Join joins a list known at deployment"), when))
                continue
            pieces = [scope.resolve(raw) for scope, raw in entries]
            found.extend(_under(when, self._concatenated(pieces, delimiter)))
        return tuple(found)

    def _sub(self, argument: Any) -> Alternatives:  # noqa: ANN401
        variables: Any = {}
        if isinstance(argument, list) and len(argument) == 2:  # noqa: PLR2004
            argument, variables = argument
        if not isinstance(argument, str) or not isinstance(variables, dict):
            return _unknown("a Fn::Sub has no text")
        pieces: list[Alternatives] = []
        end = 0
        for match in _VARIABLE.finditer(argument):
            pieces.append((Resolved(argument[end : match.start()]),))
            end = match.end()
            escaped, name = match.group(1), match.group(2).strip()
            if escaped:
                pieces.append((Resolved("${" + match.group(2) + "}"),))
            elif name in variables:
                pieces.append(self.resolve(variables[name]))
            elif "." in name:
                pieces.append(self._get_att(name))
            else:
                pieces.append(self._ref(name))
        pieces.append((Resolved(argument[end:]),))
        return self._concatenated(pieces, "")

    def _split(self, argument: Any) -> Alternatives:  # noqa: ANN401
        if (
            not isinstance(argument, list)
            or len(argument) != 2  # noqa: PLR2004
            or not isinstance(argument[0], str)
            or not argument[0]
        ):
            return _unknown("a Fn::Split has not a delimiter and a text")
        return tuple(
            Resolved(
                Tree(self, list(content.split(argument[0])))
                if isinstance(content, str)
                else Unknown(f"a Fn::Split splits what is known at deployment: {why_unknown(content)}"),
                when,
            )
            for content, when in self.resolve(argument[1])
        )

    def _cidr(self, argument: Any) -> Alternatives:  # noqa: ANN401
        if not isinstance(argument, list) or not 2 <= len(argument) <= 3:  # noqa: PLR2004
            return _unknown("a Fn::Cidr has not two or three arguments")
        arguments = [self.resolve(raw)[0].content for raw in argument]
        single = all(len(self.resolve(raw)) == 1 for raw in argument)
        bits = as_int(arguments[2]) if len(arguments) > 2 else 8  # noqa: PLR2004
        count = as_int(arguments[1])
        block = arguments[0]
        if not single or bits is None or count is None or not isinstance(block, str):
            return _unknown("a Fn::Cidr is computed at deployment")
        try:
            network = ipaddress.ip_network(block)
            subnets = network.subnets(new_prefix=network.max_prefixlen - bits)
            blocks = [str(subnet) for subnet in islice(subnets, max(0, min(count, 256)))]
        except ValueError:
            return _unknown(f"a Fn::Cidr cannot cut {block!r}")
        return (Resolved(Tree(self, blocks)),)

    def _lists(
        self, raw: Any  # noqa: ANN401
    ) -> Iterator[tuple[Sequence[tuple["Scope", Any]] | None, When]]:
        """Yield each list that a piece can be, as pieces with their scopes; none: unknown."""
        for content, when in self.resolve(raw):
            if isinstance(content, Tree) and isinstance(content.raw, list):
                scope = content.scope
                assert isinstance(scope, Scope)  # noqa: S101 - scopes make all trees
                yield [(scope, entry) for entry in content.raw], when
            else:
                yield None, when

    def _concatenated(self, pieces: Iterable[Alternatives], delimiter: str) -> Alternatives:
        """Join pieces in every combination, or so many that each alternative is in one."""
        partial: list[tuple[list[Content], When]] = [([], ALWAYS)]
        pieces = list(pieces)
        for piece in pieces:
            if len(piece) == 1 and not piece[0].when:
                for contents, _ in partial:
                    contents.append(piece[0].content)
                continue
            partial = [
                ([*contents, content], joined)
                for contents, when in partial
                for content, circumstance in piece
                if (joined := together(when, circumstance)) is not None
            ]
            if len(partial) > MAX_ALTERNATIVES:
                return self._covered(pieces, delimiter)
        return _distinct(
            Resolved(self._text(contents, delimiter), when) for contents, when in partial
        ) or _unknown("conditions of a text exclude each other")

    def _covered(self, pieces: Sequence[Alternatives], delimiter: str) -> Alternatives:
        # A secret or an open range must not hide in the combination that was not tried: turn by
        # turn every alternative of every piece is in one of the texts. What they can be *together*
        # stays unknown, and is said to be.
        return (
            *(
                Resolved(self._text([piece[n % len(piece)].content for piece in pieces], delimiter))
                for n in range(max(len(piece) for piece in pieces))
            ),
            *_unknown(f"it can be more than {MAX_ALTERNATIVES} texts"),
        )

    def _text(self, contents: Iterable[Content], delimiter: str) -> Content:
        parts: list[str | Unknown | Reference | Base64] = []
        length = 0
        present = [content for content in contents if content is not ABSENT]
        for position, content in enumerate(present):
            if position and delimiter:
                parts.append(delimiter)
            match content:
                case Text():
                    parts.extend(content.parts)
                case bool():
                    parts.append(str(content).lower())
                case int() | float():
                    parts.append(str(content))
                case str() | Unknown() | Reference() | Base64():
                    parts.append(content)
                case _:
                    parts.append(Unknown(f"{describe(content)} stands where text belongs"))
        length = sum(len(part) if isinstance(part, str) else 1 for part in parts)
        if length > MAX_TEXT or not self._budget.spend(length):
            return Unknown("the text is too long to follow")
        return normalised(parts)


_FUNCTIONS: Final[dict[str, Callable[[Scope, Any], Alternatives]]] = {
    "Ref": Scope._ref,
    "Fn::Base64": Scope._base64,
    "Fn::Cidr": Scope._cidr,
    "Fn::FindInMap": Scope._find_in_map,
    "Fn::GetAtt": Scope._get_att,
    "Fn::If": Scope._if,
    "Fn::ImportValue": Scope._import_value,
    "Fn::Join": Scope._join,
    "Fn::Select": Scope._select,
    "Fn::Split": Scope._split,
    "Fn::Sub": Scope._sub,
}


def _function(raw: dict[str, Any]) -> str | None:
    """Name the intrinsic function that an object calls; none when it is a plain object."""
    if len(raw) == 1:
        key = next(iter(raw))
        if key == "Ref" or (
            isinstance(key, str) and key.startswith("Fn::") and key != "Fn::Transform"
        ):
            return key
    return None


def _names(raw: Any, visited: set[int]) -> Iterator[str]:  # noqa: ANN401
    """Yield the names whose values can end in a piece, however deep."""
    pending = [raw]
    while pending:
        piece = pending.pop()
        if isinstance(piece, list):
            pending.extend(piece)
        elif isinstance(piece, dict) and id(piece) not in visited:
            visited.add(id(piece))
            for key, inner in piece.items():
                if key == "Ref" and isinstance(inner, str):
                    yield inner
                elif key == "Fn::Sub":
                    text = inner[0] if isinstance(inner, list) and inner else inner
                    if isinstance(text, str):
                        yield from (
                            match.group(2).strip()
                            for match in _VARIABLE.finditer(text)
                            if not match.group(1)
                        )
                    pending.append(inner)
                elif key != "Fn::FindInMap":
                    # The keys of a mapping choose a value; they do not end in it.
                    pending.append(inner)


def _unknown(why: str, name: str = "") -> Alternatives:
    return (Resolved(Unknown(why, name)),)


def _under(when: When, alternatives: Iterable[Resolved]) -> Iterator[Resolved]:
    for content, circumstance in alternatives:
        joined = together(when, circumstance)
        if joined is not None:
            yield Resolved(content, joined)


def _distinct(alternatives: Iterable[Resolved]) -> Alternatives:
    return tuple(dict.fromkeys(alternatives))


def _capped(alternatives: Alternatives) -> Alternatives:
    if not alternatives:
        return _unknown("its conditions exclude each other")
    if len(alternatives) <= MAX_ALTERNATIVES:
        return alternatives
    return (
        *alternatives[:MAX_ALTERNATIVES],
        Resolved(Unknown(f"it can be more than {MAX_ALTERNATIVES} things")),
    )
