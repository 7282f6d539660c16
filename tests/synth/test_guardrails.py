"""AccountGuardrails: what it sets, what it refuses, and what its function may do."""

from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk.assertions import Annotations, Match, Template

from hardened_ec2 import (
    AccountGuardrails,
    DefaultVpc,
    Ec2Attributes,
    PublicAccessExclusion,
    VpcBlockPublicAccess,
)

CUSTOM = {
    "Custom::InstanceMetadataDefaults": {
        "HttpTokens": "required",
        "HttpTokensEnforced": "enabled",
        "HttpPutResponseHopLimit": "1",
        "InstanceMetadataTags": "disabled",
    },
    "Custom::EbsEncryptionByDefault": {"EbsEncryptionByDefault": "true"},
    "Custom::ImageBlockPublicAccess": {"ImageBlockPublicAccessState": "block-new-sharing"},
    "Custom::SerialConsoleAccess": {"SerialConsoleAccessEnabled": "false"},
    "Custom::DefaultVpcSecurityGroup": {"State": "closed"},
}


def ingress_block(*exclusions: PublicAccessExclusion) -> Ec2Attributes:
    return Ec2Attributes(
        vpc_block_public_access=VpcBlockPublicAccess(mode="block-ingress", exclusions=exclusions)
    )


def types(template: Template) -> set[str]:
    return {each["Type"] for each in template.to_json()["Resources"].values()}


def statements(template: Template) -> list[dict[str, Any]]:
    (policy,) = template.find_resources("AWS::IAM::ManagedPolicy").values()
    found: list[dict[str, Any]] = policy["Properties"]["PolicyDocument"]["Statement"]
    return found


def test_every_setting_is_set_by_default(stack: cdk.Stack) -> None:
    guardrails = AccountGuardrails(stack, "Guardrails")
    template = Template.from_stack(stack)
    service_token = stack.resolve(guardrails.settings.function.function_arn)
    for kind, values in CUSTOM.items():
        template.resource_count_is(kind, 1)
        template.has_resource_properties(
            kind, {**values, "ServiceToken": service_token, "ServiceTimeout": "600"}
        )
    template.has_resource_properties(
        "AWS::EC2::SnapshotBlockPublicAccess", {"State": "block-all-sharing"}
    )
    template.has_resource_properties(
        "AWS::SSM::ServiceSetting",
        {
            "SettingId": "/ssm/managed-instance/default-ec2-instance-management-role",
            "SettingValue": {"Ref": Match.string_like_regexp("DefaultHostManagementRole")},
        },
    )
    template.resource_count_is("AWS::EC2::VPCBlockPublicAccessOptions", 0)
    template.resource_count_is("Custom::EbsDefaultKmsKey", 0)
    template.resource_count_is("Custom::DefaultVpc", 0)


def test_what_is_not_said_of_public_access_is_warned_of(stack: cdk.Stack) -> None:
    AccountGuardrails(stack, "Guardrails")
    warnings = Annotations.from_stack(stack).find_warning("*", Match.any_value())
    assert len(warnings) == 1
    text = str(warnings[0].entry.data)
    assert "VPC Block Public Access is not set" in text
    assert "vpc_block_public_access=VpcBlockPublicAccess.off() to allow it" in text


@pytest.mark.parametrize(
    "attributes",
    [ingress_block(), Ec2Attributes(vpc_block_public_access=VpcBlockPublicAccess.off()), None],
)
def test_what_is_said_is_not(stack: cdk.Stack, attributes: Ec2Attributes | None) -> None:
    AccountGuardrails(stack, "Guardrails", ec2_attributes=attributes)
    assert Annotations.from_stack(stack).find_warning("*", Match.any_value()) == []


def test_exclusions_come_before_the_block(stack: cdk.Stack) -> None:
    AccountGuardrails(
        stack,
        "Guardrails",
        ec2_attributes=ingress_block(
            PublicAccessExclusion(name="Web", vpc_id="vpc-1"),
            PublicAccessExclusion(name="Bastion", subnet_id="subnet-1"),
        ),
    )
    template = Template.from_stack(stack)
    exclusions = template.find_resources("AWS::EC2::VPCBlockPublicAccessExclusion")
    assert [each["Properties"] for each in exclusions.values()] == [
        {
            "InternetGatewayExclusionMode": "allow-bidirectional",
            "VpcId": "vpc-1",
            "Tags": [{"Key": "Name", "Value": "Web"}],
        },
        {
            "InternetGatewayExclusionMode": "allow-bidirectional",
            "SubnetId": "subnet-1",
            "Tags": [{"Key": "Name", "Value": "Bastion"}],
        },
    ]
    template.has_resource(
        "AWS::EC2::VPCBlockPublicAccessOptions",
        {
            "Properties": {"InternetGatewayBlockMode": "block-ingress"},
            "DependsOn": sorted(exclusions),
        },
    )


def test_an_exclusion_keeps_its_logical_id_whatever_is_listed_before_it() -> None:
    """CloudFormation would replace it else, and AWS takes no second one for the same VPC."""
    web = PublicAccessExclusion(name="Web", vpc_id="vpc-1")
    other = PublicAccessExclusion(name="Other", vpc_id="vpc-2")
    ids = []
    for exclusions in ((web,), (other, web)):
        stack = cdk.Stack(cdk.App(builtin_cloud_formation_validation=False), "Stack")
        AccountGuardrails(stack, "Guardrails", ec2_attributes=ingress_block(*exclusions))
        found = Template.from_stack(stack).find_resources(
            "AWS::EC2::VPCBlockPublicAccessExclusion", {"Properties": {"VpcId": "vpc-1"}}
        )
        ids += list(found)
    assert len(ids) == 2
    assert len(set(ids)) == 1


def test_the_account_stays_hardened_when_the_stack_goes(stack: cdk.Stack) -> None:
    AccountGuardrails(stack, "Guardrails", ec2_attributes=ingress_block())
    template = Template.from_stack(stack)
    kept = [*CUSTOM, "AWS::EC2::SnapshotBlockPublicAccess", "AWS::SSM::ServiceSetting"]
    for kind in kept:
        template.has_resource(
            kind, {"DeletionPolicy": "RetainExceptOnCreate", "UpdateReplacePolicy": "Retain"}
        )
    # Except what would cut off its own exclusions.
    template.has_resource(
        "AWS::EC2::VPCBlockPublicAccessOptions", {"DeletionPolicy": Match.absent()}
    )


def test_the_settings_go_with_the_stack_if_told(stack: cdk.Stack) -> None:
    AccountGuardrails(
        stack,
        "Guardrails",
        ec2_attributes=ingress_block(),
        removal_policy=cdk.RemovalPolicy.DESTROY,
    )
    template = Template.from_stack(stack)
    for kind in [*CUSTOM, "AWS::EC2::SnapshotBlockPublicAccess", "AWS::SSM::ServiceSetting"]:
        template.has_resource(kind, {"DeletionPolicy": "Delete"})


def test_an_organization_s_policy_leaves_the_rest(stack: cdk.Stack) -> None:
    AccountGuardrails(stack, "Guardrails", ec2_attributes=None)
    template = Template.from_stack(stack)
    assert {each for each in types(template) if each.startswith(("Custom::", "AWS::EC2::"))} == {
        "Custom::EbsEncryptionByDefault",
        "Custom::DefaultVpcSecurityGroup",
    }
    template.resource_count_is("AWS::SSM::ServiceSetting", 1)


def test_the_default_key_is_set_before_encryption(stack: cdk.Stack) -> None:
    key = kms.Key(stack, "Key")
    AccountGuardrails(stack, "Guardrails", ebs_encryption_key=key)
    template = Template.from_stack(stack)
    (key_id,) = template.find_resources(
        "Custom::EbsDefaultKmsKey", {"Properties": {"KmsKeyId": stack.resolve(key.key_arn)}}
    )
    template.has_resource("Custom::EbsEncryptionByDefault", {"DependsOn": [key_id]})


@pytest.mark.parametrize(
    ("default_vpc", "kinds"),
    [
        (DefaultVpc.KEEP, set()),
        (DefaultVpc.CLOSE_SECURITY_GROUP, {"Custom::DefaultVpcSecurityGroup"}),
        (DefaultVpc.DELETE, {"Custom::DefaultVpc"}),
    ],
)
def test_the_default_vpc_is_kept_closed_or_deleted(
    stack: cdk.Stack, default_vpc: DefaultVpc, kinds: set[str]
) -> None:
    AccountGuardrails(stack, "Guardrails", default_vpc=default_vpc)
    found = {each for each in types(Template.from_stack(stack)) if "DefaultVpc" in each}
    assert found == kinds


def test_host_management_takes_another_role_or_none(stack: cdk.Stack) -> None:
    role = iam.Role.from_role_name(stack, "Hosts", "hosts")
    AccountGuardrails(stack, "Guardrails", default_host_management_role=role)
    template = Template.from_stack(stack)
    template.has_resource_properties("AWS::SSM::ServiceSetting", {"SettingValue": "hosts"})
    template.resource_count_is("AWS::IAM::Role", 1)
    other = cdk.Stack(cdk.App(builtin_cloud_formation_validation=False), "Other")
    AccountGuardrails(other, "Guardrails", default_host_management=False)
    Template.from_stack(other).resource_count_is("AWS::SSM::ServiceSetting", 0)


def test_the_function_may_do_what_its_settings_take_and_no_more(stack: cdk.Stack) -> None:
    AccountGuardrails(stack, "Guardrails", ec2_attributes=None, default_vpc=DefaultVpc.KEEP)
    logs, ec2 = statements(Template.from_stack(stack))
    assert logs["Action"] == ["logs:CreateLogStream", "logs:PutLogEvents"]
    assert "Fn::GetAtt" in logs["Resource"]
    assert ec2 == {
        "Effect": "Allow",
        "Action": [
            "ec2:DisableEbsEncryptionByDefault",
            "ec2:EnableEbsEncryptionByDefault",
            "ec2:GetEbsEncryptionByDefault",
        ],
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:RequestedRegion": {"Ref": "AWS::Region"}}},
    }


def test_it_may_delete_only_where_it_was_told_to(stack: cdk.Stack) -> None:
    AccountGuardrails(stack, "Guardrails")
    template = Template.from_stack(stack)
    assert "Delete" not in str(statements(template))
    assert "iam:" not in str(statements(template))
    other = cdk.Stack(cdk.App(builtin_cloud_formation_validation=False), "Other")
    AccountGuardrails(other, "Guardrails", default_vpc=DefaultVpc.DELETE)
    deleting = {
        statement["Resource"]["Fn::Join"][1][-1]
        for statement in statements(Template.from_stack(other))
        if "Delete" in str(statement["Action"])
    }
    assert deleting == {":internet-gateway/*", ":subnet/*", ":vpc/*"}


def test_no_action_is_a_wildcard(stack: cdk.Stack) -> None:
    AccountGuardrails(
        stack,
        "Guardrails",
        ebs_encryption_key=kms.Key(stack, "Key"),
        default_vpc=DefaultVpc.DELETE,
    )
    for statement in statements(Template.from_stack(stack)):
        assert "*" not in str(statement["Action"])


def test_the_function_logs_encrypted_and_waits_for_its_permissions(stack: cdk.Stack) -> None:
    AccountGuardrails(stack, "Guardrails")
    template = Template.from_stack(stack)
    (policy,) = template.find_resources("AWS::IAM::ManagedPolicy")
    (log_group,) = template.find_resources("AWS::Logs::LogGroup")
    template.has_resource(
        "AWS::Lambda::Function",
        {
            "Properties": {
                "Handler": "account_settings.handler.on_event",
                "Timeout": 120,
                "LoggingConfig": {"LogGroup": {"Ref": log_group}},
            },
            "DependsOn": Match.array_with([policy]),
        },
    )
    template.has_resource_properties(
        "AWS::Logs::LogGroup", {"RetentionInDays": 365, "KmsKeyId": Match.any_value()}
    )
    template.resource_count_is("AWS::IAM::Policy", 0)
    template.resource_count_is("AWS::Lambda::Function", 1)


def test_the_asset_is_the_code_and_nothing_else(tmp_path: Path) -> None:
    app = cdk.App(outdir=str(tmp_path), builtin_cloud_formation_validation=False)
    AccountGuardrails(cdk.Stack(app, "Stack"), "Guardrails")
    app.synth()
    (asset,) = (each for each in tmp_path.glob("asset.*") if each.is_dir())
    files = {each.relative_to(asset).as_posix() for each in asset.rglob("*") if each.is_file()}
    assert files == {
        "__init__.py",
        "account_settings/__init__.py",
        "account_settings/default_vpc.py",
        "account_settings/handler.py",
        "account_settings/settings.py",
    }


@pytest.mark.parametrize(
    ("removal_policy", "says"),
    [
        (
            cdk.RemovalPolicy.SNAPSHOT,
            r"removal_policy is SNAPSHOT: write one of RemovalPolicy\.RETAIN_ON_UPDATE_OR_DELETE, ",
        ),
    ],
)
def test_a_removal_policy_that_means_nothing_is_refused(
    stack: cdk.Stack, removal_policy: cdk.RemovalPolicy, says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        AccountGuardrails(stack, "Guardrails", removal_policy=removal_policy)
    assert stack.node.try_find_child("Guardrails") is None


def test_a_role_for_nothing_is_refused(stack: cdk.Stack) -> None:
    role = iam.Role.from_role_name(stack, "Hosts", "hosts")
    with pytest.raises(ValueError, match="so no instance would use the role: leave one of the"):
        AccountGuardrails(
            stack,
            "Guardrails",
            default_host_management=False,
            default_host_management_role=role,
        )


def test_a_second_one_in_a_stack_is_refused(stack: cdk.Stack) -> None:
    AccountGuardrails(stack, "First")
    with pytest.raises(
        ValueError,
        match=r"Stack/First already sets the guardrails of this.*: pass all arguments to that one",
    ):
        AccountGuardrails(stack, "Second")
