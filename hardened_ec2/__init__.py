"""EC2 servers that are locked down by construction and refused at synth when they are not.

The public names are loaded when they are first used: importing the policy loads no CDK.
"""

import sys
from typing import TYPE_CHECKING

from hardened_ec2._lazy import lazy_names
from hardened_ec2._moved import OldModules

if TYPE_CHECKING:
    from hardened_ec2.account.ec2_attributes import Ec2Attributes as Ec2Attributes
    from hardened_ec2.account.ec2_attributes import PublicAccessExclusion as PublicAccessExclusion
    from hardened_ec2.account.ec2_attributes import VpcBlockPublicAccess as VpcBlockPublicAccess
    from hardened_ec2.account.guardrails import AccountGuardrails as AccountGuardrails
    from hardened_ec2.account.guardrails import DefaultVpc as DefaultVpc
    from hardened_ec2.account.metadata_alarms import MetadataAlarms as MetadataAlarms
    from hardened_ec2.account.session_recording import SessionRecording as SessionRecording
    from hardened_ec2.addresses import AddressSet as AddressSet
    from hardened_ec2.host import HostHardening as HostHardening
    from hardened_ec2.nag import HardenedEc2Checks as HardenedEc2Checks
    from hardened_ec2.network.access_scope import InternetAccessScope as InternetAccessScope
    from hardened_ec2.network.instance_connect import (
        InstanceConnectEndpoint as InstanceConnectEndpoint,
    )
    from hardened_ec2.network.interface_endpoints import InterfaceEndpoints as InterfaceEndpoints
    from hardened_ec2.network.security_group import LockedSecurityGroup as LockedSecurityGroup
    from hardened_ec2.network.ssh import SshAccess as SshAccess
    from hardened_ec2.network.vpc import HardenedVpc as HardenedVpc
    from hardened_ec2.retrofit.defaults import HardenedEc2Defaults as HardenedEc2Defaults
    from hardened_ec2.retrofit.mixins.instance import HardenInstance as HardenInstance
    from hardened_ec2.retrofit.mixins.security_group import (
        HardenSecurityGroup as HardenSecurityGroup,
    )
    from hardened_ec2.retrofit.mixins.volume import HardenVolume as HardenVolume
    from hardened_ec2.servers.auto_scaling_group import (
        HardenedAutoScalingGroup as HardenedAutoScalingGroup,
    )
    from hardened_ec2.servers.image_pipeline import HardenedImage as HardenedImage
    from hardened_ec2.servers.imds import Imds as Imds
    from hardened_ec2.servers.instance import HardenedInstance as HardenedInstance
    from hardened_ec2.servers.launch_template import (
        HardenedLaunchTemplate as HardenedLaunchTemplate,
    )
    from hardened_ec2.servers.machine_image import HardenedMachineImage as HardenedMachineImage
    from hardened_ec2.servers.role import InstanceRole as InstanceRole
    from hardened_ec2.servers.role import SessionLogs as SessionLogs
    from hardened_ec2.servers.user_data import HardenedUserData as HardenedUserData
    from hardened_ec2.upkeep.hardening_association import (
        HardeningAssociation as HardeningAssociation,
    )
    from hardened_ec2.upkeep.managed_nodes import ManagedNodes as ManagedNodes
    from hardened_ec2.upkeep.patch_schedule import PatchSchedule as PatchSchedule

_MODULES = {
    "AccountGuardrails": "account.guardrails",
    "AddressSet": "addresses",
    "DefaultVpc": "account.guardrails",
    "Ec2Attributes": "account.ec2_attributes",
    "HardenInstance": "retrofit.mixins.instance",
    "HardenSecurityGroup": "retrofit.mixins.security_group",
    "HardenVolume": "retrofit.mixins.volume",
    "HardenedAutoScalingGroup": "servers.auto_scaling_group",
    "HardenedEc2Checks": "nag",
    "HardenedEc2Defaults": "retrofit.defaults",
    "HardenedImage": "servers.image_pipeline",
    "HardenedInstance": "servers.instance",
    "HardenedLaunchTemplate": "servers.launch_template",
    "HardenedMachineImage": "servers.machine_image",
    "HardenedUserData": "servers.user_data",
    "HardenedVpc": "network.vpc",
    "HardeningAssociation": "upkeep.hardening_association",
    "HostHardening": "host",
    "Imds": "servers.imds",
    "InstanceConnectEndpoint": "network.instance_connect",
    "InstanceRole": "servers.role",
    "InterfaceEndpoints": "network.interface_endpoints",
    "InternetAccessScope": "network.access_scope",
    "LockedSecurityGroup": "network.security_group",
    "ManagedNodes": "upkeep.managed_nodes",
    "MetadataAlarms": "account.metadata_alarms",
    "PatchSchedule": "upkeep.patch_schedule",
    "PublicAccessExclusion": "account.ec2_attributes",
    "SessionLogs": "servers.role",
    "SessionRecording": "account.session_recording",
    "SshAccess": "network.ssh",
    "VpcBlockPublicAccess": "account.ec2_attributes",
}

__all__ = list(_MODULES)

sys.meta_path.append(OldModules())

__getattr__ = lazy_names(__name__, _MODULES)


def __dir__() -> list[str]:
    return sorted(__all__)
