"""Images: bad, good, not known and in disguise."""

from typing import Any

import pytest

from hardened_ec2.policy import Severity
from tests.unit.policy.templates import NO_VALUE, found, if_, judged, message, ref, resource

UNSET: dict[str, Any] = {"Parameters": {"Unset": {"Type": "String"}}}
SOUND_OPTIONS = {"HttpTokens": "required", "HttpPutResponseHopLimit": 1}
ROOT = {"DeviceName": "/dev/xvda", "Ebs": {"Encrypted": True}}


def infrastructure(options: object) -> dict[str, Any]:
    properties: dict[str, object] = {"Name": "builders", "InstanceProfileName": "builders"}
    if options is not None:
        properties["InstanceMetadataOptions"] = options
    return {"Builders": resource("ImageBuilder::InfrastructureConfiguration", **properties)}


def recipe(mappings: object) -> dict[str, Any]:
    properties: dict[str, object] = {"Name": "web", "ParentImage": "ami-1", "Version": "1.0.0"}
    if mappings is not None:
        properties["BlockDeviceMappings"] = mappings
    return {"Recipe": resource("ImageBuilder::ImageRecipe", **properties)}


def distribution(permission: object) -> dict[str, Any]:
    ami: dict[str, object] = {"Name": "web"}
    if permission is not None:
        ami["LaunchPermissionConfiguration"] = permission
    distributions = [{"Region": "eu-west-1", "AmiDistributionConfiguration": ami}]
    return {
        "Share": resource("ImageBuilder::DistributionConfiguration", Distributions=distributions)
    }


@pytest.mark.parametrize(
    ("options", "path", "text"),
    [
        (None, ".HttpTokens", "HttpTokens is not given, so a request needs no token"),
        ({}, ".HttpTokens", "HttpTokens is not given"),
        ({**SOUND_OPTIONS, "HttpTokens": "optional"}, ".HttpTokens", "HttpTokens is 'optional'"),
        (
            {**SOUND_OPTIONS, "HttpPutResponseHopLimit": 2},
            ".HttpPutResponseHopLimit",
            "HttpPutResponseHopLimit is 2, at most 1 is allowed",
        ),
        # In disguise.
        ({**SOUND_OPTIONS, "HttpTokens": "Required "}, ".HttpTokens", "HttpTokens is 'Required '"),
        (
            {**SOUND_OPTIONS, "HttpTokens": if_("C", "required", "optional")},
            ".HttpTokens",
            "(when condition C is false)",
        ),
        (if_("C", SOUND_OPTIONS), ".HttpTokens", "HttpTokens is not given"),
        (
            {**SOUND_OPTIONS, "HttpPutResponseHopLimit": "64"},
            ".HttpPutResponseHopLimit",
            "HttpPutResponseHopLimit is 64",
        ),
    ],
)
def test_servers_that_build_without_imdsv2(options: object, path: str, text: str) -> None:
    (finding,) = found("ImageBuildMetadata", infrastructure(options))
    assert finding.severity is Severity.ERROR
    assert finding.path == f"Properties.InstanceMetadataOptions{path}"
    assert text in finding.message
    assert finding.message.startswith("Http")


def test_servers_that_build_with_imdsv2_are_sound() -> None:
    assert judged(infrastructure(SOUND_OPTIONS)) == []


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (ref("Unset"), "InstanceMetadataOptions is not known: parameter Unset"),
        ({**SOUND_OPTIONS, "HttpTokens": ref("Unset")}, "HttpTokens is not known"),
        (
            {"HttpTokens": "required"},
            ": HttpPutResponseHopLimit is not given, so the image decides: 1 or 2",
        ),
        (
            {**SOUND_OPTIONS, "HttpPutResponseHopLimit": "few"},
            "HttpPutResponseHopLimit is not known: 'few' is not a number",
        ),
    ],
)
def test_metadata_options_of_a_build_that_are_not_known(options: object, text: str) -> None:
    resources = infrastructure(options)
    assert found("ImageBuildMetadata", resources, **UNSET) == []
    assert text in message("CannotVerify", resources, **UNSET)


@pytest.mark.parametrize(
    ("mappings", "text"),
    [
        (None, "names no volume, so the image decides whether the root volume is encrypted"),
        ([], "names no volume"),
        ([{"DeviceName": "/dev/xvda", "Ebs": {"Encrypted": False}}], "false for /dev/xvda"),
        ([{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 8}}], "not given for /dev/xvda"),
        # In disguise.
        ([{"DeviceName": "/dev/xvda", "Ebs": {"Encrypted": "false"}}], "false for /dev/xvda"),
        ([if_("C", ROOT)], "names no volume, so the image decides"),
        ([ROOT, {"DeviceName": "/dev/sdf", "Ebs": {}}], "not given for /dev/sdf"),
    ],
)
def test_an_image_whose_volumes_are_not_encrypted(mappings: object, text: str) -> None:
    (finding,) = found("ImageEncryption", recipe(mappings))
    assert finding.severity is Severity.ERROR
    assert text in finding.message


def test_an_image_whose_volumes_are_encrypted_is_sound() -> None:
    assert judged(recipe([ROOT])) == []
    assert judged(recipe([{"DeviceName": "/dev/sda1", "Ebs": {"Encrypted": "true"}}])) == []


@pytest.mark.parametrize(
    ("mappings", "text"),
    [
        (ref("Unset"), "BlockDeviceMappings is not known"),
        ([{**ROOT, "Ebs": {"Encrypted": ref("Unset")}}], "whether /dev/xvda is encrypted"),
        ([{**ROOT, "DeviceName": "/dev/sdf"}], "no mapping names a root device"),
    ],
)
def test_volumes_of_an_image_that_are_not_known(mappings: object, text: str) -> None:
    assert found("ImageEncryption", recipe(mappings), **UNSET) == []
    assert text in message("CannotVerify", recipe(mappings), **UNSET)


@pytest.mark.parametrize(
    ("permission", "text"),
    [
        ({"UserGroups": ["all"]}, "UserGroups has 'all', which is every AWS account"),
        ({"UserIds": ["all"]}, "UserIds has 'all', which is every AWS account"),
        # In disguise.
        ({"UserIds": ["123456789012", " All"]}, "UserIds has ' All'"),
        ({"UserGroups": "all"}, "UserGroups has 'all'"),
        ({"UserGroups": [if_("C", "all")]}, "(when condition C is true)"),
        (if_("C", NO_VALUE, {"UserGroups": ["all"]}), "(when condition C is false)"),
    ],
)
def test_a_public_image(permission: object, text: str) -> None:
    (finding,) = found("ImagePublic", distribution(permission))
    assert finding.severity is Severity.ERROR
    assert text in finding.message


@pytest.mark.parametrize(
    "permission",
    [
        None,
        {"UserIds": ["123456789012"]},
        {"OrganizationArns": ["arn:aws:organizations::123456789012:organization/o-1"]},
    ],
)
def test_an_image_for_nobody_or_for_some_is_sound(permission: object) -> None:
    assert judged(distribution(permission)) == []


@pytest.mark.parametrize(
    ("permission", "text"),
    [
        (ref("Unset"), "LaunchPermissionConfiguration is not known"),
        ({"UserIds": [ref("Unset")]}, "who may launch the image is not known"),
        ({"UserGroups": ref("Unset")}, "who may launch the image is not known"),
    ],
)
def test_who_gets_an_image_is_not_known(permission: object, text: str) -> None:
    assert found("ImagePublic", distribution(permission), **UNSET) == []
    assert text in message("CannotVerify", distribution(permission), **UNSET)


@pytest.mark.parametrize("kind", ["ImagePipeline", "Image"])
@pytest.mark.parametrize("value", [False, "false", if_("C", "true", "false")])
def test_an_image_that_is_not_tested(kind: str, value: object) -> None:
    tests = {"ImageTestsEnabled": value}
    (finding,) = found(
        "ImageTests", {"Build": resource(f"ImageBuilder::{kind}", ImageTestsConfiguration=tests)}
    )
    assert finding.severity is Severity.WARNING
    assert finding.message.startswith("ImageTestsEnabled is ")


@pytest.mark.parametrize("tests", [None, {}, {"ImageTestsEnabled": "true"}, {"TimeoutMinutes": 60}])
def test_images_are_tested_unless_it_is_said(tests: object) -> None:
    given = {} if tests is None else {"ImageTestsConfiguration": tests}
    assert judged({"Build": resource("ImageBuilder::ImagePipeline", **given)}) == []


def test_whether_images_are_tested_is_not_known() -> None:
    tests = {"ImageTestsEnabled": ref("Unset")}
    resources = {"Build": resource("ImageBuilder::ImagePipeline", ImageTestsConfiguration=tests)}
    assert found("ImageTests", resources, **UNSET) == []
    assert "ImageTestsEnabled is not known" in message("CannotVerify", resources, **UNSET)
