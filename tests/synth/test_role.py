"""InstanceRole: exactly these permissions, and no others."""

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk.assertions import Template

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
    with pytest.raises(ValueError, match="without Session Manager there are no sessions"):
        InstanceRole(stack, "Role", session_manager=False, session_logs=session_logs)
    assert stack.node.try_find_child("Role") is None


def test_session_logs_need_a_destination() -> None:
    with pytest.raises(ValueError, match=r"no destination: pass bucket=... or log_group=..."):
        SessionLogs()


def test_a_prefix_needs_a_bucket(stack: cdk.Stack) -> None:
    with pytest.raises(ValueError, match="key_prefix='a' without a bucket"):
        SessionLogs(key_prefix="a", log_group=logs.LogGroup(stack, "Sessions"))
