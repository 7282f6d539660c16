"""The public surface: which names there are, and what importing them loads."""

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import hardened_ec2
from hardened_ec2._moved import old_import

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
        "InterfaceEndpoints",
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


@pytest.mark.parametrize(
    ("old", "message"),
    [
        (
            "from hardened_ec2.instance import HardenedInstance",
            "hardened_ec2.instance has moved: write from hardened_ec2 import HardenedInstance",
        ),
        (
            "import hardened_ec2.role",
            "hardened_ec2.role has moved: write from hardened_ec2 import InstanceRole, SessionLogs",
        ),
        (
            "from hardened_ec2.network import HardenedVpc",
            "hardened_ec2.network has moved: write from hardened_ec2 import HardenedVpc",
        ),
        (
            "from hardened_ec2.network import *",
            "hardened_ec2.network has moved: write from hardened_ec2 import HardenedVpc",
        ),
        (
            "from hardened_ec2.ssh import *",
            "hardened_ec2.ssh has moved: write from hardened_ec2 import SshAccess",
        ),
        (
            "from hardened_ec2 import imds",
            "hardened_ec2.imds has moved: write from hardened_ec2 import Imds",
        ),
        (
            "from hardened_ec2.host.control_types import Control",
            (
                "hardened_ec2.host.control_types has moved: write from hardened_ec2.host import "
                "Check, Control, Profile"
            ),
        ),
        (
            "from hardened_ec2.retrofit import HardenedEc2Defaults",
            "hardened_ec2.retrofit has moved: write from hardened_ec2 import HardenedEc2Defaults",
        ),
        (
            "from hardened_ec2.host.controls import CONTROLS",
            (
                "hardened_ec2.host.controls has moved: write from hardened_ec2.host import "
                "CONTROLS, Check, Control, Profile, control"
            ),
        ),
        (
            "from hardened_ec2.policy.template import Template",
            (
                "hardened_ec2.policy.template has moved: write from hardened_ec2.policy import "
                "Template, UnreadableTemplate"
            ),
        ),
    ],
)
def test_a_module_of_version_0_1_is_refused_with_the_public_import(old: str, message: str) -> None:
    with pytest.raises(ImportError) as refused:
        exec(old, {})  # noqa: S102 - an import statement as a user writes it
    assert str(refused.value) == message


@pytest.mark.slow
def test_every_import_that_a_refusal_names_works() -> None:
    for package, modules in hardened_ec2._moved._PUBLIC.items():  # noqa: SLF001
        for name, public in modules.items():
            message = old_import(f"{package}.{name}")
            assert message is not None
            exec(message.partition(": write ")[2], {})  # noqa: S102
            assert all(hasattr(sys.modules[package], each) for each in public)


def test_a_module_that_never_was_is_not_found_as_ever() -> None:
    with pytest.raises(ModuleNotFoundError, match="No module named"):
        import_module("hardened_ec2.servers.nothing")
    with pytest.raises(ImportError, match="cannot import name 'nothing'"):
        exec("from hardened_ec2.network import nothing", {})  # noqa: S102
    with pytest.raises(AttributeError, match=r"'hardened_ec2\.network' has no attribute 'nothing'"):
        _ = import_module("hardened_ec2.network").nothing


def test_the_reference_app_and_the_examples_import_public_names_only() -> None:
    root = PACKAGE.parent
    apps = [root / "app.py", root / "lab" / "template" / "reference_app.py"]
    apps += [*(root / "stacks").glob("*.py"), *(root / "examples").glob("*.py")]
    imported = {
        each.module
        for app in apps
        for each in ast.walk(ast.parse(app.read_text("utf-8")))
        if isinstance(each, ast.ImportFrom) and (each.module or "").startswith("hardened_ec2")
    }
    assert imported == {"hardened_ec2"}


def test_the_package_is_typed() -> None:
    assert (PACKAGE / "py.typed").exists()
