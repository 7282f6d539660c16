"""The roles of servers, and every policy that applies to them, from wherever it is attached."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from hardened_ec2.policy.facts.servers import Server
from hardened_ec2.policy.resolve.deployment import Deployment, Resource
from hardened_ec2.policy.resolve.values import ABSENT, PLAIN, Text, Tree, Unknown, Value, describe

ROLE: Final = "AWS::IAM::Role"
INSTANCE_PROFILE: Final = "AWS::IAM::InstanceProfile"
_MANAGED_POLICY = "AWS::IAM::ManagedPolicy"
_POLICY = "AWS::IAM::Policy"
_ROLE_POLICY = "AWS::IAM::RolePolicy"


@dataclass(frozen=True, kw_only=True, slots=True)
class AttachedPolicy:
    """A managed policy that the templates do not hold, attached by ARN.

    Args:
        arn: The ARN as far as it is known.
        value: Where it is attached.
    """

    arn: str
    value: Value


class Roles:
    """The roles, instance profiles and IAM policies of a deployment.

    Args:
        deployment: The templates.

    Source: AWS CloudFormation Template Reference, ``AWS::IAM::Role``, ``AWS::IAM::Policy``,
        ``AWS::IAM::RolePolicy``, ``AWS::IAM::ManagedPolicy``, ``AWS::IAM::InstanceProfile``.

    Example:
        >>> [role.logical_id for role in Roles(deployment).of_instances()]
        ['ServerRole']
    """

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._statements: dict[tuple[str, str], tuple[Value, ...]] = {}

    def of_instances(self) -> tuple[Resource, ...]:
        """List the roles that an instance profile gives to instances, or that trust EC2.

        A role that trusts EC2 is made for servers, wherever its instance profile is made.
        """
        return self._of_instances

    @cached_property
    def _of_instances(self) -> tuple[Resource, ...]:
        named = (self._named(entry, ROLE, self._role_names) for entry in self._profile_roles())
        trusting = filter(_trusts_ec2, self._deployment.resources(ROLE))
        return tuple({role.key: role for role in (*named, *trusting) if role is not None}.values())

    def of_profile(self, profile: Value) -> Resource | None:
        """Return the role of the instance profile that a value names; none when it is not known."""
        found = None
        for inner in (profile, *profile.at("Name"), *profile.at("Arn")):
            found = found or self._named(inner, INSTANCE_PROFILE, self._profile_names)
        if found is None:
            return None
        for value in found.properties.at("Roles"):
            for entry in value.entries():
                return self._named(entry, ROLE, self._role_names)
        return None

    def may_anything(self, role: Resource) -> bool:
        """Whether a role has any policy."""
        return any(self.statements(role)) or any(self.managed(role))

    def outside(self, servers: Iterable[Server]) -> Iterator[Value]:
        """Yield the profiles of servers, and the roles of profiles, that the templates do not hold.

        Args:
            servers: The servers.

        Yields:
            Where the profile or the role is named.
        """
        for server in servers:
            for value in server.at("IamInstanceProfile"):
                # A launch template wraps the name or the ARN; an instance gives the name alone.
                wrapped = isinstance(value.content, Tree)
                inner = (*value.at("Name"), *value.at("Arn")) if wrapped else (value,)
                for profile in inner:
                    if (
                        profile.content is not ABSENT
                        and self._named(profile, INSTANCE_PROFILE, self._profile_names) is None
                    ):
                        yield profile
        for entry in self._profile_roles():
            if self._named(entry, ROLE, self._role_names) is None:
                yield entry

    def statements(self, role: Resource) -> tuple[Value, ...]:
        """List the statements of every policy document that applies to a role; see `documents`."""
        known = self._statements.get(role.key)
        if known is None:
            found = (s for document in self.documents(role) for s in statements(document))
            known = self._statements[role.key] = tuple(found)
        return known

    def documents(self, role: Resource) -> Iterator[Value]:
        """Yield the policy documents that apply to a role, in the templates.

        Args:
            role: The role.

        Yields:
            Each document in each thing it can be; unknown where it cannot be read.
        """
        for policies in role.properties.at("Policies"):
            for policy in policies.entries():
                yield from policy.at("PolicyDocument")
        for value in role.properties.at("ManagedPolicyArns"):
            for entry in value.entries():
                managed = self._deployment.find(entry.content)
                if managed is not None and managed.type == _MANAGED_POLICY:
                    yield from managed.properties.at("PolicyDocument")
        for attached in self._attached.get(role.key, ()):
            yield from attached.properties.at("PolicyDocument")

    def managed(self, role: Resource) -> Iterator[AttachedPolicy]:
        """Yield the managed policies attached to a role that the templates do not hold."""
        for value in role.properties.at("ManagedPolicyArns"):
            for entry in value.entries():
                if self._deployment.find(entry.content) is None:
                    content = entry.content
                    arn = str(content) if isinstance(content, str | Text) else describe(content)
                    yield AttachedPolicy(arn=arn, value=entry)

    @cached_property
    def _attached(self) -> dict[tuple[str, str], list[Resource]]:
        found: dict[tuple[str, str], list[Resource]] = {}
        for policy in self._deployment.resources(_POLICY, _MANAGED_POLICY, _ROLE_POLICY):
            key = "RoleName" if policy.type == _ROLE_POLICY else "Roles"
            for value in policy.properties.at(key):
                for entry in value.entries():
                    role = self._named(entry, ROLE, self._role_names)
                    if role is not None:
                        found.setdefault(role.key, []).append(policy)
        return found

    @cached_property
    def _role_names(self) -> dict[str, Resource]:
        return self._names(ROLE, "RoleName")

    @cached_property
    def _profile_names(self) -> dict[str, Resource]:
        return self._names(INSTANCE_PROFILE, "InstanceProfileName")

    def _names(self, kind: str, key: str) -> dict[str, Resource]:
        return {
            value.content: resource
            for resource in self._deployment.resources(kind)
            for value in resource.properties.at(key)
            if isinstance(value.content, str)
        }

    def _profile_roles(self) -> Iterator[Value]:
        for profile in self._deployment.resources(INSTANCE_PROFILE):
            for value in profile.properties.at("Roles"):
                yield from value.entries()

    def _named(self, entry: Value, kind: str, names: dict[str, Resource]) -> Resource | None:
        if isinstance(entry.content, str):
            return names.get(entry.content)
        found = self._deployment.find(entry.content)
        return found if found is not None and found.type == kind else None


def statements(document: Value) -> Iterator[Value]:
    """Yield the statements of a policy document.

    Args:
        document: The document: an object, or its JSON text.

    Yields:
        Each statement in each thing it can be; unknown where it cannot be read.

    Source: AWS IAM User Guide, "IAM JSON policy elements: Statement".

    Example:
        >>> document = Value('{"Statement": [{"Effect": "Allow", "Action": "s3:GetObject"}]}')
        >>> [effect.content for each in statements(document) for effect in each.at("Effect")]
        ['Allow']
    """
    content = document.content
    if isinstance(content, str):
        document = _parsed(document, content)
    for statement in document.at("Statement"):
        yield from statement.entries()


def texts(statement: Value, key: str) -> tuple[Value, ...]:
    """Return what an element of a statement holds, one text or a list of them.

    Args:
        statement: The statement.
        key: The element, such as ``Action``.

    Returns:
        Every entry that it can hold; empty when the element is absent.
    """
    return tuple(
        joined
        for value in statement.at(key)
        for entry in value.entries()
        if entry.content is not ABSENT and (joined := entry.under(statement.when)) is not None
    )


def is_ec2(principal: str) -> bool:
    """Whether a service principal is EC2, in any partition.

    Args:
        principal: The principal, unknown parts as ``${Name}``.

    Returns:
        Whether it is.

    Source: AWS IAM User Guide, "AWS JSON policy elements: Principal".

    Example:
        >>> is_ec2("ec2.amazonaws.com.cn")
        True
    """
    return principal.startswith(("ec2.amazonaws.com", "ec2.${"))


def _trusts_ec2(role: Resource) -> bool:
    return any(
        isinstance(entry.content, str | Text) and is_ec2(str(entry.content))
        for document in role.properties.at("AssumeRolePolicyDocument")
        for statement in statements(document)
        for principal in statement.at("Principal")
        if isinstance(principal.content, Tree) and isinstance(principal.content.raw, dict)
        for entry in texts(principal, "Service")
    )


def _parsed(document: Value, text: str) -> Value:
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError):
        raw = None
    if not isinstance(raw, dict):
        return Value(
            Unknown("the policy document is not a JSON object"), document.when, document.place
        )
    return Value(Tree(PLAIN, raw), document.when, document.place)
