"""The public surface: which names there are, and what importing them loads."""

import subprocess
import sys
from pathlib import Path

import pytest

import hardened_ec2

PACKAGE = Path(hardened_ec2.__file__).parent


def test_the_public_names_are_these() -> None:
    """A name that goes away breaks an app, so the list only changes on purpose."""
    assert sorted(hardened_ec2.__all__) == [
        "AccountGuardrails",
        "AddressSet",
        "DefaultVpc",
        "Ec2Attributes",
        "HardenInstance",
        "HardenSecurityGroup",
        "HardenVolume",
        "HardenedAutoScalingGroup",
        "HardenedEc2Checks",
        "HardenedEc2Defaults",
        "HardenedImage",
        "HardenedInstance",
        "HardenedLaunchTemplate",
        "HardenedMachineImage",
        "HardenedUserData",
        "HardenedVpc",
        "HardeningAssociation",
        "HostHardening",
        "Imds",
        "InstanceConnectEndpoint",
        "InstanceRole",
        "InternetAccessScope",
        "LockedSecurityGroup",
        "ManagedNodes",
        "MetadataAlarms",
        "PatchSchedule",
        "PublicAccessExclusion",
        "SessionLogs",
        "SessionRecording",
        "SshAccess",
        "VpcBlockPublicAccess",
    ]
    assert dir(hardened_ec2) == sorted(hardened_ec2.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'OpenInstance'"):
        _ = hardened_ec2.OpenInstance


def test_the_policy_and_the_host_load_no_cdk() -> None:
    code = (
        "import hardened_ec2.policy, hardened_ec2.host, hardened_ec2.addresses, sys;"
        "from hardened_ec2 import Ec2Attributes; Ec2Attributes().declarative_policy();"
        "print([m for m in sys.modules if m.split('.')[0] in ('aws_cdk', 'jsii', 'cdk_nag')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_lower_floor_never_imports_upward() -> None:
    ground = [
        PACKAGE / "addresses.py",
        PACKAGE / "ec2_attributes.py",
        *PACKAGE.glob("functions/**/*.py"),
        *PACKAGE.glob("host/**/*.py"),
        *PACKAGE.glob("policy/**/*.py"),
    ]
    allowed = ("hardened_ec2.addresses", "hardened_ec2.host", "hardened_ec2.policy")
    assert len(ground) > 10
    for file in ground:
        for line in file.read_text("utf-8").splitlines():
            words = line.split()
            if words[:1] in (["import"], ["from"]) and words[1].split(".")[0] in (
                "hardened_ec2",
                "aws_cdk",
                "constructs",
                "cdk_nag",
                "jsii",
            ):
                assert words[1].startswith(allowed), f"{file.name}: {line}"


def test_the_package_is_typed() -> None:
    assert (PACKAGE / "py.typed").exists()
