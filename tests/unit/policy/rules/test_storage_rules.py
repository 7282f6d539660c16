from typing import Any

import pytest

from hardened_ec2.policy import Severity
from tests.unit.policy.templates import (
    NO_VALUE,
    SOUND,
    found,
    if_,
    instance,
    judged,
    message,
    ref,
    resource,
    server,
)

RULE = "VolumeEncryption"
UNSET: dict[str, Any] = {"Parameters": {"Unset": {"Type": "String"}}}


def volume(encrypted: object = None, name: object = "/dev/xvda") -> dict[str, Any]:
    return {"DeviceName": name, "Ebs": {} if encrypted is None else {"Encrypted": encrypted}}


ROOT = volume(encrypted=True)


@pytest.mark.parametrize(
    ("mappings", "path", "text"),
    [
        (
            None,
            "",
            "so the image decides whether the root volume is encrypted",
        ),
        ([], "", "BlockDeviceMappings names no volume"),
        ([volume()], ".0.Ebs.Encrypted", "Encrypted is not given for /dev/xvda"),
        ([volume(encrypted=False)], ".0.Ebs.Encrypted", "Encrypted is false for /dev/xvda"),
        ([volume("false")], ".0.Ebs.Encrypted", "Encrypted is false for /dev/xvda"),
        ([ROOT, volume(None, "/dev/sdf")], ".1.Ebs.Encrypted", "not given for /dev/sdf"),
        ([volume(if_("C", yes=True, no=False))], ".0.Ebs.Encrypted", "(when condition C is false)"),
        (
            [volume(if_("C", yes=True))],
            ".0.Ebs.Encrypted",
            "Encrypted is not given for /dev/xvda (when",
        ),
        (
            [if_("C", ROOT, volume())],
            ".0.Ebs.Encrypted",
            "not given for /dev/xvda (when condition C",
        ),
        (
            [if_("C", ROOT)],
            "",
            "names no volume, so the image decides whether the root volume is encrypted (when con",
        ),
        (if_("C", [ROOT], NO_VALUE), "", "names no volume"),
        ([{"DeviceName": "/dev/xvda", "VirtualName": "ephemeral0"}], "", "names no volume"),
        ([{"DeviceName": "/dev/xvda", "NoDevice": {}}], "", "names no volume"),
    ],
)
def test_a_volume_that_is_not_encrypted_or_not_named_is_an_error(
    mappings: object, path: str, text: str
) -> None:
    (finding,) = found(RULE, server(BlockDeviceMappings=mappings))
    assert finding.severity is Severity.ERROR
    assert finding.path == f"Properties.BlockDeviceMappings{path}"
    assert text in finding.message


@pytest.mark.parametrize(
    "mappings",
    [
        [ROOT],
        [volume("true", "/dev/sda1")],
        [ROOT, {"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"}],
        [if_("C", ROOT, volume("True", "/dev/sda1"))],
        [ROOT, if_("C", volume(encrypted=True, name="/dev/sdf"))],
        [volume(encrypted=True, name=ref("Unset"))],
    ],
)
def test_encrypted_volumes_and_instance_stores_beside_them_are_sound(mappings: object) -> None:
    assert judged(server(BlockDeviceMappings=mappings), **UNSET) == []


@pytest.mark.parametrize(
    ("mappings", "text"),
    [
        (ref("Unset"), "BlockDeviceMappings is not known: parameter Unset"),
        ([volume(ref("Unset"))], "whether /dev/xvda is encrypted is not known: parameter Unset"),
        (
            [volume("perhaps")],
            "whether /dev/xvda is encrypted is not known: 'perhaps' is not a Boolean",
        ),
        ([volume(encrypted=True, name="/dev/sdf")], "no mapping names a root device (/dev/sda,"),
    ],
)
def test_volumes_that_are_not_known_cannot_be_verified(mappings: object, text: str) -> None:
    resources = server(BlockDeviceMappings=mappings)
    assert found(RULE, resources, **UNSET) == []
    assert text in message("CannotVerify", resources, **UNSET)


def test_a_volume_of_its_own_is_judged() -> None:
    assert message(RULE, {"Disk": resource("EC2::Volume", Size=8)}) == (
        "Encrypted is not given for the volume"
    )
    assert judged({"Disk": resource("EC2::Volume", Encrypted=True)}) == []


def test_a_launch_template_supplies_the_volumes_of_an_instance() -> None:
    resources = {
        **server(BlockDeviceMappings=None, LaunchTemplate={"LaunchTemplateId": ref("Template")}),
        "Template": resource(
            "EC2::LaunchTemplate", LaunchTemplateData={"BlockDeviceMappings": [ROOT]}
        ),
    }
    assert judged(resources) == []


def test_a_launch_template_that_a_fleet_uses_must_name_its_volumes() -> None:
    resources = {
        **SOUND,
        "Server": resource(
            "EC2::LaunchTemplate",
            LaunchTemplateData=instance(SubnetId=None, BlockDeviceMappings=None)["Properties"],
        ),
    }
    (finding,) = found(RULE, resources)
    assert finding.path == "Properties.LaunchTemplateData.BlockDeviceMappings"


def test_the_deployment_whose_volumes_the_image_decides_is_named() -> None:
    other = {"DeviceName": "/dev/sdf", "Ebs": {"Encrypted": True}}
    resources = server(BlockDeviceMappings=[if_("C", ROOT, other)])
    assert message("CannotVerify", resources).endswith(
        "so the image decides (when condition C is false)"
    )


def test_every_name_of_a_volume_is_told() -> None:
    either = {"DeviceName": if_("C", "/dev/xvda", "/dev/sda1"), "Ebs": {"Encrypted": False}}
    assert message(RULE, server(BlockDeviceMappings=[either])) == (
        "Encrypted is false for /dev/xvda or /dev/sda1"
    )
