"""EC2 servers that are locked down by construction and refused at synth when they are not.

The public names are loaded when they are first used: importing the policy loads no CDK.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hardened_ec2.access_scope import InternetAccessScope as InternetAccessScope
    from hardened_ec2.addresses import AddressSet as AddressSet
    from hardened_ec2.auto_scaling_group import (
        HardenedAutoScalingGroup as HardenedAutoScalingGroup,
    )
    from hardened_ec2.ec2_attributes import Ec2Attributes as Ec2Attributes
    from hardened_ec2.ec2_attributes import PublicAccessExclusion as PublicAccessExclusion
    from hardened_ec2.ec2_attributes import VpcBlockPublicAccess as VpcBlockPublicAccess
    from hardened_ec2.guardrails import AccountGuardrails as AccountGuardrails
    from hardened_ec2.guardrails import DefaultVpc as DefaultVpc
    from hardened_ec2.hardening_association import HardeningAssociation as HardeningAssociation
    from hardened_ec2.host import HostHardening as HostHardening
    from hardened_ec2.image import HardenedImage as HardenedImage
    from hardened_ec2.imds import Imds as Imds
    from hardened_ec2.instance import HardenedInstance as HardenedInstance
    from hardened_ec2.instance_connect import InstanceConnectEndpoint as InstanceConnectEndpoint
    from hardened_ec2.launch_template import HardenedLaunchTemplate as HardenedLaunchTemplate
    from hardened_ec2.machine_image import HardenedMachineImage as HardenedMachineImage
    from hardened_ec2.managed_nodes import ManagedNodes as ManagedNodes
    from hardened_ec2.metadata_alarms import MetadataAlarms as MetadataAlarms
    from hardened_ec2.mixins import HardenInstance as HardenInstance
    from hardened_ec2.mixins import HardenSecurityGroup as HardenSecurityGroup
    from hardened_ec2.mixins import HardenVolume as HardenVolume
    from hardened_ec2.nag import HardenedEc2Checks as HardenedEc2Checks
    from hardened_ec2.network import HardenedVpc as HardenedVpc
    from hardened_ec2.patch_schedule import PatchSchedule as PatchSchedule
    from hardened_ec2.retrofit import HardenedEc2Defaults as HardenedEc2Defaults
    from hardened_ec2.role import InstanceRole as InstanceRole
    from hardened_ec2.role import SessionLogs as SessionLogs
    from hardened_ec2.security_group import LockedSecurityGroup as LockedSecurityGroup
    from hardened_ec2.session_recording import SessionRecording as SessionRecording
    from hardened_ec2.ssh import SshAccess as SshAccess
    from hardened_ec2.user_data import HardenedUserData as HardenedUserData

_MODULES = {
    "AccountGuardrails": "guardrails",
    "AddressSet": "addresses",
    "DefaultVpc": "guardrails",
    "Ec2Attributes": "ec2_attributes",
    "HardenInstance": "mixins",
    "HardenSecurityGroup": "mixins",
    "HardenVolume": "mixins",
    "HardenedAutoScalingGroup": "auto_scaling_group",
    "HardenedEc2Checks": "nag",
    "HardenedEc2Defaults": "retrofit",
    "HardenedImage": "image",
    "HardenedInstance": "instance",
    "HardenedLaunchTemplate": "launch_template",
    "HardenedMachineImage": "machine_image",
    "HardenedUserData": "user_data",
    "HardenedVpc": "network",
    "HardeningAssociation": "hardening_association",
    "HostHardening": "host",
    "Imds": "imds",
    "InstanceConnectEndpoint": "instance_connect",
    "InstanceRole": "role",
    "InternetAccessScope": "access_scope",
    "LockedSecurityGroup": "security_group",
    "ManagedNodes": "managed_nodes",
    "MetadataAlarms": "metadata_alarms",
    "PatchSchedule": "patch_schedule",
    "PublicAccessExclusion": "ec2_attributes",
    "SessionLogs": "role",
    "SessionRecording": "session_recording",
    "SshAccess": "ssh",
    "VpcBlockPublicAccess": "ec2_attributes",
}

__all__ = list(_MODULES)


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
