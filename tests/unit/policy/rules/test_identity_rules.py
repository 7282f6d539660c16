import json
from typing import Any

import pytest

from hardened_ec2.policy import Severity
from hardened_ec2.policy.rules.role_permissions import READING_POLICIES
from tests.unit.policy.templates import (
    IDENTITY,
    SOUND,
    found,
    get_att,
    if_,
    instance,
    judged,
    message,
    ref,
    resource,
)

RULE = "RoleAdministrator"
UNSET: dict[str, Any] = {"Parameters": {"Unset": {"Type": "String"}}}


def allow(action: object = "*", on: object = "*", **more: object) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": on, **more}


def document(*statements: object) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def role(*statements: object, **properties: object) -> dict[str, Any]:
    policies = [{"PolicyName": "p", "PolicyDocument": document(*statements)}] if statements else []
    return {**IDENTITY, "Role": resource("IAM::Role", Policies=policies, **properties)}


READ = allow("s3:GetObject", "arn:aws:s3:::bucket/*")
POLICY = {"PolicyName": "p", "PolicyDocument": document(READ, allow())}

BAD = {
    "plain": role(allow()),
    "in a list": role(allow(["s3:GetObject", "*"], ["*"])),
    "second statement": role(READ, allow()),
    "split star": role(allow("*:*")),
    "question mark": role(allow("?*")),
    "everything by ARN": role(allow(on="arn:*:*:*:*:*")),
    "one statement, no list": {
        **IDENTITY,
        "Role": resource("IAM::Role", Policies=[{"PolicyDocument": {"Statement": allow()}}]),
    },
    "behind a condition": role(if_("C", allow())),
    "action behind a condition": role(allow(if_("C", "*", "s3:GetObject"))),
    "joined": role(allow({"Fn::Join": ["", ["*", ""]]})),
    "as text": {
        **IDENTITY,
        "Role": resource("IAM::Role", Policies=[{"PolicyDocument": json.dumps(document(allow()))}]),
    },
    "all but a resource": role({"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:s3:::x"}),
    "all of IAM": role(allow("iam:*")),
    "all of IAM in capitals": role(allow("IAM:*")),
    "narrowed only by a condition": role(
        allow(Condition={"Bool": {"aws:SecureTransport": "true"}})
    ),
    "policy": {**IDENTITY, "Policy": resource("IAM::Policy", Roles=[ref("Role")], **POLICY)},
    "role policy": {
        **IDENTITY,
        "Policy": resource("IAM::RolePolicy", RoleName=ref("Role"), **POLICY),
    },
    "managed policy that names the role": {
        **IDENTITY,
        "Policy": resource("IAM::ManagedPolicy", Roles=[ref("Role")], **POLICY),
    },
    "managed policy that the role names": {
        **role(ManagedPolicyArns=[ref("Policy")]),
        "Policy": resource("IAM::ManagedPolicy", **POLICY),
    },
    "role by its name": {
        **role(RoleName="web"),
        "Profile": resource("IAM::InstanceProfile", Roles=["web"]),
        "Policy": resource("IAM::Policy", Roles=["web"], **POLICY),
    },
}


@pytest.mark.parametrize("resources", BAD.values(), ids=BAD)
def test_administration_is_an_error_in_every_disguise(resources: dict[str, Any]) -> None:
    (finding,) = found(RULE, resources)
    assert finding.severity is Severity.ERROR
    assert finding.message.startswith("role Role allows ")
    assert "on all resources" in finding.message


def test_the_message_and_the_place_are_those_of_the_action() -> None:
    (finding,) = found(RULE, role(READ, allow(["s3:GetObject", "*"])))
    assert finding.logical_id == "Role"
    assert finding.path == "Properties.Policies.0.PolicyDocument.Statement.1.Action.1"
    assert finding.message == "role Role allows '*' on all resources"


def test_not_action_is_everything_but() -> None:
    statement = {"Effect": "Allow", "NotAction": ["iam:*", "sts:*"], "Resource": "*"}
    assert message(RULE, role(statement)) == (
        "role Role allows everything on all resources except iam:*, sts:* (NotAction)"
    )


PARTITION = ref("AWS::Partition")


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:iam::aws:policy/AdministratorAccess",
        "arn:aws-us-gov:iam::aws:policy/AdministratorAccess",
        {"Fn::Join": ["", ["arn:", PARTITION, ":iam::aws:policy/AdministratorAccess"]]},
        {"Fn::Sub": "arn:${AWS::Partition}:iam::aws:policy/AdministratorAccess"},
        {"Fn::Sub": ["arn:aws:iam::aws:policy/${P}", {"P": "PowerUserAccess"}]},
        "arn:aws:iam::aws:policy/IAMFullAccess",
        if_("C", "arn:aws:iam::aws:policy/AdministratorAccess"),
    ],
)
def test_an_administrator_policy_is_an_error_in_every_spelling(arn: object) -> None:
    (finding,) = found(RULE, role(ManagedPolicyArns=[arn]))
    assert finding.path == "Properties.ManagedPolicyArns.0"
    assert finding.message.startswith("role Role has the AWS managed policy ")


@pytest.mark.parametrize("name", sorted(READING_POLICIES))
def test_a_policy_of_aws_that_reads_everything_is_a_warning(name: str) -> None:
    arn = {"Fn::Sub": f"arn:${{AWS::Partition}}:iam::aws:policy/{name}"}
    (finding,) = found("RoleReadsEverything", role(ManagedPolicyArns=[arn]))
    assert finding.severity is Severity.WARNING
    assert finding.message == (
        f"role Role has the AWS managed policy {name}, so it can read {READING_POLICIES[name]}"
    )


def test_a_policy_of_ours_by_the_name_of_one_of_aws_is_not_taken_for_it() -> None:
    arn = "arn:aws:iam::123456789012:policy/ReadOnlyAccess"
    assert found("RoleReadsEverything", role(ManagedPolicyArns=[arn])) == []


@pytest.mark.parametrize(
    "action",
    ["cloudformation:UpdateStack", "ssm:CreateAssociation", "lambda:UpdateFunctionConfiguration"],
)
def test_what_runs_code_under_another_role_is_escalation(action: str) -> None:
    service = action.partition(":")[0]
    own = f"arn:aws:{service}:eu-west-1:123456789012:own/one"
    assert found("RoleEscalation", role(allow(action, own))) == []
    for on in ("*", f"arn:aws:{service}:*:*:*"):
        assert "it can escalate its privileges" in message(
            "RoleEscalation", role(allow(action, on))
        )


@pytest.mark.parametrize(
    "resources",
    [
        IDENTITY,
        SOUND,
        role(READ),
        role(allow(on="arn:aws:s3:::bucket/*")),
        role(allow(["ssmmessages:OpenDataChannel", "ssm:UpdateInstanceInformation"])),
        role(allow("s3:*")),
        role({"Effect": "Deny", "Action": "*", "Resource": "*"}),
        role({"Effect": "Deny", "NotAction": "sts:*", "Resource": "*"}),
        role({"Effect": "Allow", "NotAction": "iam:*", "Resource": "arn:aws:s3:::bucket"}),
        role(ManagedPolicyArns=["arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"]),
        role(
            ManagedPolicyArns=["arn:aws:iam::aws:policy/service-role/AdministratorAccess-Amplify"]
        ),
        role(ManagedPolicyArns=["arn:aws:iam::123456789012:policy/mine"]),
        {"Other": resource("IAM::Role", Policies=[POLICY])},
    ],
)
def test_narrow_roles_and_roles_of_others_are_sound(resources: dict[str, Any]) -> None:
    rules = {finding.rule.removeprefix("HardenedEc2-") for finding in judged(resources)}
    assert rules <= {"RoleServiceWildcard", "RoleNotAction", "RoleReadsEverything"}


@pytest.mark.parametrize(
    ("resources", "text"),
    [
        (role(ManagedPolicyArns=[ref("Unset")]), "policy ${Unset} of role Role is not in the"),
        (role(allow(ref("Unset"))), "an action of role Role is not known: parameter Unset"),
        (role(ref("Unset")), "a policy of role Role is not known: parameter Unset"),
        (
            {**IDENTITY, "Role": resource("IAM::Role", Policies=[{"PolicyDocument": "{"}])},
            "a policy of role Role is not known: the policy document is not a JSON object",
        ),
        (role(ManagedPolicyArns=[get_att("Missing", "Arn")]), "is not in the templates"),
    ],
)
def test_policies_that_are_not_known_cannot_be_verified(
    resources: dict[str, Any], text: str
) -> None:
    assert found(RULE, resources, **UNSET) == []
    assert text in message("CannotVerify", resources, **UNSET)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"Server": instance(IamInstanceProfile="admin")}, "'admin' is not in the templates"),
        ({"Server": instance(IamInstanceProfile=ref("Unset"))}, "parameter Unset has no Default"),
        ({"Profile": resource("IAM::InstanceProfile", Roles=["admin"])}, "'admin' is not in the"),
        (
            {
                "Server": resource(
                    "EC2::LaunchTemplate",
                    LaunchTemplateData={
                        **instance(SubnetId=None)["Properties"],
                        "IamInstanceProfile": {"Arn": ref("Unset")},
                    },
                )
            },
            "parameter Unset has no Default",
        ),
    ],
)
def test_a_role_that_is_not_in_the_templates_cannot_be_verified(
    changed: dict[str, Any], why: str
) -> None:
    text = message("CannotVerify", {**SOUND, **changed}, **UNSET)
    assert f"the permissions of the server's role are not known: {why}" in text


@pytest.mark.parametrize(
    "profile",
    [ref("Profile"), get_att("Profile", "Arn"), "web", {"Name": "web"}, {"Arn": ref("Profile")}],
)
def test_a_profile_of_the_templates_is_found_by_every_name(profile: object) -> None:
    named = resource("IAM::InstanceProfile", Roles=[ref("Role")], InstanceProfileName="web")
    resources = {**SOUND, "Profile": named, "Server": instance(IamInstanceProfile=profile)}
    assert judged(resources) == []


def test_a_server_without_a_role_can_do_nothing() -> None:
    (finding,) = judged({**SOUND, "Server": instance(IamInstanceProfile=None)})
    assert finding.rule == "HardenedEc2-InstanceProfile"


def test_three_of_what_not_action_leaves_out_are_named() -> None:
    excepted = ["a:A", "b:B", "c:C", "d:D"]
    resources = role({"Effect": "Allow", "NotAction": excepted, "Resource": "*"})
    assert message(RULE, resources) == (
        "role Role allows everything on all resources except a:A, b:B, c:C (NotAction)"
    )
