"""Upkeep by Systems Manager: bad, good, not known and in disguise."""

from typing import Any

import pytest

from hardened_ec2.policy import Settings, Severity
from tests.unit.policy.templates import found, if_, judged, message, ref, resource

UNSET: dict[str, Any] = {"Parameters": {"Unset": {"Type": "String"}}}
BLOCKED = {
    "BlockPublicAcls": True,
    "BlockPublicPolicy": True,
    "IgnorePublicAcls": True,
    "RestrictPublicBuckets": True,
}
SHARING = "/ssm/documents/console/public-sharing-permission"
SECURITY = {
    "PatchFilterGroup": {"PatchFilters": [{"Key": "CLASSIFICATION", "Values": ["Security"]}]},
    "ApproveAfterDays": 7,
}


def writing(name: object, **bucket: object) -> dict[str, Any]:
    location = {"S3Location": {"OutputS3BucketName": name}}
    return {
        "Upkeep": resource("SSM::Association", Name="Harden", OutputLocation=location),
        "Bucket": resource("S3::Bucket", **bucket),
    }


@pytest.mark.parametrize(
    ("bucket", "text"),
    [
        (
            {"PublicAccessBlockConfiguration": {**BLOCKED, "BlockPublicPolicy": False}},
            "BlockPublicPolicy is false for Bucket, which receives the output of Upkeep",
        ),
        ({"AccessControl": "PublicRead"}, "has AccessControl 'PublicRead'"),
        # In disguise.
        (
            {
                "PublicAccessBlockConfiguration": {
                    key: value for key, value in BLOCKED.items() if key != "RestrictPublicBuckets"
                }
            },
            "RestrictPublicBuckets is not given for Bucket",
        ),
        (
            {"PublicAccessBlockConfiguration": {**BLOCKED, "IgnorePublicAcls": "false"}},
            "IgnorePublicAcls is false",
        ),
        (
            {"AccessControl": if_("C", "PublicReadWrite", "Private")},
            "'PublicReadWrite' (when condition C is true)",
        ),
        ({"AccessControl": "AuthenticatedRead"}, "'AuthenticatedRead'"),
    ],
)
def test_output_that_goes_to_an_open_bucket(bucket: dict[str, Any], text: str) -> None:
    (finding,) = found("AssociationOutput", writing(ref("Bucket"), **bucket))
    assert finding.severity is Severity.ERROR
    assert finding.logical_id == "Bucket"
    assert text in finding.message


@pytest.mark.parametrize(
    "bucket", [{}, {"PublicAccessBlockConfiguration": BLOCKED}, {"AccessControl": "Private"}]
)
def test_output_that_goes_to_a_closed_bucket_or_nowhere_is_sound(bucket: dict[str, Any]) -> None:
    assert found("AssociationOutput", writing(ref("Bucket"), **bucket)) == []
    assert judged({"Upkeep": resource("SSM::Association", Name="Harden")}) == []


def test_an_open_bucket_that_gets_nothing_of_it_is_none_of_this_rules_business() -> None:
    resources = writing(ref("Bucket"))
    resources["Website"] = resource("S3::Bucket", AccessControl="PublicRead")
    assert found("AssociationOutput", resources) == []


@pytest.mark.parametrize(
    ("resources", "text"),
    [
        (writing("my-bucket"), "the bucket 'my-bucket' is open to the public is not known"),
        (writing(ref("Unset")), "it is not in the templates"),
        (
            writing(
                ref("Bucket"),
                PublicAccessBlockConfiguration={**BLOCKED, "BlockPublicAcls": ref("Unset")},
            ),
            "whether Bucket is public is not known: parameter Unset",
        ),
    ],
)
def test_buckets_that_are_not_known(resources: dict[str, Any], text: str) -> None:
    assert found("AssociationOutput", resources, **UNSET) == []
    assert text in message("CannotVerify", resources, **UNSET)


def sharing(value: object, name: object = SHARING) -> dict[str, Any]:
    return {"Sharing": resource("SSM::ServiceSetting", SettingId=name, SettingValue=value)}


@pytest.mark.parametrize(
    "resources",
    [
        sharing("Enable"),
        sharing("enable"),
        sharing(if_("C", "Enable", "Disable")),
        sharing("Enable", f"arn:aws:ssm:eu-west-1:123456789012:servicesetting{SHARING}"),
        sharing("Enable", {"Fn::Sub": f"arn:aws:ssm:${{AWS::Region}}:1:servicesetting{SHARING}"}),
    ],
)
def test_documents_that_can_be_shared_with_everyone(resources: dict[str, Any]) -> None:
    (finding,) = found("DocumentSharing", resources)
    assert finding.severity is Severity.ERROR
    assert "public sharing of documents is" in finding.message


def test_documents_that_cannot_and_other_settings_are_sound() -> None:
    assert judged(sharing("Disable")) == []
    assert (
        judged(sharing("role", "/ssm/managed-instance/default-ec2-instance-management-role")) == []
    )


def test_whether_documents_can_be_shared_is_not_known() -> None:
    assert found("DocumentSharing", sharing(ref("Unset")), **UNSET) == []
    assert "SettingValue is not known" in message("CannotVerify", sharing(ref("Unset")), **UNSET)


def baseline(rules: object) -> dict[str, Any]:
    given = {} if rules is None else {"ApprovalRules": {"PatchRules": rules}}
    return {"Baseline": resource("SSM::PatchBaseline", Name="Security", **given)}


@pytest.mark.parametrize(
    ("rules", "text"),
    [
        (None, "no approval rule is given, so no patch is installed"),
        ([], "no approval rule is given"),
        ([{**SECURITY, "ApproveUntilDate": "2025-12-31"}], "ApproveUntilDate is '2025-12-31'"),
        # In disguise.
        (if_("C", [SECURITY], []), "no approval rule is given, so no patch is installed (when"),
        (
            [{**SECURITY, "ApproveUntilDate": if_("C", "2025-12-31")}],
            "(when condition C is true)",
        ),
    ],
)
def test_a_baseline_that_approves_nothing(rules: object, text: str) -> None:
    (finding,) = found("PatchBaselineEmpty", baseline(rules))
    assert finding.severity is Severity.WARNING
    assert text in finding.message


@pytest.mark.parametrize("days", [31, "45", if_("C", 90, 7)])
def test_a_baseline_that_waits_too_long(days: object) -> None:
    (finding,) = found("PatchDelay", baseline([{**SECURITY, "ApproveAfterDays": days}]))
    assert finding.severity is Severity.WARNING
    assert "at most 30 are allowed" in finding.message


@pytest.mark.parametrize("days", [0, 7, "30"])
def test_a_baseline_that_approves_in_time_is_sound(days: object) -> None:
    assert judged(baseline([{**SECURITY, "ApproveAfterDays": days}])) == []


def test_ubuntu_and_debian_have_no_days() -> None:
    rule = {"PatchFilterGroup": {"PatchFilters": [{"Key": "PRIORITY", "Values": ["Required"]}]}}
    assert judged(baseline([rule])) == []


def test_the_delay_is_a_setting() -> None:
    late = baseline([{**SECURITY, "ApproveAfterDays": 45}])
    assert found("PatchDelay", late, settings=Settings(patch_delay_days=45)) == []
    assert found("PatchDelay", late, settings=Settings(patch_delay_days=44))


@pytest.mark.parametrize(
    ("rules", "text"),
    [
        (ref("Unset"), "PatchRules is not known"),
        ([{**SECURITY, "ApproveAfterDays": ref("Unset")}], "ApproveAfterDays is not known"),
        ([{**SECURITY, "ApproveAfterDays": "soon"}], "'soon' is not a number"),
    ],
)
def test_baselines_that_are_not_known(rules: object, text: str) -> None:
    assert found("PatchDelay", baseline(rules), **UNSET) == []
    assert text in message("CannotVerify", baseline(rules), **UNSET)
