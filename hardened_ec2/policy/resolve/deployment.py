"""Templates that are deployed together: nested stacks, exports, and every resource by reference."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any, Final

from hardened_ec2.policy.read.template import Template
from hardened_ec2.policy.resolve.scenarios import ALWAYS, When
from hardened_ec2.policy.resolve.scope import Scope
from hardened_ec2.policy.resolve.text import MAX_WORK, Budget
from hardened_ec2.policy.resolve.values import Place, Reference, Tree, Unknown, Value, as_bool

METADATA_KEY: Final = "hardened-ec2"
"""The key of a resource's Metadata that holds declarations for the policy."""

_STACK = "AWS::CloudFormation::Stack"


@dataclass(frozen=True, eq=False, kw_only=True)
class Resource:
    """A resource of a deployment, its properties resolved when asked for.

    Args:
        scope: Its template, which resolves the names in it.
        logical_id: Its logical ID.
        type: Its type, such as ``AWS::EC2::Instance``.
        raw: The resource as written.
        when: What must hold for it to be deployed (its ``Condition``).

    Example:
        >>> (server,) = deployment.resources("AWS::EC2::Instance")
        >>> [value.content for value in server.properties.at("InstanceType")]
        ['m7g.large', 't4g.micro']
    """

    scope: Scope
    logical_id: str
    type: str
    raw: Mapping[str, Any]
    when: When = ALWAYS

    @property
    def template(self) -> str:
        """The name of its template."""
        return self.scope.template.name

    @property
    def place(self) -> Place:
        """The resource itself as a place."""
        return Place(self.template, self.logical_id)

    @property
    def key(self) -> tuple[str, str]:
        """Template and logical ID: together unique in the deployment."""
        return (self.template, self.logical_id)

    @cached_property
    def properties(self) -> Value:
        """Its ``Properties``; an empty object when it has none."""
        return Value(
            Tree(self.scope, self.raw.get("Properties") or {}), self.when, self._under("Properties")
        )

    def declares(self, name: str) -> bool:
        """Whether its Metadata contains ``{"hardened-ec2": {name: true}}``.

        Args:
            name: The declaration, such as ``containers``.

        Returns:
            Whether it is declared as a plain value; a value that has to be resolved does not count.
        """
        declared = (self.raw.get("Metadata") or {}).get(METADATA_KEY)
        return isinstance(declared, dict) and as_bool(declared.get(name, False)) is True

    def _under(self, key: str) -> Place:
        return self.place.under(key)


class Deployment:
    """Several templates as one: what `judge` judges.

    Args:
        templates: The templates, nested stacks beside their parents, in any order.

    Raises:
        ValueError: If two templates have the same name: their findings would look alike.

    Source: AWS CloudFormation User Guide, "Split a template into reusable pieces using nested
        stacks" and "Get exported outputs from a deployed stack".

    Example:
        >>> [r.logical_id for r in Deployment([template]).resources("AWS::EC2::Instance")]
        ['Server']
    """

    def __init__(self, templates: Sequence[Template]) -> None:
        for name, times in Counter(template.name for template in templates).items():
            if times > 1:
                raise ValueError(
                    f"template {name} is given twice: give each template once, under its own name"
                )
        budget = Budget(text=MAX_WORK * max(1, len(templates)))
        self._scopes = {
            template.name: Scope(
                template=template,
                budget=budget,
                nested=self.nested,
                exported=self.exported,
                parents=self._stacks_of,
            )
            for template in sorted(templates, key=lambda template: template.name)
        }
        self._by_type: dict[str, list[Resource]] = {}
        self._by_key: dict[tuple[str, str], Resource] = {}
        for scope in self._scopes.values():
            for logical_id, raw in sorted(scope.template.resources.items()):
                resource = Resource(
                    scope=scope,
                    logical_id=logical_id,
                    type=raw["Type"],
                    raw=raw,
                    when=scope.condition(raw.get("Condition")),
                )
                self._by_type.setdefault(resource.type, []).append(resource)
                self._by_key[resource.key] = resource

    @property
    def templates(self) -> tuple[Template, ...]:
        """The templates, by name."""
        return tuple(scope.template for scope in self._scopes.values())

    def resources(self, *types: str) -> tuple[Resource, ...]:
        """List the resources of some types, by template and logical ID within a type."""
        return tuple(resource for kind in types for resource in self._by_type.get(kind, ()))

    def everything(self) -> Iterable[Resource]:
        """Return every resource."""
        return self._by_key.values()

    def find(self, content: object) -> Resource | None:
        """Return the resource that a `Reference` names; none for anything else."""
        if not isinstance(content, Reference):
            return None
        return self._by_key.get((content.template, content.logical_id))

    def exported(self, name: str) -> tuple[Scope, str] | None:
        """Return the output exported under a name, with the template that exports it."""
        return self._exports.get(name)

    def nested(self, stack: Reference) -> Scope | None:
        """Return the template that a nested stack deploys; none when it is not given."""
        return self._children.get((stack.template, stack.logical_id))

    def unfollowed_stacks(self) -> Iterable[Resource]:
        """Yield the nested stacks whose template was not given."""
        for stack in self.resources(_STACK):
            if stack.key not in self._children:
                yield stack

    @cached_property
    def _exports(self) -> dict[str, tuple[Scope, str]]:
        exports: dict[str, tuple[Scope, str]] = {}
        for scope in self._scopes.values():
            for output, declared in scope.template.section("Outputs").items():
                export = declared.get("Export") if isinstance(declared, dict) else None
                if isinstance(export, dict) and "Name" in export:
                    for name, _ in scope.resolve(export["Name"]):
                        # Most contain ${AWS::StackName}, and are compared as they are spelled.
                        if not isinstance(name, Unknown | Tree):
                            exports.setdefault(str(name), (scope, output))
        return exports

    @cached_property
    def _children(self) -> dict[tuple[str, str], Scope]:
        children: dict[tuple[str, str], Scope] = {}
        for stack in self.resources(_STACK):
            metadata = stack.raw.get("Metadata") or {}
            properties = stack.raw.get("Properties") or {}
            # The CDK uploads a nested template as an asset and notes its file beside the URL.
            for path in (metadata.get("aws:asset:path"), properties.get("TemplateURL")):
                child = self._beside(stack.template, path)
                if child is not None and child is not stack.scope:
                    children[stack.key] = child
                    break
        return children

    def _stacks_of(self, template: str) -> Iterable[tuple[Scope, Mapping[str, Any]]]:
        return [(stack.scope, stack.raw) for stack in self._parents.get(template, ())]

    @cached_property
    def _parents(self) -> dict[str, list[Resource]]:
        parents: dict[str, list[Resource]] = {}
        for key, child in self._children.items():
            parents.setdefault(child.template.name, []).append(self._by_key[key])
        return parents

    def _beside(self, template: str, path: object) -> Scope | None:
        """Find a template by its file name, the one in the same folder first."""
        if not isinstance(path, str) or not path:
            return None
        file = PurePosixPath(path.replace("\\", "/"))
        beside = str(PurePosixPath(template.replace("\\", "/")).parent / file)
        if beside in self._scopes:
            return self._scopes[beside]
        return next(
            (
                scope
                for name, scope in self._scopes.items()
                if PurePosixPath(name.replace("\\", "/")).name == file.name
            ),
            None,
        )
