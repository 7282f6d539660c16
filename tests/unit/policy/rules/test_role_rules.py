"""What a role can make of itself, who may become it, and what it says without need."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardened_ec2.policy import Severity
from hardened_ec2.policy.facts.privileges import ESCALATIONS, LAUNCHERS, OWN_METADATA, matched
from tests.unit.policy.templates import (
    IDENTITY,
    SOUND,
    found,
    get_att,
    if_,
    judged,
    message,
    ref,
    resource,
)

UNSET: dict[str, Any] = {"Parameters": {"Unset": {"Type": "String"}}}
ROLES = "arn:aws:iam::123456789012:role/*"
ONE = "arn:aws:iam::123456789012:role/worker"


def allow(action: object, on: object = "*", **more: object) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": on, **more}


def deny(action: object, on: object = "*", **more: object) -> dict[str, Any]:
    return {"Effect": "Deny", "Action": action, "Resource": on, **more}


def role(*statements: object, **properties: object) -> dict[str, Any]:
    document = {"Version": "2012-10-17", "Statement": list(statements)}
    policies = [{"PolicyName": "p", "PolicyDocument": document}]
    return {**IDENTITY, "Role": resource("IAM::Role", Policies=policies, **properties)}


MFA = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}

BAD: dict[str, tuple[str, dict[str, Any]]] = {
    "writes policies": ("RoleEscalation", role(allow("iam:PutRolePolicy"))),
    "by a pattern": ("RoleEscalation", role(allow("iam:Put*"))),
    "in other letters": ("RoleEscalation", role(allow("IAM:PUTROLEPOLICY"))),
    "with a question mark": ("RoleEscalation", role(allow("iam:PutRolePolic?"))),
    "on all roles": ("RoleEscalation", role(allow("iam:AttachRolePolicy", ROLES))),
    "in any partition": (
        "RoleEscalation",
        role(allow("sts:AssumeRole", {"Fn::Sub": "arn:${AWS::Partition}:iam::*:role/*"})),
    ),
    "on itself": ("RoleEscalation", role(allow("iam:PutRolePolicy", get_att("Role", "Arn")))),
    "on all but one": (
        "RoleEscalation",
        role({"Effect": "Allow", "Action": "sts:AssumeRole", "NotResource": ONE}),
    ),
    "in the second statement": (
        "RoleEscalation",
        role(allow("s3:GetObject"), allow(["s3:PutObject", "ssm:SendCommand"])),
    ),
    "behind a condition": ("RoleEscalation", role(if_("C", allow("ssm:StartSession")))),
    "of a managed policy": (
        "RoleEscalation",
        {
            **IDENTITY,
            "Policy": resource(
                "IAM::ManagedPolicy",
                Roles=[ref("Role")],
                PolicyDocument={"Statement": allow("lambda:UpdateFunctionCode")},
            ),
        },
    ),
    "denied only with a condition": (
        "RoleEscalation",
        role(allow("iam:PutRolePolicy"), deny("iam:*", Condition=MFA)),
    ),
    "denied only elsewhere": (
        "RoleEscalation",
        role(allow("iam:PutRolePolicy"), deny("iam:*", "arn:aws:iam::123456789012:user/x")),
    ),
    "denied only sometimes": (
        "RoleEscalation",
        role(allow("iam:PutRolePolicy"), if_("C", deny("iam:*"))),
    ),
    "all but something, on roles": (
        "RoleEscalation",
        role({"Effect": "Allow", "NotAction": "s3:*", "Resource": ROLES}),
    ),
    "passes any role": ("RolePassRole", role(allow("iam:PassRole"))),
    "passes by a pattern": ("RolePassRole", role(allow("iam:Pass*", ROLES))),
    "passes itself": ("RolePassRole", role(allow("iam:PassRole", get_att("Role", "Arn")))),
    "changes metadata options": (
        "RoleOwnHardening",
        role(allow("ec2:ModifyInstanceMetadataOptions")),
    ),
    "changes instances": (
        "RoleOwnHardening",
        role(allow("ec2:Modify*", "arn:aws:ec2:*:*:instance/*")),
    ),
    "changes its own server": (
        "RoleOwnHardening",
        {
            **SOUND,
            **role(
                allow(
                    "ec2:ModifyInstanceAttribute",
                    {"Fn::Sub": "arn:aws:ec2:${AWS::Region}:${AWS::AccountId}:instance/${Server}"},
                )
            ),
        },
    ),
    "opens groups": ("RoleOwnHardening", role(allow("ec2:Authorize*"))),
}


@pytest.mark.parametrize(("rule", "resources"), BAD.values(), ids=BAD)
def test_a_role_that_becomes_more_is_an_error(rule: str, resources: dict[str, Any]) -> None:
    findings = found(rule, resources)
    assert findings
    assert all(finding.severity is Severity.ERROR for finding in findings)


SOUND_ROLES = [
    role(allow("iam:PassRole", ONE)),
    role(allow("iam:PassRole", get_att("Other", "Arn"))),
    role(allow("sts:AssumeRole", ONE)),
    role(allow("ssm:SendCommand", "arn:aws:ssm:eu-west-1:123456789012:document/deploy")),
    role(allow("iam:PutRolePolicy"), deny("iam:*")),
    role(allow(["iam:GetRole", "iam:ListRoles"])),
    role(allow(["ec2:Describe*", "ec2:CreateTags"])),
    role(deny("iam:PassRole")),
    role(allow("s3:GetObject", "arn:aws:s3:::bucket/*")),
    role({"Effect": "Deny", "NotAction": "sts:*", "Resource": "*"}),
]


@pytest.mark.parametrize("name", ["AmazonSSMManagedInstanceCore", "IAMFullAccess"])
def test_a_policy_of_aws_is_a_wildcard_only_where_no_worse_is_said(name: str) -> None:
    arn = f"arn:aws:iam::aws:policy/{name}"
    assert found("RoleServiceWildcard", role(ManagedPolicyArns=[arn])) == []


def test_a_service_that_is_left_out_is_no_wildcard() -> None:
    left_out = {"Effect": "Allow", "NotAction": "s3:*", "Resource": ROLES}
    assert found("RoleServiceWildcard", role(left_out)) == []
    assert message("RoleServiceWildcard", role(left_out, allow("iam:*"), allow("s3:*"))) == (
        "role Role allows s3:*"
    )


@pytest.mark.parametrize("resources", SOUND_ROLES)
def test_a_role_that_stays_what_it_is_is_sound(resources: dict[str, Any]) -> None:
    assert judged({**resources, "Other": resource("IAM::Role")}) == []


@pytest.mark.parametrize("rule", ["RoleEscalation", "RolePassRole", "RoleOwnHardening"])
def test_a_condition_that_may_narrow_it_cannot_be_verified(rule: str) -> None:
    actions = ["iam:PassRole", "iam:PutRolePolicy", "ec2:ModifyInstanceMetadataOptions"]
    resources = role(*(allow(action, Condition=MFA) for action in actions))
    assert found(rule, resources) == []
    assert any(
        f"HardenedEc2-{rule}: whether the condition narrows it enough is not known"
        in finding.message
        for finding in found("CannotVerify", resources)
    )


def test_a_policy_that_is_not_known_cannot_be_verified() -> None:
    assert "a policy of role Role is not known" in message(
        "CannotVerify", role(ref("Unset")), **UNSET
    )


def test_what_is_passed_to_what_is_in_the_message() -> None:
    resources = role(allow("iam:PassRole"), allow(["ec2:RunInstances", "lambda:Create*"], ONE))
    assert message("RolePassRole", resources) == (
        "role Role allows iam:PassRole on any role, and ec2:RunInstances, "
        "lambda:CreateFunction to use it"
    )


def test_administration_is_told_once() -> None:
    everything_but = {"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}
    for statement in (allow("*"), allow("iam:*"), everything_but):
        assert [f.rule for f in judged(role(statement))] == ["HardenedEc2-RoleAdministrator"]


def test_what_becomes_of_a_role_is_in_the_message() -> None:
    assert message("RoleEscalation", role(allow("iam:Put*"))) == (
        "role Role allows iam:PutGroupPolicy, iam:PutRolePermissionsBoundary, iam:PutRolePolicy "
        "and 1 more, so it can escalate its privileges"
    )


@pytest.mark.parametrize("rule", ["RoleEscalation", "RolePassRole", "RoleOwnHardening"])
def test_a_condition_of_one_deployment_narrows_nothing_in_the_other(rule: str) -> None:
    actions = ["iam:PassRole", "iam:PutRolePolicy", "ec2:ModifyInstanceMetadataOptions"]
    assert found(rule, role(*(allow(action, Condition=if_("C", MFA)) for action in actions)))


@pytest.mark.parametrize(
    "statement",
    [
        {"Condition": if_("C", {"StringEquals": {"aws:PrincipalOrgID": "o-1"}})},
        {"Effect": if_("C", "Deny", "Allow")},
    ],
)
def test_trust_in_everyone_in_one_deployment_is_an_error(statement: dict[str, Any]) -> None:
    assert found("RoleTrustOpen", trusting({**assume("*"), **statement}))


def trusting(*statements: object) -> dict[str, Any]:
    document = {"Version": "2012-10-17", "Statement": list(statements)}
    return {**IDENTITY, "Role": resource("IAM::Role", AssumeRolePolicyDocument=document)}


def assume(principal: object, **more: object) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal, **more}


EC2 = assume({"Service": "ec2.amazonaws.com"})


@pytest.mark.parametrize(
    "principal",
    ["*", {"AWS": "*"}, {"AWS": ["123456789012", "*"]}, if_("C", {"AWS": "*"}), {"AWS": "?*"}],
)
def test_a_role_that_trusts_everyone_is_an_error(principal: object) -> None:
    findings = found("RoleTrustOpen", trusting(EC2, assume(principal)))
    assert [finding.severity for finding in findings] == [Severity.ERROR]
    assert findings[0].message.startswith("everyone can assume role Role")


def test_trust_in_everyone_is_told_once() -> None:
    for everyone in (assume("*"), assume({"AWS": "*"})):
        assert found("RoleTrustWide", trusting(EC2, everyone)) == []


def test_everyone_but_some_is_everyone() -> None:
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "NotPrincipal": {"AWS": "1"}}
    assert message("RoleTrustOpen", trusting(statement)) == (
        "everyone outside NotPrincipal can assume role Role"
    )
    assert found("RoleTrustWide", trusting(statement)) == []


@pytest.mark.parametrize(
    "principal",
    [
        {"Service": ["ec2.amazonaws.com", "lambda.amazonaws.com"]},
        {"AWS": "arn:aws:iam::123456789012:root"},
        {"AWS": {"Fn::Sub": "arn:aws:iam::${AWS::AccountId}:root"}},
        {"Federated": "accounts.google.com"},
        {"CanonicalUser": "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"},
        "123456789012",
    ],
)
def test_a_role_that_trusts_others_too_is_a_warning(principal: object) -> None:
    (finding,) = found("RoleTrustWide", trusting(assume(principal)))
    assert finding.severity is Severity.WARNING
    assert found("RoleTrustOpen", trusting(assume(principal))) == []


@pytest.mark.parametrize(
    "statement",
    [
        EC2,
        assume({"Service": "ec2.amazonaws.com.cn"}),
        assume({"Service": {"Fn::Join": ["", ["ec2.", ref("AWS::URLSuffix")]]}}),
        {**assume("*"), "Effect": "Deny"},
        {"Effect": "Allow", "Action": "sts:AssumeRole"},
    ],
)
def test_a_role_for_ec2_is_sound(statement: object) -> None:
    assert judged(trusting(statement)) == []


def test_trust_that_is_not_known_cannot_be_verified() -> None:
    for statement in (
        assume({"AWS": "*"}, Condition={"StringEquals": {"aws:PrincipalOrgID": "o-1"}}),
        assume({"AWS": ref("Unset")}),
        ref("Unset"),
    ):
        resources = trusting(statement)
        assert found("RoleTrustOpen", resources, **UNSET) == []
        assert "can assume role Role" in message("CannotVerify", resources, **UNSET)


@pytest.mark.parametrize(
    ("rule", "resources"),
    [
        ("RoleServiceWildcard", role(allow("s3:*", "arn:aws:s3:::bucket/*"))),
        ("RoleServiceWildcard", role(allow(["s3:GetObject", "DYNAMODB:*"]))),
        ("RoleServiceWildcard", role(allow(if_("C", "s3:**", "s3:GetObject")))),
        (
            "RoleServiceWildcard",
            role(ManagedPolicyArns=["arn:aws:iam::aws:policy/AmazonS3FullAccess"]),
        ),
        (
            "RoleNotAction",
            role({"Effect": "Allow", "NotAction": "s3:Put*", "Resource": "arn:aws:s3:::b"}),
        ),
        (
            "RoleNotAction",
            role({"Effect": "Allow", "Action": "s3:GetObject", "NotResource": "arn:aws:s3:::b"}),
        ),
    ],
)
def test_more_than_is_said_is_a_warning(rule: str, resources: dict[str, Any]) -> None:
    (finding,) = found(rule, resources)
    assert finding.severity is Severity.WARNING


def test_an_action_that_is_not_known_cannot_be_verified() -> None:
    resources = role(allow(ref("Unset")))
    assert "an action of role Role is not known" in message("CannotVerify", resources, **UNSET)


KNOWN = sorted(ESCALATIONS | LAUNCHERS | OWN_METADATA)


@settings(max_examples=100, deadline=None, database=None)
@given(st.sampled_from(KNOWN), st.data())
def test_a_pattern_made_from_an_action_finds_it(action: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(action)))
    end = data.draw(st.integers(start, len(action)))
    wildcard = data.draw(st.sampled_from(["*", "?" * (end - start), "**"]))
    spelled = action[:start] + wildcard + action[end:]
    if data.draw(st.booleans()):
        spelled = spelled.swapcase()
    assert action in matched(spelled)
    assert matched(spelled + "x!") == frozenset()
