"""One template of a deployment: what its names mean, and what each piece of it can be."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from hardened_ec2.policy.read.template import Template
from hardened_ec2.policy.resolve.intrinsics import FUNCTIONS, called, names_in
from hardened_ec2.policy.resolve.scenarios import ALWAYS, When
from hardened_ec2.policy.resolve.text import Budget, normalised
from hardened_ec2.policy.resolve.values import (
    ABSENT,
    Alternatives,
    Content,
    Reference,
    Resolved,
    Tree,
    Unknown,
    describe,
    distinct,
    unknown,
)

MAX_ALTERNATIVES: Final = 64
"""Values that one place can have before the rest of them counts as unknown."""

MAX_DEPTH: Final = 48
"""Intrinsic functions within one another before the innermost counts as unknown."""

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

Nested: TypeAlias = Callable[[Reference], "Scope | None"]
"""Finds the template that a nested stack deploys; none when it is not among those given."""

Exported: TypeAlias = Callable[[str], "tuple[Scope, str] | None"]
"""Finds an export by its name: the template that has it, and the output there."""

Parents: TypeAlias = Callable[[str], "Iterable[tuple[Scope, Mapping[str, Any]]]"]
"""Finds the nested stack resources that deploy a template, each with its own template."""

_COPIED_ATTRIBUTES = frozenset({("AWS::EC2::VPC", "CidrBlock"), ("AWS::EC2::Subnet", "CidrBlock")})
"""Attributes that return a property of the same name, unchanged."""


class Scope:
    """One template of a deployment: resolves any piece of it to the set of what it can be.

    Args:
        template: The template.
        budget: Shared by all templates of the deployment.
        nested: Finds the templates of its nested stacks.
        exported: Finds what other templates export.
        parents: Finds the nested stack resources that deploy this template.

    Source: AWS CloudFormation Template Reference, "Intrinsic function reference" and "Pseudo
        parameters reference".

    Example:
        >>> (server,) = deployment.resources("AWS::EC2::Instance")
        >>> size = {"Fn::If": ["IsProduction", "large", "micro"]}
        >>> [resolved.content for resolved in server.scope.resolve(size)]
        ['large', 'micro']
    """

    def __init__(
        self,
        *,
        template: Template,
        budget: Budget,
        nested: Nested,
        exported: Exported,
        parents: Parents,
    ) -> None:
        self.template = template
        self._budget = budget
        self._nested = nested
        self._exported = exported
        self._parents = parents
        self._known: dict[int, Alternatives] = {}
        self._open: set[int | str] = set()

    @property
    def budget(self) -> Budget:
        """The limits of the judgement, shared by all templates of the deployment."""
        return self._budget

    @property
    def mappings(self) -> dict[str, Any]:
        """The template's ``Mappings`` section."""
        return self.template.section("Mappings")

    def resolve(self, raw: Any) -> Alternatives:  # noqa: ANN401 - decoded JSON
        """Return what a piece of the template can be.

        Args:
            raw: Any piece of this template's document, as decoded.

        Returns:
            Each thing it can be, with what that requires: never empty, at most `MAX_ALTERNATIVES`
            and one unknown for the rest.
        """
        if isinstance(raw, dict):
            function = called(raw)
            if function is None:
                return (Resolved(Tree(self, raw)),)
            # The document outlives the scope, so an object's id names it for good.
            known = self._known.get(id(raw))
            if known is None:
                known = self._guarded(id(raw), lambda: self._call(function, raw[function]))
                self._known[id(raw)] = known
            return known
        if isinstance(raw, str):
            return (Resolved(normalised((raw,)) if "{{resolve:" in raw else raw),)
        if isinstance(raw, list):
            return (Resolved(Tree(self, raw)),)
        if isinstance(raw, int | float):
            return (Resolved(raw),)
        # A YAML decoder knows more types; CloudFormation reads their text.
        return (Resolved(ABSENT if raw is None else str(raw)),)

    def named(self, name: str) -> Alternatives:
        """Return what a ``Ref`` to a name can be.

        Args:
            name: A parameter, pseudo parameter or logical ID.

        Returns:
            What it can be; a `Reference` for a resource.
        """
        if name == "AWS::NoValue":
            return (Resolved(ABSENT),)
        if name in _PSEUDO_PARAMETERS:
            return unknown(f"{name} is known only at deployment", name)
        if name in self.template.section("Parameters"):
            return self._guarded(f"parameter {name}", lambda: self._parameter(name))
        if name in self.template.resources:
            return (Resolved(Reference(self.template.name, name)),)
        return unknown(f"{name} is neither a parameter nor a resource of the template", name)

    def attribute(self, logical_id: str, attribute: str) -> Alternatives:
        """Return what an attribute of a resource can be.

        Args:
            logical_id: The resource.
            attribute: The attribute; ``Outputs.Name`` of a nested stack is followed into it.

        Returns:
            What it can be; a `Reference` where only the deployment knows.
        """
        resource = self.template.resources.get(logical_id)
        if resource is None:
            return unknown(f"{logical_id} is not a resource of the template", logical_id)
        reference = Reference(self.template.name, logical_id, attribute)
        if attribute.startswith("Outputs."):
            child = self._nested(reference)
            if child is not None:
                return child.output(attribute.removeprefix("Outputs."))
        properties = resource.get("Properties")
        if (
            (resource["Type"], attribute) in _COPIED_ATTRIBUTES
            and isinstance(properties, dict)
            and attribute in properties
        ):
            return self.resolve(properties[attribute])
        return (Resolved(reference),)

    def output(self, name: str) -> Alternatives:
        """Return what an output of the template can be."""
        output = self.template.section("Outputs").get(name)
        if not isinstance(output, dict) or "Value" not in output:
            return unknown(f"{self.template.name} has no output {name}")
        return self._guarded(f"output {name}", lambda: self.resolve(output["Value"]))

    def imported(self, name: Content) -> Alternatives:
        """Return what ``Fn::ImportValue`` of an export's name can be."""
        exported = None if isinstance(name, Unknown | Tree) else self._exported(str(name))
        if exported is None:
            return unknown(f"no given template exports {describe(name)}")
        scope, output = exported
        return scope.output(output)

    def condition(self, name: object, *, holds: bool = True) -> When:
        """Return the requirement that a named condition is true, or false.

        Args:
            name: The condition's name; anything but a string is no condition.
            holds: Whether it is to be true. Default: true.

        Returns:
            The requirement, stated for the condition inside any ``Fn::Not``.
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
            for name in names_in(piece, visited):
                declared = name in scope.template.section("Parameters")
                if declared and (scope.template.name, name) not in seen:
                    seen.add((scope.template.name, name))
                    yield scope, name
                    pending.extend(scope.arguments(name))

    def references_in(self, raw: Any) -> Iterator[Reference]:  # noqa: ANN401
        """Yield the resources of this template that a piece of it mentions by ``Ref``."""
        for name in names_in(raw, set()):
            if name in self.template.resources:
                yield Reference(self.template.name, name)

    def parameter(self, name: str) -> dict[str, Any]:
        """Return a parameter's declaration; empty when there is none."""
        declared = self.template.section("Parameters").get(name)
        return declared if isinstance(declared, dict) else {}

    def arguments(self, name: str) -> Iterator[tuple["Scope", Any]]:
        """Yield what the parents of a nested stack pass for one of its parameters."""
        for scope, stack in self._parents(self.template.name):
            arguments = (stack.get("Properties") or {}).get("Parameters")
            if isinstance(arguments, dict) and name in arguments:
                yield scope, arguments[name]

    def _guarded(self, key: int | str, resolve: Callable[[], Alternatives]) -> Alternatives:
        """Resolve a piece that can refer to itself, within the limits."""
        if key in self._open:
            return unknown("it refers to itself")
        if self._budget.depth >= MAX_DEPTH:
            return unknown(f"functions are nested more than {MAX_DEPTH} deep")
        self._open.add(key)
        self._budget.depth += 1
        try:
            alternatives = resolve()
        finally:
            self._budget.depth -= 1
            self._open.discard(key)
        if not alternatives:
            return unknown("its conditions exclude each other")
        if len(alternatives) <= MAX_ALTERNATIVES:
            return alternatives
        return (
            *alternatives[:MAX_ALTERNATIVES],
            *unknown(f"it can have more than {MAX_ALTERNATIVES} values"),
        )

    def _call(self, function: str, argument: Any) -> Alternatives:  # noqa: ANN401
        resolve = FUNCTIONS.get(function)
        if resolve is None:
            return unknown(f"{function} is evaluated at deployment")
        return resolve(self, argument)

    def _parameter(self, name: str) -> Alternatives:
        declared = self.parameter(name)
        kind = declared.get("Type")
        kind = kind if isinstance(kind, str) else ""
        if kind.startswith("AWS::SSM::Parameter::"):
            return unknown(f"parameter {name} is read from Systems Manager at deployment", name)
        contents = [r.content for scope, raw in self.arguments(name) for r in scope.resolve(raw)]
        if not contents:
            allowed = declared.get("AllowedValues")
            values = [declared["Default"]] if "Default" in declared else []
            values += allowed if isinstance(allowed, list) else []
            contents = [value for value in values if isinstance(value, str | int | float)]
        if not contents:
            return unknown(f"parameter {name} has no Default and no AllowedValues", name)
        if kind == "CommaDelimitedList" or kind.startswith("List<"):
            contents = [self._listed(content) for content in contents]
        alternatives = distinct(map(Resolved, contents))
        if len(alternatives) == 1:
            return alternatives
        # A parameter has one value in a deployment: two values are never deployed together.
        subject = ("parameter", self.template.name, name)
        return tuple(
            Resolved(content, frozenset({(subject, describe(content))}))
            for content, _ in alternatives
        )

    def _listed(self, content: Content) -> Content:
        if not isinstance(content, str):
            return content
        return Tree(self, [item.strip() for item in content.split(",")] if content else [])
