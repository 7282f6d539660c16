"""InstanceRole: exactly these permissions, and no others."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk.assertions import Template
from cdk_nag import AwsSolutionsChecks, NIST80053R5Checks

from hardened_ec2 import InstanceRole, SessionLogs

SESSION_MANAGER = {
    "Action": [
        "ssm:UpdateInstanceInformation",
        "ssmmessages:CreateControlChannel",
        "ssmmessages:CreateDataChannel",
        "ssmmessages:OpenControlChannel",
        "ssmmessages:OpenDataChannel",
    ],
    "Effect": "Allow",
    "Resource": "*",
}


def statements(stack: cdk.Stack) -> list[dict[str, Any]]:
    template = Template.from_stack(stack)
    template.resource_count_is("AWS::IAM::Policy", 0)
    (policy,) = template.find_resources("AWS::IAM::ManagedPolicy").values()
    found: list[dict[str, Any]] = policy["Properties"]["PolicyDocument"]["Statement"]
    return found


def test_session_manager_is_all_there_is(stack: cdk.Stack) -> None:
    InstanceRole(stack, "Role")
    assert statements(stack) == [SESSION_MANAGER]
    Template.from_stack(stack).has_resource_properties(
        "AWS::IAM::Role",
        {
            "AssumeRolePolicyDocument": {
                "Statement": [
                    {
                        "Action": "sts:AssumeRole",
                        "Effect": "Allow",
                        "Principal": {"Service": "ec2.amazonaws.com"},
                    }
                ],
                "Version": "2012-10-17",
            }
        },
    )


def test_without_session_manager_there_is_nothing(stack: cdk.Stack) -> None:
    InstanceRole(stack, "Role", session_manager=False)
    template = Template.from_stack(stack)
    template.resource_count_is("AWS::IAM::ManagedPolicy", 0)
    template.resource_count_is("AWS::IAM::Role", 1)


def test_session_logs_may_be_written_and_nothing_else(stack: cdk.Stack) -> None:
    bucket = s3.Bucket.from_bucket_name(stack, "Bucket", "sessions")
    key = kms.Key(stack, "Key")
    InstanceRole(
        stack,
        "Role",
        session_logs=SessionLogs(
            bucket=bucket,
            key_prefix="/production/",
            log_group=logs.LogGroup(stack, "Sessions"),
            encryption_key=key,
        ),
    )
    found = statements(stack)
    assert found[0] == SESSION_MANAGER
    assert [(each["Action"], each["Effect"]) for each in found[1:]] == [
        ("s3:PutObject", "Allow"),
        ("s3:GetEncryptionConfiguration", "Allow"),
        (["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"], "Allow"),
        ("logs:DescribeLogGroups", "Allow"),
        (["kms:Decrypt", "kms:GenerateDataKey"], "Allow"),
    ]
    assert "sessions/production/*" in str(found[1]["Resource"])


def test_the_perimeter_denies_everything_off_the_instance(stack: cdk.Stack) -> None:
    InstanceRole(stack, "Role", credential_perimeter=True)
    _, vpc, address = statements(stack)
    for statement, issued_to, used_from in (
        (vpc, "aws:EC2InstanceSourceVPC", "${aws:SourceVpc}"),
        (address, "aws:EC2InstanceSourcePrivateIPv4", "${aws:VpcSourceIp}"),
    ):
        assert statement == {
            "Action": "*",
            "Condition": {
                "BoolIfExists": {"aws:ViaAWSService": "false"},
                "Null": {"ec2:SourceInstanceARN": "false"},
                "StringNotEquals": {issued_to: used_from},
            },
            "Effect": "Deny",
            "Resource": "*",
        }


def test_logs_of_no_sessions_are_refused(stack: cdk.Stack) -> None:
    session_logs = SessionLogs(log_group=logs.LogGroup(stack, "Sessions"))
    with pytest.raises(ValueError, match="with session_manager=False, which leaves no sessions"):
        InstanceRole(stack, "Role", session_manager=False, session_logs=session_logs)
    assert stack.node.try_find_child("Role") is None


def test_session_logs_need_a_destination() -> None:
    with pytest.raises(ValueError, match=r"no destination: write bucket=... or log_group=..."):
        SessionLogs()


def test_a_prefix_needs_a_bucket(stack: cdk.Stack) -> None:
    with pytest.raises(ValueError, match="key_prefix='a' without a bucket: write bucket="):
        SessionLogs(key_prefix="a", log_group=logs.LogGroup(stack, "Sessions"))


@pytest.mark.parametrize("made", [True, False], ids=["made here", "from elsewhere"])
def test_sessions_in_a_bucket_pass_the_stock_packs(tmp_path: Path, made: bool) -> None:  # noqa: FBT001
    app = cdk.App(outdir=str(tmp_path), builtin_cloud_formation_validation=False)
    stack = cdk.Stack(app, "Stack")
    name = "sessions"
    bucket = s3.Bucket(stack, name) if made else s3.Bucket.from_bucket_name(stack, name, name)
    session_logs = SessionLogs(bucket=bucket, key_prefix="production")
    InstanceRole(stack, "Role", session_logs=session_logs)
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app), NIST80053R5Checks(app))
    with suppress(RuntimeError):  # the bucket has findings of its own
        app.synth()
    reports = json.loads((tmp_path / "validation-report.json").read_text("utf-8"))["pluginReports"]
    found = [each["ruleName"] for report in reports for each in report["violations"]]
    assert not [rule for rule in found if "IAM" in rule]
    suppressed = {
        each["acknowledgedId"].rpartition("Resource::")[2]
        for report in reports
        for each in report.get("suppressedViolations", [])
    }
    arn = "<sessions6DDB0D3F.Arn>" if made else "arn:<AWS::Partition>:s3:::sessions"
    assert suppressed == {"*]", f"{arn}/production/*]"}
