"""Permissions of a role, statement by statement, and those that lead to further permissions."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

from hardened_ec2.policy.facts.roles import Roles, texts
from hardened_ec2.policy.facts.servers import Kind
from hardened_ec2.policy.resolve.deployment import Deployment, Resource
from hardened_ec2.policy.resolve.values import ABSENT, Reference, Text, Value, why_unknown

ESCALATIONS: Final = frozenset(
    {
        "cloudformation:UpdateStack",
        "ec2-instance-connect:SendSSHPublicKey",
        "ec2-instance-connect:SendSerialConsoleSSHPublicKey",
        "glue:UpdateDevEndpoint",
        "iam:AddUserToGroup",
        "iam:AttachGroupPolicy",
        "iam:AttachRolePolicy",
        "iam:AttachUserPolicy",
        "iam:CreateAccessKey",
        "iam:CreateLoginProfile",
        "iam:CreatePolicyVersion",
        "iam:DeleteRolePermissionsBoundary",
        "iam:DeleteRolePolicy",
        "iam:PutGroupPolicy",
        "iam:PutRolePermissionsBoundary",
        "iam:PutRolePolicy",
        "iam:PutUserPolicy",
        "iam:SetDefaultPolicyVersion",
        "iam:UpdateAssumeRolePolicy",
        "iam:UpdateLoginProfile",
        "lambda:UpdateFunctionCode",
        "lambda:UpdateFunctionConfiguration",
        "ssm:CreateAssociation",
        "ssm:SendCommand",
        "ssm:StartSession",
        "sts:AssumeRole",
    }
)
"""Actions that alone escalate a role's privileges or take over another one.

From the privilege escalation methods that Rhino Security Labs published and cloudsplaining checks,
with those that reach other servers, and cloudformation:UpdateStack, which changes resources under
the role that the stack was given.
"""

PASS_ROLE: Final = "iam:PassRole"  # noqa: S105 - an action

LAUNCHERS: Final = frozenset(
    {
        "apprunner:CreateService",
        "autoscaling:CreateLaunchConfiguration",
        "cloudformation:CreateStack",
        "codebuild:CreateProject",
        "datapipeline:CreatePipeline",
        "ec2:AssociateIamInstanceProfile",
        "ec2:ReplaceIamInstanceProfileAssociation",
        "ec2:RunInstances",
        "ecs:RunTask",
        "glue:CreateDevEndpoint",
        "lambda:CreateFunction",
        "sagemaker:CreateNotebookInstance",
        "sagemaker:CreateProcessingJob",
        "states:CreateStateMachine",
    }
)
"""Actions that run code under a role that is passed to them: with `PASS_ROLE`, under any role."""

OWN_METADATA: Final = frozenset(
    {
        "ec2:AssociateAddress",
        "ec2:AuthorizeSecurityGroupIngress",
        "ec2:ModifyInstanceAttribute",
        "ec2:ModifyInstanceMetadataDefaults",
        "ec2:ModifyInstanceMetadataOptions",
        "ec2:ModifyNetworkInterfaceAttribute",
        "ec2:ModifySecurityGroupRules",
    }
)
"""Actions by which a server undoes its own hardening: metadata options, user data, groups."""

READS: Final = frozenset(
    {
        "s3:GetObject",
        "secretsmanager:BatchGetSecretValue",
        "secretsmanager:GetSecretValue",
        "ssm:GetParameter",
        "ssm:GetParameters",
        "ssm:GetParametersByPath",
    }
)
"""Actions that read secrets and stored data: on anything, those of everyone in the account.

From the data exfiltration actions that cloudsplaining checks.
"""

_KNOWN: Final = tuple(sorted(ESCALATIONS | LAUNCHERS | OWN_METADATA | READS | {PASS_ROLE}))

_ANY_RESOURCE = re.compile(r"[*?]*\*[*?:]*|arn:[*?:/]*\*[*?:/]*")
_VARIABLE = re.compile(r"\$\{[^}]*\}")
_ANY_OF_A_KIND = re.compile(
    r"arn:[^:]*:(?:cloudformation|ec2|glue|iam|lambda|secretsmanager|ssm|sts|[*?]+):.*:(?:[\w-]+[/:])?[*?]*\*[*?]*"
    r"|arn:[^:]*:s3:::\*(?:/\*)?",
    re.DOTALL,
)
"""All resources of one type, as in ``arn:aws:iam::*:role/*``, of a service named above."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Grant:
    """One action, or a pattern of actions, that a statement allows.

    Args:
        action: The pattern, unknown parts as ``${Name}``.
        value: The action in its place.
        statement: Its statement.
        conditional: Whether the statement has a condition, which may narrow it to nothing, in every
            deployment.
        reaches_anything: Whether it is for all resources, or for all but some.
        reaches_wide: Whether it is for all resources of a type, or for the role or server itself.
        covers: The actions known to this module that it allows.
    """

    action: str
    value: Value
    statement: Value
    conditional: bool
    reaches_anything: bool
    reaches_wide: bool
    covers: frozenset[str]


def pattern(value: Value) -> str:
    """Spell an action or a resource, unknown parts as ``${Name}``; empty when it is not text."""
    content = value.content
    return str(content) if isinstance(content, str | Text) else ""


def allowing(role: Resource, roles: Roles) -> Iterator[Value]:
    """Yield the statements that allow something to a role; unknown ones too."""
    for statement in roles.statements(role):
        denies = all(effect.content == "Deny" for effect in statement.at("Effect"))
        if why_unknown(statement.content) is not None or not denies:
            yield statement


def grants(role: Resource, roles: Roles, deployment: Deployment) -> tuple[Grant, ...]:
    """List what a role is granted, less what is denied to it everywhere.

    Args:
        role: The role.
        roles: The identity side of the deployment.
        deployment: Where the resources of statements are looked up.

    Returns:
        A grant for each action of each statement that can be read. An action is left out where a
        statement without condition denies it on everything.

    Source: AWS IAM User Guide, "Policy evaluation logic": an explicit deny overrides every allow.

    Example:
        >>> roles = Roles(deployment)
        >>> (role,) = roles.of_instances()
        >>> [grant.action for grant in grants(role, roles, deployment)]
        ['s3:GetObject']
    """
    denied = _denied(role, roles)
    found: list[Grant] = []
    for statement in allowing(role, roles):
        if why_unknown(statement.content) is not None:
            continue
        anything = reaches_anything(statement)
        wide = anything or _reaches_wide(statement, role, deployment)
        conditional = all(value.content is not ABSENT for value in statement.at("Condition"))
        for action, covers in _actions(statement):
            found.append(
                Grant(
                    action=pattern(action),
                    value=action,
                    statement=statement,
                    conditional=conditional,
                    reaches_anything=anything,
                    reaches_wide=wide,
                    covers=covers - denied,
                )
            )
    return tuple(found)


def reaches_anything(statement: Value) -> bool:
    """Whether a statement is for all resources, or for all but some."""
    return bool(texts(statement, "NotResource")) or any(
        _ANY_RESOURCE.fullmatch(pattern(resource)) for resource in texts(statement, "Resource")
    )


def _actions(statement: Value) -> Iterator[tuple[Value, frozenset[str]]]:
    for action in texts(statement, "Action"):
        yield action, matched(pattern(action))
    excepted = texts(statement, "NotAction")
    if excepted:
        yield excepted[0], frozenset(_KNOWN) - _all_matched(excepted)


def _all_matched(actions: Iterable[Value]) -> frozenset[str]:
    return frozenset(known for action in actions for known in matched(pattern(action)))


def _denied(role: Resource, roles: Roles) -> frozenset[str]:
    denied: set[str] = set()
    for statement in roles.statements(role):
        if (
            all(effect.content == "Deny" for effect in statement.at("Effect"))
            and not statement.when
            and reaches_anything(statement)
            and not texts(statement, "NotResource")
            and all(value.content is ABSENT for value in statement.at("Condition"))
        ):
            denied |= _all_matched(a for a in texts(statement, "Action") if not a.when)
    return frozenset(denied)


@cache
def matched(action: str) -> frozenset[str]:
    """Return the actions known to this module that a pattern matches.

    Args:
        action: A pattern as IAM reads it: ``*`` any text, ``?`` any character, in any case.

    Returns:
        The actions in the spelling of this module.

    Example:
        >>> sorted(matched("iam:pass*"))
        ['iam:PassRole']
    """
    wildcards = re.escape(action).replace(r"\*", ".*").replace(r"\?", ".")
    compiled = re.compile(wildcards, re.IGNORECASE | re.DOTALL)
    return frozenset(known for known in _KNOWN if compiled.fullmatch(known))


def _reaches_wide(statement: Value, role: Resource, deployment: Deployment) -> bool:
    return any(
        _ANY_OF_A_KIND.fullmatch(_VARIABLE.sub("-", pattern(resource)))
        or _is_own(resource, role, deployment)
        for resource in texts(statement, "Resource")
    )


def _is_own(value: Value, role: Resource, deployment: Deployment) -> bool:
    """Whether a resource is the role itself, or a server."""
    content = value.content
    parts = content.parts if isinstance(content, Text) else (content,)
    for part in parts:
        resource = deployment.find(part) if isinstance(part, Reference) else None
        if resource is not None and (resource is role or resource.type == Kind.INSTANCE):
            return True
    return False
