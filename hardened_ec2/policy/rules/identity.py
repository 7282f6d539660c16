"""What a server may do in the account: its role is what whoever takes the server gets."""

import re
from collections.abc import Iterator
from typing import Final

from hardened_ec2.policy.findings import Severity
from hardened_ec2.policy.roles import statements, texts
from hardened_ec2.policy.rule import (
    Case,
    Control,
    Framework,
    Outcome,
    doubtful,
    faulty,
    rule,
)
from hardened_ec2.policy.values import Text, Value, describe, why_unknown

ADMINISTRATOR_POLICIES: Final = frozenset(
    {"AdministratorAccess", "IAMFullAccess", "PowerUserAccess"}
)
"""AWS managed policies that are administration, or one step from it."""

_EVERYTHING = re.compile(r"[*?:]*\*[*?:]*")
"""An action or a resource made of wildcards only: ``*``, ``*:*``."""

_ALL_OF_IAM = re.compile(r"iam:[*?]*\*[*?]*", re.IGNORECASE)
_AWS_MANAGED = re.compile(r":iam::aws:policy/(?:[\w+=,.@-]+/)*([\w+=,.@-]+)$")
_ANY_RESOURCE = re.compile(r"\*[*?:]*|arn:\*[*?:/]*")


@rule(
    id="HardenedEc2-RoleAdministrator",
    severity=Severity.ERROR,
    fact="The role of a server cannot administer the account.",
    why=(
        "Whoever runs code on the server is its role: with administration, one flaw in one web "
        "application is the whole account."
    ),
    fix="Name the actions the server calls and the resources it calls them on.",
    references=(
        Control(Framework.SECURITY_HUB, "IAM.1"),
        Control(Framework.NIST, "AC-6(10)"),
        Control(Framework.PCI, "7.1.2"),
        Control(Framework.CONTROL_TOWER, "CT.IAM.PR.1"),
        Control(Framework.CONTROL_TOWER, "CT.IAM.PR.2"),
        Control(Framework.CDK_NAG, "AwsSolutions-IAM5"),
        Control(Framework.CDK_NAG, "IAMPolicyNoStatementsWithAdminAccess"),
        Control(Framework.CHECKOV, "CKV_AWS_62"),
        Control(Framework.CHECKOV, "CKV_AWS_63"),
        Control(Framework.CHECKOV, "CKV_AWS_274"),
        Control(Framework.CFN_NAG, "W43"),
    ),
)
def role_administrator(case: Case) -> Iterator[Outcome]:
    """Judge every statement of every policy of the roles that reach instances."""
    roles = case.roles
    for outside in roles.outside(case.servers):
        content = outside.content
        why = why_unknown(content) or f"{describe(content)} is not in the templates"
        yield doubtful(outside, f"what the role of the server may do is not known: {why}")
    for role in roles.of_instances():
        for policy in roles.managed(role):
            managed = _AWS_MANAGED.search(policy.arn)
            if managed and managed.group(1) in ADMINISTRATOR_POLICIES:
                yield faulty(
                    policy.value, f"role {role.logical_id} has the AWS policy {managed.group(1)}"
                )
            elif managed is None and why_unknown(policy.value.content) is not None:
                yield doubtful(
                    policy.value,
                    f"policy {policy.arn} of role {role.logical_id} is not in the templates",
                )
        for document in roles.documents(role):
            for statement in statements(document):
                yield from _judged(statement, role.logical_id)


def _judged(statement: Value, role: str) -> Iterator[Outcome]:
    why = why_unknown(statement.content)
    if why is not None:
        yield doubtful(statement, f"a policy of role {role} is not known: {why}")
        return
    if all(effect.content == "Deny" for effect in statement.at("Effect")):
        return
    if not _reaches_anything(statement):
        return
    for action in texts(statement, "Action"):
        text = _pattern(action)
        if _EVERYTHING.fullmatch(text) or _ALL_OF_IAM.fullmatch(text):
            yield faulty(action, f"role {role} may do {describe(action.content)} on everything")
        elif not isinstance(action.content, str | Text):
            yield doubtful(
                action, f"an action of role {role} is not known: {why_unknown(action.content)}"
            )
    excepted = texts(statement, "NotAction")
    if excepted:
        listed = ", ".join(_pattern(action) for action in excepted[:3])
        yield faulty(
            excepted[0], f"role {role} may do everything on everything except {listed} (NotAction)"
        )


def _reaches_anything(statement: Value) -> bool:
    """Tell whether a statement is for all resources, or for all but some."""
    return bool(texts(statement, "NotResource")) or any(
        _ANY_RESOURCE.fullmatch(_pattern(resource)) for resource in texts(statement, "Resource")
    )


def _pattern(value: Value) -> str:
    content = value.content
    return str(content) if isinstance(content, str | Text) else ""
