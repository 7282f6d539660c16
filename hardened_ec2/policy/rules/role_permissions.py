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
"""AWS managed policies that are administration, or one step from it."""

READING_POLICIES: Final = {
    "AmazonEC2RoleforSSM": "every object and parameter",
    "AmazonElasticMapReduceforEC2Role": "every object",
    "AmazonS3ReadOnlyAccess": "every object",
    "AmazonSSMReadOnlyAccess": "every parameter",
    "ReadOnlyAccess": "every object and parameter",
    "SecretsManagerReadWrite": "every secret",
}
"""AWS managed policies that read everyone's data, and what. Those of full access are told by their
name. AmazonSSMManagedInstanceCore, which reads parameters too, is left out: Systems Manager's own
documentation has every server carry it, and `InstanceRole` is there for who wants less."""

EVERYTHING = re.compile(r"[*?:]*\*[*?:]*")
"""An action or a resource made of wildcards only: ``*``, ``*:*``."""

_ALL_OF_IAM = re.compile(r"iam:[*?]*\*[*?]*", re.IGNORECASE)
_ALL_OF_A_SERVICE = re.compile(r"[\w-]+:[*?]*\*[*?]*")
_AWS_MANAGED = re.compile(r":iam::aws:policy/(?:[\w+=,.@-]+/)*([\w+=,.@-]+)$")
_FIX: Final = "Name the actions the server calls and the resources it calls them on."
_ESCALATION: Final = (
    Control(Framework.CHECKOV, "CKV_AWS_110"),
    Control(Framework.PROWLER, "iam_inline_policy_allows_privilege_escalation"),
)


@rule(
    id="HardenedEc2-RoleAdministrator",
    severity=Severity.ERROR,
    subject=Subject.ROLES,
    fact="The role of a server cannot administer the account.",
    why=(
        "Whoever runs code on the server is its role: with administration, one flaw in one web "
        "application is the whole account."
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
        yield doubtful(outside, f"what the role of the server may do is not known: {why}")
    for role in roles.of_instances():
        for policy in roles.managed(role):
            name = _aws_policy(policy)
            if name in ADMINISTRATOR_POLICIES:
                yield faulty(policy.value, f"role {role.logical_id} has the AWS policy {name}")
            elif not name and why_unknown(policy.value.content) is not None:
                yield doubtful(
                    policy.value,
                    f"policy {policy.arn} of role {role.logical_id} is not in the templates",
                )
        for statement in allowing(role, roles):
            yield from _judged(statement, role.logical_id)


def _aws_policy(policy: AttachedPolicy) -> str:
    """Return the name of a policy that AWS manages; nothing for another one."""
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
            yield faulty(action, f"role {role} may do {describe(action.content)} on everything")
        elif not isinstance(action.content, str | Text):
            yield doubtful(
                action, f"an action of role {role} is not known: {why_unknown(action.content)}"
            )
    excepted = texts(statement, "NotAction")
    if excepted:
        listed = ", ".join(pattern(action) for action in excepted[:3])
        yield faulty(
            excepted[0], f"role {role} may do everything on everything except {listed} (NotAction)"
        )


@rule(
    id="HardenedEc2-RoleEscalation",
    severity=Severity.ERROR,
    subject=Subject.ROLES,
    fact="The role of a server cannot make itself more, nor become another role or server.",
    why=(
        "A role that may write policies, assume any role or send commands to any server is "
        "administration with one more call in between."
    ),
    fix=(
        "Leave these actions to the pipeline that deploys; where the server needs one, name the "
        "one role, function or document it needs it for, and never the server's own role."
    ),
    references=(
        *_ESCALATION,
        Control(Framework.CHECKOV, "CKV_AWS_109"),
        Control(Framework.NIST, "AC-6(10)"),
    ),
)
def role_escalation(case: Case) -> Iterator[Outcome]:
    """Report actions by which a role becomes more than its policies say."""
    yield from _reported(case, ESCALATIONS, "so it can become more than its policies say")


@rule(
    id="HardenedEc2-RolePassRole",
    severity=Severity.ERROR,
    subject=Subject.ROLES,
    fact="The role of a server passes no role but those it is told.",
    why=(
        "Whoever may pass any role starts a server, a function or a stack under the strongest role "
        "of the account, and is that role."
    ),
    fix="Write the ARNs of the roles it passes as Resource of iam:PassRole.",
    references=(
        Control(Framework.CFN_NAG, "F38"),
        Control(Framework.CHECKOV, "CKV_AWS_109"),
        *_ESCALATION,
    ),
)
def role_pass_role(case: Case) -> Iterator[Outcome]:
    """Report iam:PassRole on every role, with what can be started under a role it passes."""
    for role in case.roles.of_instances():
        granted = case.grants(role)
        launches = sorted({action for grant in granted for action in grant.covers & LAUNCHERS})
        for grant in granted:
            if PASS_ROLE in grant.covers and grant.reaches_wide and not _is_administration(grant):
                also = f", and may {', '.join(launches[:3])} with it" if launches else ""
                yield _narrowed(
                    grant, f"role {role.logical_id} may do iam:PassRole on any role{also}"
                )


@rule(
    id="HardenedEc2-RoleOwnHardening",
    severity=Severity.ERROR,
    subject=Subject.ROLES,
    fact="The role of a server cannot change metadata options, user data or security groups.",
    why=(
        "Whoever takes the server switches IMDSv2 off, opens its groups and writes user data that "
        "runs at the next boot: the hardening lasts as long as nobody attacks it."
    ),
    fix=(
        "Leave ec2:ModifyInstanceMetadataOptions, ec2:ModifyInstanceAttribute and the actions on "
        "security group rules to the pipeline that deploys."
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
    fact="The role of a server reads no secrets, parameters and objects but its own.",
    why=(
        "Whoever takes this server reads the passwords of all the others, and whatever the account "
        "stores: one flaw in one server is everyone's leak."
    ),
    fix="Write the ARNs of the secrets, parameters and buckets the server reads as Resource.",
    references=(
        Control(Framework.CHECKOV, "CKV_AWS_107"),
        Control(Framework.CHECKOV, "CKV_AWS_108"),
        Control(Framework.NIST, "AC-6"),
    ),
)
def role_reads_everything(case: Case) -> Iterator[Outcome]:
    """Report actions that read secrets or data of everyone, and AWS's own policies with them."""
    yield from _reported(case, READS, "so it reads what is not its own")
    for role in case.roles.of_instances():
        for policy in case.roles.managed(role):
            name = _aws_policy(policy)
            if name in READING_POLICIES:
                yield faulty(
                    policy.value,
                    f"role {role.logical_id} has the AWS policy {name}, "
                    f"so it reads {READING_POLICIES[name]}",
                )


@rule(
    id="HardenedEc2-RoleServiceWildcard",
    severity=Severity.WARNING,
    subject=Subject.ROLES,
    fact="The role of a server has no wildcard for all actions of a service.",
    why=(
        "A wildcard holds what the service is able to delete, share and grant, today's actions and "
        "next year's."
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
    """Report every action of the form service:*, and AWS's own policies of full access."""
    for role in case.roles.of_instances():
        for policy in case.roles.managed(role):
            name = _aws_policy(policy)
            if name.endswith("FullAccess") and name not in ADMINISTRATOR_POLICIES:
                yield faulty(policy.value, f"role {role.logical_id} has the AWS policy {name}")
        for grant in case.grants(role):
            everything = grant.reaches_anything and _ALL_OF_IAM.fullmatch(grant.action)
            if _is_left_out(grant) or everything:
                continue
            if _ALL_OF_A_SERVICE.fullmatch(grant.action):
                yield faulty(grant.value, f"role {role.logical_id} may do {grant.action}")


@rule(
    id="HardenedEc2-RoleNotAction",
    severity=Severity.WARNING,
    subject=Subject.ROLES,
    fact="The policies of a server's role say what is allowed, not what is left out.",
    why=(
        "What is left out is a list from the day it was written: every action and resource that "
        "AWS or the team adds later is allowed."
    ),
    fix="Write Action and Resource; to forbid, write a statement with Effect Deny.",
    references=(
        Control(Framework.CFN_NAG, "W15"),
        Control(Framework.CFN_NAG, "W21"),
        Control(Framework.CONTROL_TOWER, "CT.IAM.PR.3"),
    ),
)
def role_not_action(case: Case) -> Iterator[Outcome]:
    """Report NotAction and NotResource where `role_administrator` has nothing to say."""
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
                    grant, f"role {role.logical_id} may do {shown}{more}, {consequence}"
                )


def _narrowed(grant: Grant, message: str) -> Outcome:
    """Report a grant; only doubt it where a condition may narrow it."""
    if grant.conditional:
        return doubtful(grant.value, f"whether the condition is narrow enough: {message}")
    return faulty(grant.value, message)


def _is_administration(grant: Grant) -> bool:
    """Tell whether `role_administrator` reports it already."""
    return grant.reaches_anything and (
        bool(EVERYTHING.fullmatch(grant.action) or _ALL_OF_IAM.fullmatch(grant.action))
        or _is_left_out(grant)
    )


def _is_left_out(grant: Grant) -> bool:
    """Tell whether its action is what the statement does not allow, by NotAction."""
    return grant.value in texts(grant.statement, "NotAction")
