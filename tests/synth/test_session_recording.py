"""SessionRecording: that sessions are encrypted, kept and ended, and who may have one."""

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk.assertions import Match, Template

from hardened_ec2 import HardenedInstance, HardenedVpc, InstanceRole, SessionRecording

DOCUMENT = "AWS::SSM::Document"


def document(stack: cdk.Stack) -> dict[str, Any]:
    (found,) = Template.from_stack(stack).find_resources(DOCUMENT).values()
    return dict(found)


def inputs(stack: cdk.Stack) -> dict[str, Any]:
    return dict(document(stack)["Properties"]["Content"]["inputs"])


def test_sessions_stream_encrypted_into_an_encrypted_log_group_and_end(stack: cdk.Stack) -> None:
    recording = SessionRecording(stack, "Sessions")
    found = document(stack)["Properties"]
    key = stack.resolve(recording.encryption_key.key_arn)
    log_group = stack.resolve(recording.log_group.log_group_name)
    assert found.pop("Content") == {
        "schemaVersion": "1.0",
        "description": "Sessions are encrypted and recorded, and end",
        "sessionType": "Standard_Stream",
        "inputs": {
            "cloudWatchLogGroupName": log_group,
            "cloudWatchEncryptionEnabled": True,
            "cloudWatchStreamingEnabled": True,
            "s3BucketName": "",
            "s3KeyPrefix": "",
            "s3EncryptionEnabled": True,
            "kmsKeyId": key,
            "idleSessionTimeout": "15",
            "maxSessionDuration": "480",
            "runAsEnabled": False,
            "runAsDefaultUser": "",
            "shellProfile": {"linux": "", "windows": ""},
        },
    }
    assert found == {
        "Name": "SSM-SessionManagerRunShell",
        "DocumentType": "Session",
        "DocumentFormat": "JSON",
        "UpdateMethod": "NewVersion",
    }
    template = Template.from_stack(stack)
    template.has_resource(
        "AWS::Logs::LogGroup",
        {"Properties": {"KmsKeyId": key, "RetentionInDays": 365}, "DeletionPolicy": "Retain"},
    )
    template.has_resource_properties(
        "AWS::KMS::Key",
        {
            "EnableKeyRotation": True,
            "KeyPolicy": {
                "Statement": Match.array_with(
                    [
                        Match.object_like(
                            {
                                "Condition": {
                                    "ArnLike": {
                                        "kms:EncryptionContext:aws:logs:arn": Match.any_value()
                                    }
                                }
                            }
                        )
                    ]
                )
            },
        },
    )
    template.resource_count_is("AWS::KMS::Key", 1)


def test_own_values_reach_the_preferences(stack: cdk.Stack) -> None:
    key = kms.Key(stack, "Mine")
    SessionRecording(
        stack,
        "Sessions",
        bucket=s3.Bucket.from_bucket_name(stack, "Bucket", "sessions"),
        key_prefix="/production/",
        encryption_key=key,
        log_retention=logs.RetentionDays.TEN_YEARS,
        idle_timeout=cdk.Duration.minutes(1),
        max_duration=cdk.Duration.hours(24),
        run_as="operator",
    )
    found = inputs(stack)
    assert (found["s3BucketName"], found["s3KeyPrefix"]) == ("sessions", "production")
    assert found["kmsKeyId"] == stack.resolve(key.key_arn)
    assert (found["idleSessionTimeout"], found["maxSessionDuration"]) == ("1", "1440")
    assert (found["runAsEnabled"], found["runAsDefaultUser"]) == (True, "operator")
    template = Template.from_stack(stack)
    template.has_resource_properties("AWS::Logs::LogGroup", {"RetentionInDays": 3653})
    template.resource_count_is("AWS::KMS::Key", 1)


def test_a_server_is_given_what_recording_takes_and_no_more(stack: cdk.Stack) -> None:
    recording = SessionRecording(stack, "Sessions")
    InstanceRole(stack, "Role", session_logs=recording.session_logs)
    (policy,) = Template.from_stack(stack).find_resources("AWS::IAM::ManagedPolicy").values()
    statements = policy["Properties"]["PolicyDocument"]["Statement"][1:]
    assert [(each["Action"], each["Resource"]) for each in statements] == [
        (
            ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
            stack.resolve(recording.log_group.log_group_arn),
        ),
        ("logs:DescribeLogGroups", "*"),
        (
            ["kms:Decrypt", "kms:GenerateDataKey"],
            stack.resolve(recording.encryption_key.key_arn),
        ),
    ]


def test_whoever_is_granted_gets_recorded_shells_on_one_server_and_nothing_else(
    stack: cdk.Stack, vpc: HardenedVpc
) -> None:
    recording = SessionRecording(stack, "Sessions")
    server = HardenedInstance(stack, "Server", vpc=vpc)
    recording.grant_start_session(iam.ManagedPolicy(stack, "Operators"), server)
    (statements,) = (
        each["Properties"]["PolicyDocument"]["Statement"]
        for each in Template.from_stack(stack).find_resources("AWS::IAM::ManagedPolicy").values()
        if "ssm:StartSession" in str(each)
    )
    start, own, key = statements

    def arn(service: str, *name: object) -> dict[str, Any]:
        region, account = {"Ref": "AWS::Region"}, {"Ref": "AWS::AccountId"}
        start_of_it = ["arn:", {"Ref": "AWS::Partition"}, f":{service}:", region, ":", account]
        return {"Fn::Join": ["", [*start_of_it, *name]]}

    assert start == {
        "Action": "ssm:StartSession",
        "Condition": {"BoolIfExists": {"ssm:SessionDocumentAccessCheck": "true"}},
        "Effect": "Allow",
        "Resource": [
            arn("ec2", ":instance/", stack.resolve(server.instance_id)),
            arn("ssm", ":document/SSM-SessionManagerRunShell"),
        ],
    }
    assert own == {
        "Action": ["ssm:ResumeSession", "ssm:TerminateSession", "ssmmessages:OpenDataChannel"],
        "Effect": "Allow",
        "Resource": arn("ssm", ":session/${aws:userid}-*"),
    }
    assert key == {
        "Action": "kms:GenerateDataKey",
        "Effect": "Allow",
        "Resource": stack.resolve(recording.encryption_key.key_arn),
    }


def test_recording_goes_on_when_the_stack_goes(stack: cdk.Stack) -> None:
    SessionRecording(stack, "Sessions")
    found = document(stack)
    assert (found["DeletionPolicy"], found["UpdateReplacePolicy"]) == (
        "RetainExceptOnCreate",
        "Retain",
    )


def test_it_ends_with_the_stack_if_told(stack: cdk.Stack) -> None:
    SessionRecording(stack, "Sessions", removal_policy=cdk.RemovalPolicy.DESTROY)
    assert document(stack)["DeletionPolicy"] == "Delete"
    # What was recorded is kept all the same.
    Template.from_stack(stack).has_resource("AWS::Logs::LogGroup", {"DeletionPolicy": "Retain"})


def minutes(number: float) -> cdk.Duration:
    return cdk.Duration.seconds(number * 60)


@pytest.mark.parametrize(
    ("props", "says"),
    [
        ({"idle_timeout": minutes(0)}, r"idle_timeout is 0 seconds: .* allows 1 to 60 whole min"),
        ({"idle_timeout": minutes(61)}, r"idle_timeout is 3660 seconds"),
        ({"idle_timeout": minutes(1.5)}, r"idle_timeout is 90 seconds"),
        ({"max_duration": minutes(1441)}, r"max_duration is 86460 seconds: .* 1 to 1440 whole"),
        ({"key_prefix": "a"}, r"key_prefix is 'a' without bucket: pass bucket=..., or leave"),
        ({"run_as": "root"}, r"run_as is 'root', which Session Manager refuses, .*: write a user"),
        ({"run_as": "a b"}, r"run_as is 'a b': write a user name that exists on the servers"),
        ({"run_as": ""}, r"run_as is '': write a user name"),
    ],
)
def test_wrong_props_are_refused_and_leave_nothing_behind(
    stack: cdk.Stack, props: dict[str, Any], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        SessionRecording(stack, "Sessions", **props)
    assert stack.node.try_find_child("Sessions") is None


def test_a_second_one_in_a_stack_is_refused(stack: cdk.Stack) -> None:
    SessionRecording(stack, "First")
    with pytest.raises(
        ValueError,
        match=r"Stack/First already records the sessions of this.*: pass all arguments to that one",
    ):
        SessionRecording(stack, "Second")


def test_sessions_on_what_is_no_server_are_refused(stack: cdk.Stack) -> None:
    recording = SessionRecording(stack, "Sessions")
    role = iam.Role(stack, "Operators", assumed_by=iam.AccountRootPrincipal())
    with pytest.raises(ValueError, match=r"write an ec2.IInstance, .*its tag aws:autoscaling"):
        recording.grant_start_session(role, "i-1")  # type: ignore[arg-type]
