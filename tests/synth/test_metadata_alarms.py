"""MetadataAlarms: what is an alarm, who is told, and that CloudWatch may tell them."""

import json
import re
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk.assertions import Match, Template

from hardened_ec2 import HardenedAutoScalingGroup, HardenedInstance, HardenedVpc, MetadataAlarms
from hardened_ec2.account.metadata_alarms import DENIED
from hardened_ec2.host import HostHardening
from tests.synth.user_data import text_of

ALARM = "AWS::CloudWatch::Alarm"


def alarms(stack: cdk.Stack) -> dict[str, dict[str, Any]]:
    found = Template.from_stack(stack).find_resources(ALARM).values()
    return {each["Properties"]["MetricName"]: each["Properties"] for each in found}


@pytest.fixture
def server(stack: cdk.Stack, vpc: HardenedVpc) -> HardenedInstance:
    return HardenedInstance(stack, "Server", vpc=vpc)


def test_one_call_without_a_token_is_an_alarm_whether_answered_or_refused(
    stack: cdk.Stack, server: HardenedInstance
) -> None:
    made = MetadataAlarms(stack, "Alarms", server=server)
    found = alarms(stack)
    assert set(found) == set(made.alarms) == {"MetadataNoToken", "MetadataNoTokenRejected"}
    for name, alarm in found.items():
        description = alarm.pop("AlarmDescription")
        assert "without a session token" in description
        assert alarm == {
            "AlarmActions": [stack.resolve(made.topic.topic_arn)],
            "ComparisonOperator": "GreaterThanOrEqualToThreshold",
            "Dimensions": [{"Name": "InstanceId", "Value": stack.resolve(server.instance_id)}],
            "EvaluationPeriods": 1,
            "MetricName": name,
            "Namespace": "AWS/EC2",
            "Period": 300,
            "Statistic": "Sum",
            "Threshold": 1,
            "TreatMissingData": "notBreaching",
        }


def test_a_fleet_is_watched_as_one(stack: cdk.Stack) -> None:
    vpc = HardenedVpc(stack, "Vpc", interface_endpoints=("ssm", "ssmmessages", "autoscaling"))
    fleet = HardenedAutoScalingGroup(stack, "Fleet", vpc=vpc)
    MetadataAlarms(stack, "Alarms", server=fleet)
    for alarm in alarms(stack).values():
        (dimension,) = alarm["Dimensions"]
        assert dimension["Name"] == "AutoScalingGroupName"
        assert dimension["Value"] == stack.resolve(fleet.auto_scaling_group_name)


def test_cloud_watch_of_this_account_may_publish_to_the_encrypted_topic(
    stack: cdk.Stack, server: HardenedInstance
) -> None:
    MetadataAlarms(stack, "Alarms", server=server)
    template = Template.from_stack(stack)
    mine = {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    service = {"Service": "cloudwatch.amazonaws.com"}
    template.has_resource_properties(
        "AWS::SNS::TopicPolicy",
        {
            "PolicyDocument": {
                "Statement": Match.array_with(
                    [
                        Match.object_like({"Effect": "Deny", "Action": "sns:Publish"}),
                        Match.object_like(
                            {
                                "Effect": "Allow",
                                "Action": "sns:Publish",
                                "Principal": service,
                                "Condition": mine,
                            }
                        ),
                    ]
                )
            }
        },
    )
    (topic,) = template.find_resources("AWS::SNS::Topic").values()
    key = topic["Properties"]["KmsMasterKeyId"]["Fn::GetAtt"][0]
    statements = template.find_resources("AWS::KMS::Key")[key]["Properties"]["KeyPolicy"]
    assert {
        "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
        "Condition": mine,
        "Effect": "Allow",
        "Principal": service,
        "Resource": "*",
    } in statements["Statement"]


def test_alarms_of_several_servers_share_a_topic(
    stack: cdk.Stack, vpc: HardenedVpc, server: HardenedInstance
) -> None:
    topic = sns.Topic(stack, "Mine")
    other = HardenedInstance(stack, "Other", vpc=vpc)
    assert MetadataAlarms(stack, "Alarms", server=server, topic=topic).topic is topic
    MetadataAlarms(stack, "OtherAlarms", server=other, topic=topic)
    template = Template.from_stack(stack)
    template.resource_count_is(ALARM, 4)
    template.resource_count_is("AWS::SNS::Topic", 1)
    template.all_resources_properties(ALARM, {"AlarmActions": [stack.resolve(topic.topic_arn)]})


def test_denied_calls_in_the_log_are_counted_and_an_alarm(
    stack: cdk.Stack, server: HardenedInstance
) -> None:
    log_group = logs.LogGroup(stack, "Kernel")
    MetadataAlarms(stack, "Alarms", server=server, log_group=log_group, denied_calls=12)
    ((_, written),) = Template.from_stack(stack).find_resources("AWS::Logs::MetricFilter").items()
    properties = written["Properties"]
    assert properties["LogGroupName"] == stack.resolve(log_group.log_group_name)
    assert properties["FilterPattern"] == '"imds-denied"'
    (counted,) = properties["MetricTransformations"]
    alarm = alarms(stack)[counted["MetricName"]]
    assert (alarm["Namespace"], counted["MetricNamespace"]) == ("HardenedEc2", "HardenedEc2")
    assert (alarm["Threshold"], counted["MetricValue"], counted["DefaultValue"]) == (12, "1", 0)
    assert "Dimensions" not in alarm


def test_two_log_groups_do_not_count_into_one_another(
    stack: cdk.Stack, server: HardenedInstance
) -> None:
    for name in ("First", "Second"):
        log_group = logs.LogGroup(stack, f"{name}Log")
        MetadataAlarms(stack, name, server=server, log_group=log_group)
    assert len(alarms(stack)) == 4


def test_the_filter_looks_for_what_the_host_writes() -> None:
    """The one word that both sides must agree on."""
    assert f'log prefix "{DENIED} "' in HostHardening(profile="core").render()


@pytest.mark.parametrize(
    ("props", "says"),
    [
        ({"server": "i-1"}, r"server is 'i-1': write an ec2.IInstance, .*HardenedAutoScalingGroup"),
        (
            {"denied_calls": 2},
            r"denied_calls is 2 without log_group.*: pass the log group of the kernel log",
        ),
        ({"denied_calls": 0, "log_group": True}, r"denied_calls is 0: write a whole number"),
        ({"denied_calls": True, "log_group": True}, r"denied_calls is True: write a whole"),
    ],
)
def test_wrong_props_are_refused_and_leave_nothing_behind(
    stack: cdk.Stack, server: HardenedInstance, props: dict[str, Any], says: str
) -> None:
    if "log_group" in props:
        props = {**props, "log_group": logs.LogGroup(stack, "Kernel")}
    with pytest.raises(ValueError, match=says):
        MetadataAlarms(stack, "Alarms", **{"server": server, **props})
    assert stack.node.try_find_child("Alarms") is None


def test_the_commands_of_the_documentation_stand_as_they_are(
    stack: cdk.Stack, server: HardenedInstance
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "MONITORING.md").read_text("utf-8")
    (block,) = (
        each for each in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "dnf" in each
    )
    names = {"stack": stack, "server": server, "logs": logs, "MetadataAlarms": MetadataAlarms}
    exec(block, {**names, "key": kms.Key(stack, "Key")})  # noqa: S102 - our own page
    found = Template.from_stack(stack).find_resources("AWS::EC2::Instance")
    (text,) = (text_of(each["Properties"]["UserData"]) for each in found.values())
    assert "echo ':msg, contains, \"imds-denied\" /var/log/imds-denied.log'" in text
    configuration = json.loads(re.findall(r"<<'EOF'\n(\{\"logs\".*)\nEOF\n", text)[0])
    (collected,) = configuration["logs"]["logs_collected"]["files"]["collect_list"]
    assert collected["file_path"] in text.partition("<<'EOF'")[0]
    assert collected["log_group_name"].startswith("<Denied")
