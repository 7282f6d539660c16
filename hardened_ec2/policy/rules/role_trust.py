"""Trust policies of instance roles: who may assume the role of a server."""

from collections.abc import Iterator
from typing import Final

from hardened_ec2.policy.facts.privileges import pattern
from hardened_ec2.policy.facts.roles import is_ec2, statements, texts
from hardened_ec2.policy.findings import Severity
from hardened_ec2.policy.resolve.values import ABSENT, Tree, Value, describe, why_unknown
from hardened_ec2.policy.rules.case import Case
from hardened_ec2.policy.rules.role_permissions import EVERYTHING
from hardened_ec2.policy.rules.rule import (
    Control,
    Framework,
    Outcome,
    doubtful,
    faulty,
    rule,
)
from hardened_ec2.policy.rules.subjects import Subject

_EXCEPTED: Final = "NotPrincipal"


@rule(
    id="HardenedEc2-RoleTrustOpen",
    severity=Severity.ERROR,
    subject=Subject.ROLES,
    fact="The trust policy of a server's role names specific principals.",
    why=(
        "Anyone with an AWS account can assume a role that trusts everyone, and use its "
        "permissions without touching a server."
    ),
    fix='Write the principal {"Service": "ec2.amazonaws.com"} in AssumeRolePolicyDocument.',
    references=(
        Control(Framework.CHECKOV, "CKV_AWS_60"),
        Control(Framework.KICS, "f80e3aa7"),
        Control(Framework.CFN_NAG, "F2"),
    ),
)
def role_trust_open(case: Case) -> Iterator[Outcome]:
    """Report trust policies of instance roles that name everyone or use NotPrincipal."""
    for role, statement in _trust(case):
        why = why_unknown(statement.content)
        if why is not None:
            yield doubtful(statement, f"who can assume role {role} is not known: {why}")
            continue
        # One scenario without the condition is open to everyone.
        conditional = not any(_is_absent(value) for value in statement.at("Condition"))
        for principal, kind in _principals(statement):
            everyone = kind in {"", "AWS"} and EVERYTHING.fullmatch(pattern(principal))
            if kind != _EXCEPTED and not everyone:
                continue
            who = "everyone outside NotPrincipal" if kind == _EXCEPTED else "everyone"
            if conditional:
                yield doubtful(
                    principal,
                    f"whether a condition narrows who can assume role {role} ({who}) is not known",
                )
            else:
                yield faulty(principal, f"{who} can assume role {role}")


@rule(
    id="HardenedEc2-RoleTrustWide",
    severity=Severity.WARNING,
    subject=Subject.ROLES,
    fact="Only EC2 can assume a server's role.",
    why=(
        "Every other principal in the trust policy gets the server's permissions without the "
        "server, and what it does looks like the server's own activity."
    ),
    fix="Give each user, service and account a role of its own.",
    references=(Control(Framework.KICS, "f80e3aa7"),),
)
def role_trust_wide(case: Case) -> Iterator[Outcome]:
    """Report trust policies of instance roles that name another service, account or provider."""
    for role, statement in _trust(case):
        if why_unknown(statement.content) is not None:
            continue
        for principal, kind in _principals(statement):
            if kind == _EXCEPTED or EVERYTHING.fullmatch(pattern(principal)):
                continue
            why = why_unknown(principal.content)
            if kind == "Service" and is_ec2(pattern(principal)):
                continue
            if why is not None and not pattern(principal):
                yield doubtful(principal, f"who can assume role {role} is not known: {why}")
            else:
                yield faulty(
                    principal, f"{describe(principal.content)} can assume role {role}, too"
                )


def _trust(case: Case) -> Iterator[tuple[str, Value]]:
    """Yield the statements by which a principal can assume an instance role."""
    for role in case.roles.of_instances():
        for document in role.properties.at("AssumeRolePolicyDocument"):
            for statement in statements(document):
                if not all(effect.content == "Deny" for effect in statement.at("Effect")):
                    yield role.logical_id, statement


def _principals(statement: Value) -> Iterator[tuple[Value, str]]:
    """Yield the principals of a statement, each with its type."""
    for value in statement.at(_EXCEPTED):
        if not _is_absent(value):
            yield value, _EXCEPTED
    for value in statement.at("Principal"):
        if isinstance(value.content, Tree):
            for kind in ("AWS", "Service", "Federated", "CanonicalUser"):
                yield from ((entry, kind) for entry in texts(value, kind))
        elif not _is_absent(value):
            yield value, ""


def _is_absent(value: Value) -> bool:
    return value.content is ABSENT
