"""HardeningAssociation and PatchSchedule as template."""

import json
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_autoscaling as autoscaling
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk.assertions import Match, Template

from hardened_ec2 import (
    HardenedAutoScalingGroup,
    HardenedInstance,
    HardenedLaunchTemplate,
    HardenedVpc,
    HardeningAssociation,
    HostHardening,
    ManagedNodes,
    PatchSchedule,
)
from hardened_ec2.host.command_document import command_document
from tests.synth.findings import findings

STRICT = HostHardening(profile="strict")
TAGGED = ManagedNodes.tagged("Environment", "production")


@pytest.fixture
def server(stack: cdk.Stack, vpc: HardenedVpc) -> HardenedInstance:
    return HardenedInstance(stack, "Server", vpc=vpc, host_hardening=STRICT)


@pytest.fixture
def fleet(stack: cdk.Stack) -> HardenedAutoScalingGroup:
    vpc = HardenedVpc(stack, "FleetVpc", interface_endpoints=("ssm", "ssmmessages", "autoscaling"))
    return HardenedAutoScalingGroup(stack, "Fleet", vpc=vpc)


def only(stack: cdk.Stack, kind: str) -> dict[str, Any]:
    (resource,) = Template.from_stack(stack).find_resources(f"AWS::{kind}").values()
    return dict(resource["Properties"])


def statements(stack: cdk.Stack, policy: iam.ManagedPolicy) -> list[dict[str, Any]]:
    resource = policy.node.default_child
    assert isinstance(resource, cdk.CfnElement)
    name = stack.resolve(resource.logical_id)
    found = Template.from_stack(stack).to_json()["Resources"][name]["Properties"]
    return list(found["PolicyDocument"]["Statement"])


def roles(stack: cdk.Stack, policy: iam.ManagedPolicy) -> list[dict[str, Any]]:
    resource = policy.node.default_child
    assert isinstance(resource, cdk.CfnElement)
    name = stack.resolve(resource.logical_id)
    found = Template.from_stack(stack).to_json()["Resources"][name]["Properties"]
    return list(found.get("Roles", []))


# Which servers.


def test_servers_are_named_by_id_tag_or_group(
    stack: cdk.Stack, server: HardenedInstance, fleet: HardenedAutoScalingGroup
) -> None:
    named = ManagedNodes.instances(server)
    assert (named.key, named.values) == ("InstanceIds", (server.instance_id,))
    assert named.roles == (server.role,)
    assert named.hardenings == (STRICT,)
    group = ManagedNodes.auto_scaling_group(fleet)
    assert group.key == "tag:aws:autoscaling:groupName"
    assert stack.resolve(group.values[0]) == stack.resolve(fleet.auto_scaling_group_name)
    assert group.roles == (fleet.launch_templates[0].server_role,)
    assert group.hardenings == (HostHardening(),)
    assert (TAGGED.key, TAGGED.values, TAGGED.roles) == ("tag:Environment", ("production",), ())


def test_servers_that_are_not_ours_have_a_role_and_no_hardening(stack: cdk.Stack) -> None:
    vpc = ec2.Vpc(stack, "Plain")
    plain = ec2.Instance(
        stack,
        "Instance",
        vpc=vpc,
        instance_type=ec2.InstanceType("t4g.small"),
        machine_image=ec2.MachineImage.latest_amazon_linux2023(),
    )
    (role,) = ManagedNodes.instances(plain, plain).roles
    assert role.node.path == plain.role.node.path
    assert ManagedNodes.instances(plain).hardenings == ()
    imported = autoscaling.AutoScalingGroup.from_auto_scaling_group_name(stack, "Imported", "web")
    assert ManagedNodes.auto_scaling_group(imported).values == ("web",)
    assert ManagedNodes.auto_scaling_group(imported).roles == ()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            {"key": "Name", "values": ("web",)},
            r"key='Name': write ManagedNodes\.tagged.* or ManagedNodes\.auto_scaling_group\(",
        ),
        ({"key": "tag:Name", "values": ()}, "no server or every server: write at least one"),
        ({"key": "tag:Name", "values": ("",)}, "and no empty one"),
        (
            {"key": "InstanceIds", "values": tuple(f"i-{n}" for n in range(51))},
            "51 instance ids: Systems Manager allows 50; tag the instances",
        ),
    ],
)
def test_nodes_that_systems_manager_would_refuse(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        ManagedNodes(**arguments)


# The association.


def test_it_applies_the_servers_own_hardening_and_counts_what_fails(
    stack: cdk.Stack, server: HardenedInstance
) -> None:
    association = HardeningAssociation(stack, "Upkeep", nodes=ManagedNodes.instances(server))
    assert association.host_hardening == STRICT
    document = only(stack, "SSM::Document")
    assert document["Content"] == json.loads(json.dumps(command_document(STRICT)))
    assert document["DocumentType"] == "Command"
    assert document["UpdateMethod"] == "NewVersion"
    properties = only(stack, "SSM::Association")
    assert properties["Name"] == stack.resolve(association.document.ref)
    assert properties["Targets"] == [
        {"Key": "InstanceIds", "Values": [stack.resolve(server.instance_id)]}
    ]
    assert properties["Parameters"] == {"Operation": ["Apply"]}
    assert properties["SyncCompliance"] == "AUTO"
    assert properties["ComplianceSeverity"] == "CRITICAL"
    assert properties["ScheduleExpression"] == "rate(720 minutes)"
    assert properties["MaxErrors"] == "100%"
    assert "OutputLocation" not in properties


def test_its_settings_can_be_others(stack: cdk.Stack) -> None:
    HardeningAssociation(
        stack,
        "Upkeep",
        nodes=TAGGED,
        operation="Check",
        rate=cdk.Duration.minutes(30),
        max_concurrency="5",
        max_errors="10%",
        compliance_severity="HIGH",
    )
    assert {
        "Parameters": {"Operation": ["Check"]},
        "ScheduleExpression": "rate(30 minutes)",
        "MaxConcurrency": "5",
        "MaxErrors": "10%",
        "ComplianceSeverity": "HIGH",
    }.items() <= only(stack, "SSM::Association").items()


def test_servers_of_the_app_get_the_permissions(
    stack: cdk.Stack, server: HardenedInstance, fleet: HardenedAutoScalingGroup
) -> None:
    one = HardeningAssociation(stack, "One", nodes=ManagedNodes.instances(server))
    all_ = HardeningAssociation(stack, "All", nodes=ManagedNodes.auto_scaling_group(fleet))
    others = HardeningAssociation(stack, "Others", nodes=TAGGED)
    assert roles(stack, one.permissions) == [stack.resolve(server.role.role_name)]
    template = fleet.launch_templates[0]
    assert roles(stack, all_.permissions) == [stack.resolve(template.server_role.role_name)]
    assert roles(stack, others.permissions) == []


def test_the_permissions_are_state_managers_and_no_more(stack: cdk.Stack) -> None:
    association = HardeningAssociation(stack, "Upkeep", nodes=TAGGED)
    documents, associations, listing = statements(stack, association.permissions)
    assert documents["Action"] == ["ssm:DescribeDocument", "ssm:GetDocument"]
    assert ":document/" in str(documents["Resource"])
    assert stack.resolve(association.document.ref) in documents["Resource"]["Fn::Join"][1]
    assert set(associations["Action"]) == {
        "ssm:DescribeAssociation",
        "ssm:ListInstanceAssociations",
        "ssm:UpdateAssociationStatus",
        "ssm:UpdateInstanceAssociationStatus",
    }
    assert "*" not in associations["Resource"]
    assert listing == {"Action": "ssm:ListAssociations", "Effect": "Allow", "Resource": "*"}


def test_what_runs_print_is_kept_where_it_is_asked_to(
    stack: cdk.Stack, server: HardenedInstance
) -> None:
    key = kms.Key(stack, "Key")
    bucket = s3.Bucket(stack, "Bucket", encryption_key=key)
    association = HardeningAssociation(
        stack, "Upkeep", nodes=ManagedNodes.instances(server), output_bucket=bucket
    )
    location = only(stack, "SSM::Association")["OutputLocation"]["S3Location"]
    assert location["OutputS3BucketName"] == stack.resolve(bucket.bucket_name)
    assert location["OutputS3KeyPrefix"] == "hardening"
    put, ask, encrypt = statements(stack, association.permissions)[-3:]
    assert put["Action"] == "s3:PutObject"
    assert "/hardening/*" in str(put["Resource"])
    assert ask["Action"] == "s3:GetEncryptionConfiguration"
    assert encrypt["Resource"] == stack.resolve(key.key_arn)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"nodes": "web"},
            r"nodes is 'web': write ManagedNodes\.instances.* or ManagedNodes\.tagged\(",
        ),
        ({"host_hardening": "strict"}, "host_hardening is 'strict': write HostHardening"),
        ({"operation": "Scan"}, "operation is 'Scan': write one of 'Apply', 'Check'"),
        ({"compliance_severity": "high"}, "compliance_severity is 'high': write one of 'CRITICAL'"),
        ({"max_errors": "0%"}, "max_errors is '0%': write a number or a percentage"),
        ({"max_concurrency": 5}, "max_concurrency is 5: write a number or a percentage"),
        ({"rate": cdk.Duration.minutes(29)}, "rate is 29 minutes: .* 30 minutes to 31 days"),
        ({"rate": cdk.Duration.days(32)}, "rate is 46080 minutes"),
        (
            {"output_key_prefix": "x"},
            r"output_key_prefix is 'x' without output_bucket: pass output_bucket=\.\.\., or leave",
        ),
    ],
)
def test_wrong_arguments_of_an_association(
    stack: cdk.Stack, changes: dict[str, Any], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        HardeningAssociation(stack, "Upkeep", **{"nodes": TAGGED, **changes})
    assert stack.node.try_find_child("Upkeep") is None


def test_another_hardening_than_the_servers_own_is_refused(
    stack: cdk.Stack, vpc: HardenedVpc, server: HardenedInstance
) -> None:
    with pytest.raises(ValueError, match="the two would take turns: leave host_hardening out"):
        HardeningAssociation(
            stack,
            "Upkeep",
            nodes=ManagedNodes.instances(server),
            host_hardening=HostHardening(profile="baseline"),
        )
    other = HardenedInstance(stack, "Other", vpc=vpc)
    with pytest.raises(ValueError, match="create a HardeningAssociation for each hardening"):
        HardeningAssociation(stack, "Upkeep", nodes=ManagedNodes.instances(server, other))
    HardeningAssociation(
        stack, "Upkeep", nodes=ManagedNodes.instances(server), host_hardening=STRICT
    )


# The patches.


def test_security_updates_are_approved_after_a_week(stack: cdk.Stack) -> None:
    PatchSchedule(stack, "Patches", nodes=ManagedNodes.tagged("PatchGroup", "web", "api"))
    baseline = only(stack, "SSM::PatchBaseline")
    assert baseline["OperatingSystem"] == "AMAZON_LINUX_2023"
    assert baseline["PatchGroups"] == ["web", "api"]
    assert baseline["ApprovedPatchesComplianceLevel"] == "CRITICAL"
    (rule,) = baseline["ApprovalRules"]["PatchRules"]
    assert rule["ApproveAfterDays"] == 7
    assert rule["PatchFilterGroup"]["PatchFilters"] == [
        {"Key": "CLASSIFICATION", "Values": ["Security"]}
    ]


@pytest.mark.parametrize("system", ["UBUNTU", "DEBIAN"])
def test_where_updates_have_no_dates_none_is_asked_for(stack: cdk.Stack, system: Any) -> None:  # noqa: ANN401
    nodes = ManagedNodes.tagged("PatchGroup", "web")
    PatchSchedule(stack, "Patches", nodes=nodes, operating_system=system)
    (rule,) = only(stack, "SSM::PatchBaseline")["ApprovalRules"]["PatchRules"]
    assert "ApproveAfterDays" not in rule
    assert [each["Key"] for each in rule["PatchFilterGroup"]["PatchFilters"]] == ["PRIORITY"]
    with pytest.raises(ValueError, match="no release date in Patch Manager"):
        PatchSchedule(stack, "More", nodes=nodes, operating_system=system, approve_after_days=7)


def test_they_are_installed_in_the_window_on_these_servers_alone(stack: cdk.Stack) -> None:
    PatchSchedule(
        stack,
        "Patches",
        nodes=ManagedNodes.tagged("PatchGroup", "web"),
        schedule=events.Schedule.expression("cron(0 2 ? * TUE *)"),
        schedule_timezone="Europe/Berlin",
        duration=cdk.Duration.hours(4),
        reboot=False,
    )
    window = only(stack, "SSM::MaintenanceWindow")
    assert window["ScheduleTimezone"] == "Europe/Berlin"
    assert (window["Schedule"], window["Duration"], window["Cutoff"]) == (
        "cron(0 2 ? * TUE *)",
        4,
        1,
    )
    assert window["AllowUnassociatedTargets"] is False
    assert only(stack, "SSM::MaintenanceWindowTarget")["Targets"] == [
        {"Key": "tag:PatchGroup", "Values": ["web"]}
    ]
    task = only(stack, "SSM::MaintenanceWindowTask")
    assert task["TaskArn"] == "AWS-RunPatchBaseline"
    command = task["TaskInvocationParameters"]["MaintenanceWindowRunCommandParameters"]
    assert command["Parameters"] == {"Operation": ["Install"], "RebootOption": ["NoReboot"]}
    assert command["CloudWatchOutputConfig"]["CloudWatchOutputEnabled"] is True
    Template.from_stack(stack).has_resource_properties(
        "AWS::Logs::LogGroup", {"KmsKeyId": Match.any_value()}
    )


def test_the_task_may_run_that_document_on_these_servers(stack: cdk.Stack) -> None:
    PatchSchedule(stack, "Patches", nodes=ManagedNodes.tagged("PatchGroup", "web"))
    template = Template.from_stack(stack)
    (policy,) = template.find_resources(
        "AWS::IAM::ManagedPolicy",
        {"Properties": {"Description": Match.string_like_regexp("^Run the patch document")}},
    ).values()
    document, servers, reading = policy["Properties"]["PolicyDocument"]["Statement"]
    assert ":document/AWS-RunPatchBaseline" in str(document["Resource"])
    assert servers["Condition"] == {"StringEquals": {"ssm:resourceTag/PatchGroup": "web"}} or (
        servers["Condition"] == {"StringEquals": {"ssm:resourceTag/PatchGroup": ["web"]}}
    )
    assert "ssm:SendCommand" not in reading["Action"]
    template.has_resource_properties(
        "AWS::IAM::Role",
        {
            "AssumeRolePolicyDocument": {
                "Statement": [
                    {
                        "Action": "sts:AssumeRole",
                        "Principal": {"Service": "ssm.amazonaws.com"},
                        "Condition": {
                            "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
                        },
                    }
                ]
            }
        },
    )


def test_servers_of_the_app_get_the_tag_and_the_permissions(
    stack: cdk.Stack, server: HardenedInstance, fleet: HardenedAutoScalingGroup
) -> None:
    one = PatchSchedule(stack, "One", nodes=ManagedNodes.instances(server), patch_group="one")
    all_ = PatchSchedule(stack, "All", nodes=ManagedNodes.auto_scaling_group(fleet))
    template = Template.from_stack(stack)
    template.has_resource_properties(
        "AWS::EC2::Instance", {"Tags": Match.array_with([{"Key": "PatchGroup", "Value": "one"}])}
    )
    (group,) = template.find_resources("AWS::AutoScaling::AutoScalingGroup").values()
    (tag,) = (each for each in group["Properties"]["Tags"] if each["Key"] == "PatchGroup")
    assert tag["PropagateAtLaunch"] is True
    assert tag["Value"] == all_.patch_baseline.patch_groups[0]  # type: ignore[index]
    assert roles(stack, one.permissions) == [stack.resolve(server.role.role_name)]
    assert len(roles(stack, all_.permissions)) == 1
    actions = [s["Action"] for s in statements(stack, one.permissions)]
    assert "ssm:GetDeployablePatchSnapshotForInstance" in actions[0]
    assert "ssm:GetParameter" not in str(actions)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"nodes": "web"},
            r"nodes is 'web': write ManagedNodes\.instances.*\.tagged\('PatchGroup', 'web'\)",
        ),
        ({"nodes": TAGGED}, "the tag PatchGroup assigns a server to its patch baseline: tag the"),
        (
            {"patch_group": "api"},
            "selects servers by their patch groups .web.: leave patch_group out",
        ),
        ({"operating_system": "WINDOWS"}, "operating_system is 'WINDOWS': write one of"),
        ({"approve_after_days": -1}, "approve_after_days is -1: write a number of days from 0"),
        ({"approve_after_days": True}, "approve_after_days is True"),
        ({"approve_after_days": 361}, "approve_after_days is 361"),
        ({"duration": cdk.Duration.hours(1)}, "duration is 1 hours: .* 2 to 24 whole hours"),
        ({"duration": cdk.Duration.minutes(150)}, "duration is 2.5 hours"),
    ],
)
def test_wrong_arguments_of_a_patch_schedule(
    stack: cdk.Stack, changes: dict[str, Any], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        PatchSchedule(
            stack, "Patches", **{"nodes": ManagedNodes.tagged("PatchGroup", "web"), **changes}
        )
    assert stack.node.try_find_child("Patches") is None


def test_the_pack_finds_nothing(app: cdk.App, stack: cdk.Stack, vpc: HardenedVpc) -> None:
    template = HardenedLaunchTemplate(stack, "Template", vpc=vpc)
    assert template.host_hardening == HostHardening()
    server = HardenedInstance(stack, "Server", vpc=vpc)
    nodes = ManagedNodes.instances(server)
    HardeningAssociation(stack, "Upkeep", nodes=nodes)
    PatchSchedule(stack, "Patches", nodes=nodes)
    assert findings(app) == set()
