"""Permissions of instance roles: what an attacker on the server may do in the account."""

import re
from collections.abc import Iterator
from typing import Final

from hardened_ec2.policy.facts.privileges import (
    ESCALATIONS,
    LAUNCHERS,
    OWN_METADATA,
    PASS_ROLE,
    READS,
    Grant,
    allowing,
    pattern,
    reaches_anything,
)
from hardened_ec2.policy.facts.roles import AttachedPolicy, texts
from hardened_ec2.policy.findings import Severity
from hardened_ec2.policy.resolve.values import Text, Value, describe, why_unknown
from hardened_ec2.policy.rules.case import Case
from hardened_ec2.policy.rules.rule import (
    Control,
    Framework,
    Outcome,
    doubtful,
    faulty,
    rule,
)
from hardened_ec2.policy.rules.subjects import Subject

ADMINISTRATOR_POLICIES: Final = frozenset(
    {"AdministratorAccess", "IAMFullAccess", "PowerUserAccess"}
)
"""AWS managed policies that give administrator access, or are one step from it."""

READING_POLICIES: Final = {
    "AmazonEC2RoleforSSM": "every object and parameter",
    "AmazonElasticMapReduceforEC2Role": "every object",
    "AmazonS3ReadOnlyAccess": "every object",
    "AmazonSSMReadOnlyAccess": "every parameter",
    "ReadOnlyAccess": "every object and parameter",
    "SecretsManagerReadWrite": "every secret",
}
"""AWS managed policies that read data of the whole account, and which data; policies of full access
are recognised by name. AmazonSSMManagedInstanceCore reads parameters too, but Systems Manager's
documentation requires it on every server; `InstanceRole` has a narrower replacement."""

EVERYTHING = re.compile(r"[*?:]*\*[*?:]*")
"""An action or a resource made of wildcards only: ``*``, ``*:*``."""

_ALL_OF_IAM = re.compile(r"iam:[*?]*\*[*?]*", re.IGNORECASE)
_ALL_OF_A_SERVICE = re.compile(r"[\w-]+:[*?]*\*[*?]*")
_AWS_MANAGED = re.compile(r":iam::aws:policy/(?:[\w+=,.@-]+/)*([\w+=,.@-]+)$")
_FIX: Final = (
    "Write the actions the server calls in Action, and the ARNs it calls them on in Resource."
)
_ESCALATION: Final = (
    Control(Framework.CHECKOV, "CKV_AWS_110"),
    Control(Framework.PROWLER, "iam_inline_policy_allows_privilege_escalation"),
)


@rule(
    id="HardenedEc2-RoleAdministrator",
    severity=Severity.ERROR,
    subject=Subject.ROLES,
    fact="A server's role cannot administer the account.",
    why=(
        "Code on the server has the permissions of its role: with administrator access, one "
        "flaw in one web application gives an attacker the whole account."
    ),
    fix=_FIX,
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
        Control(Framework.CFN_NAG, "F3"),
        Control(Framework.CFN_NAG, "W43"),
    ),
)
def role_administrator(case: Case) -> Iterator[Outcome]:
    """Judge every statement of every policy of the roles that reach instances."""
    roles = case.roles
    for outside in roles.outside(case.servers):
        content = outside.content
        why = why_unknown(content) or f"{describe(content)} is not in the templates"
        yield doubtful(outside, f"the permissions of the server's role are not known: {why}")
    for role in roles.of_instances():
        for policy in roles.managed(role):
            name = _aws_policy(policy)
            if name in ADMINISTRATOR_POLICIES:
                yield faulty(
                    policy.value, f"role {role.logical_id} has the AWS managed policy {name}"
                )
            elif not name and why_unknown(policy.value.content) is not None:
                yield doubtful(
                    policy.value,
                    f"policy {policy.arn} of role {role.logical_id} is not in the templates",
                )
        for statement in allowing(role, roles):
            yield from _judged(statement, role.logical_id)


def _aws_policy(policy: AttachedPolicy) -> str:
    """Return the name of an AWS managed policy; empty for any other policy."""
    managed = _AWS_MANAGED.search(policy.arn)
    return managed.group(1) if managed else ""


def _judged(statement: Value, role: str) -> Iterator[Outcome]:
    why = why_unknown(statement.content)
    if why is not None:
        yield doubtful(statement, f"a policy of role {role} is not known: {why}")
        return
    if not reaches_anything(statement):
        return
    for action in texts(statement, "Action"):
        text = pattern(action)
        if EVERYTHING.fullmatch(text) or _ALL_OF_IAM.fullmatch(text):
            yield faulty(action, f"role {role} allows {describe(action.content)} on all resources")
        elif not isinstance(action.content, str | Text):
            yield doubtful(
                action, f"an action of role {role} is not known: {why_unknown(action.content)}"
            )
    excepted = texts(statement, "NotAction")
    if excepted:
        listed = ", ".join(pattern(action) for action in excepted[:3])
        yield faulty(
            excepted[0],
            f"role {role} allows everything on all resources except {listed} (NotAction)",
        )


@rule(
    id="HardenedEc2-RoleEscalation",
    severity=Severity.ERROR,
    subject=Subject.ROLES,
    fact="A server's role cannot escalate its own privileges or take over another role or server.",
    why=(
        "A role that can write policies, assume any role or send commands to any server is one "
        "call away from administrator access."
    ),
    fix=(
        "Leave these actions to the deployment pipeline; where the server needs one, limit "
        "Resource to the one role, function or document it needs, and never to the server's "
        "own role."
    ),
    references=(
        *_ESCALATION,
        Control(Framework.CHECKOV, "CKV_AWS_109"),
        Control(Framework.NIST, "AC-6(10)"),
    ),
)
def role_escalation(case: Case) -> Iterator[Outcome]:
    """Report actions by which a role gains more permissions than its policies state."""
    yield from _reported(case, ESCALATIONS, "so it can escalate its privileges")


@rule(
    id="HardenedEc2-RolePassRole",
    severity=Severity.ERROR,
    subject=Subject.ROLES,
    fact="iam:PassRole is limited to named roles.",
    why=(
        "An attacker who can pass any role starts a server, a function or a stack under the "
        "most powerful role of the account, and so gains its permissions."
    ),
    fix="Write the ARNs of the roles it passes as Resource of iam:PassRole.",
    references=(
        Control(Framework.CFN_NAG, "F38"),
        Control(Framework.CHECKOV, "CKV_AWS_109"),
        *_ESCALATION,
    ),
)
def role_pass_role(case: Case) -> Iterator[Outcome]:
    """Report iam:PassRole on any role, with what the server can launch under a passed role."""
    for role in case.roles.of_instances():
        granted = case.grants(role)
        launches = sorted({action for grant in granted for action in grant.covers & LAUNCHERS})
        for grant in granted:
            if PASS_ROLE in grant.covers and grant.reaches_wide and not _is_administration(grant):
                also = f", and {', '.join(launches[:3])} to use it" if launches else ""
                yield _narrowed(
                    grant, f"role {role.logical_id} allows iam:PassRole on any role{also}"
                )


@rule(
    id="HardenedEc2-RoleOwnHardening",
    severity=Severity.ERROR,
    subject=Subject.ROLES,
    fact="A server's role cannot change metadata options, user data or security groups.",
    why=(
        "An attacker on the server disables IMDSv2, opens its security groups and writes user "
        "data that runs at the next boot."
    ),
    fix=(
        "Leave ec2:ModifyInstanceMetadataOptions, ec2:ModifyInstanceAttribute and the actions "
        "on security group rules to the deployment pipeline."
    ),
    references=(Control(Framework.CHECKOV, "CKV_AWS_111"),),
)
def role_own_hardening(case: Case) -> Iterator[Outcome]:
    """Report actions by which a server undoes its own hardening."""
    yield from _reported(case, OWN_METADATA, "so the server can undo its own hardening")


@rule(
    id="HardenedEc2-RoleReadsEverything",
    severity=Severity.WARNING,
    subject=Subject.ROLES,
    fact="A server's role reads only the server's own secrets, parameters and objects.",
    why=(
        "An attacker on this server reads the passwords of all the others, and everything else "
        "that the account stores."
    ),
    fix="Write the ARNs of the secrets, parameters and buckets the server reads as Resource.",
    references=(
        Control(Framework.CHECKOV, "CKV_AWS_107"),
        Control(Framework.CHECKOV, "CKV_AWS_108"),
        Control(Framework.NIST, "AC-6"),
    ),
)
def role_reads_everything(case: Case) -> Iterator[Outcome]:
    """Report actions and AWS managed policies that read secrets or data of the whole account."""
    yield from _reported(case, READS, "so it can read data that is not its own")
    for role in case.roles.of_instances():
        for policy in case.roles.managed(role):
            name = _aws_policy(policy)
            if name in READING_POLICIES:
                yield faulty(
                    policy.value,
                    f"role {role.logical_id} has the AWS managed policy {name}, "
                    f"so it can read {READING_POLICIES[name]}",
                )


@rule(
    id="HardenedEc2-RoleServiceWildcard",
    severity=Severity.WARNING,
    subject=Subject.ROLES,
    fact="A server's role allows individual actions, never all actions of a service.",
    why=(
        "A wildcard allows everything with which the service can delete, share and grant, "
        "including the actions it gains next year."
    ),
    fix=_FIX,
    references=(
        Control(Framework.SECURITY_HUB, "IAM.21"),
        Control(Framework.NIST, "AC-6(10)"),
        Control(Framework.PCI, "7.1.2"),
        Control(Framework.CONTROL_TOWER, "CT.IAM.PR.3"),
        Control(Framework.CONTROL_TOWER, "CT.IAM.PR.5"),
        Control(Framework.CDK_NAG, "AwsSolutions-IAM5"),
    ),
)
def role_service_wildcard(case: Case) -> Iterator[Outcome]:
    """Report every action of the form service:*, and AWS managed policies of full access."""
    for role in case.roles.of_instances():
        for policy in case.roles.managed(role):
            name = _aws_policy(policy)
            if name.endswith("FullAccess") and name not in ADMINISTRATOR_POLICIES:
                yield faulty(
                    policy.value, f"role {role.logical_id} has the AWS managed policy {name}"
                )
        for grant in case.grants(role):
            everything = grant.reaches_anything and _ALL_OF_IAM.fullmatch(grant.action)
            if _is_left_out(grant) or everything:
                continue
            if _ALL_OF_A_SERVICE.fullmatch(grant.action):
                yield faulty(grant.value, f"role {role.logical_id} allows {grant.action}")


@rule(
    id="HardenedEc2-RoleNotAction",
    severity=Severity.WARNING,
    subject=Subject.ROLES,
    fact=(
        "The policies of a server's role allow by Action and Resource, never by NotAction or "
        "NotResource."
    ),
    why=(
        "NotAction and NotResource allow everything that is not listed: every action and "
        "resource that AWS or the team adds later is granted as well."
    ),
    fix="Write Action and Resource; to forbid, write a statement with Effect Deny.",
    references=(
        Control(Framework.CFN_NAG, "W15"),
        Control(Framework.CFN_NAG, "W21"),
        Control(Framework.CONTROL_TOWER, "CT.IAM.PR.3"),
    ),
)
def role_not_action(case: Case) -> Iterator[Outcome]:
    """Report NotAction and NotResource that `role_administrator` does not report."""
    for role in case.roles.of_instances():
        for statement in allowing(role, case.roles):
            if why_unknown(statement.content) is not None:
                continue
            for key in ("NotAction", "NotResource"):
                excepted = texts(statement, key)
                if excepted and not (key == "NotAction" and reaches_anything(statement)):
                    yield faulty(excepted[0], f"a statement of role {role.logical_id} has {key}")


def _reported(case: Case, actions: frozenset[str], consequence: str) -> Iterator[Outcome]:
    for role in case.roles.of_instances():
        for grant in case.grants(role):
            covered = sorted(grant.covers & actions)
            if covered and grant.reaches_wide and not _is_administration(grant):
                shown = ", ".join(covered[:3])
                more = f" and {len(covered) - 3} more" if len(covered) > 3 else ""  # noqa: PLR2004
                yield _narrowed(
                    grant, f"role {role.logical_id} allows {shown}{more}, {consequence}"
                )


def _narrowed(grant: Grant, message: str) -> Outcome:
    """Report a grant, as a doubt where a condition may narrow it."""
    if grant.conditional:
        return doubtful(
            grant.value, f"whether the condition narrows it enough is not known: {message}"
        )
    return faulty(grant.value, message)


def _is_administration(grant: Grant) -> bool:
    """Whether `role_administrator` reports the grant already."""
    return grant.reaches_anything and (
        bool(EVERYTHING.fullmatch(grant.action) or _ALL_OF_IAM.fullmatch(grant.action))
        or _is_left_out(grant)
    )


def _is_left_out(grant: Grant) -> bool:
    """Whether the grant comes from NotAction."""
    return grant.value in texts(grant.statement, "NotAction")
