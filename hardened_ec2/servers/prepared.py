"""PreparedServer: the properties that an instance and a launch template share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from types import NoneType
from typing import Any, Self

import aws_cdk as cdk
from aws_cdk import Annotations, CfnResource
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from constructs import Construct

from hardened_ec2.host import HostHardening
from hardened_ec2.network.security_group import LockedSecurityGroup
from hardened_ec2.network.ssh import SshAccess
from hardened_ec2.servers.block_devices import encrypted_devices, root_device_of
from hardened_ec2.servers.imds import CONTAINER_METADATA, Imds
from hardened_ec2.servers.machine_image import (
    amazon_linux_2023,
    hardening_of_server,
)
from hardened_ec2.servers.role import InstanceRole
from hardened_ec2.servers.user_data import HardenedUserData, UserDataProperty
from hardened_ec2.support.not_given import NotGiven

ROOT_VOLUME_SIZE = 16
"""The default size of the root volume in GiB, which fits every supported distribution."""

INSTANCE_TYPE = "t4g.small"
"""The default instance type of a server."""


@dataclass(frozen=True, kw_only=True)
class PreparedServer:
    """The checked properties that `HardenedInstance` and `HardenedLaunchTemplate` share.

    They are complete before the first construct is created, so a refusal leaves nothing behind.

    Args:
        vpc: The VPC.
        instance_type: The instance type.
        machine_image: The image.
        ssh: The sources that can reach port 22.
        imds: The options of the instance metadata service.
        host_hardening: The hardening, by user data, the image or both. None without one.
        user_data: The user data, which the server receives if its metadata service is enabled.
        block_devices: The root volume and the data volumes, encrypted.
    """

    vpc: ec2.IVpc
    instance_type: ec2.InstanceType
    machine_image: ec2.IMachineImage
    ssh: SshAccess
    imds: Imds
    host_hardening: HostHardening | None
    user_data: HardenedUserData
    block_devices: Sequence[ec2.BlockDevice]

    @classmethod
    def of(
        cls,
        *,
        vpc: ec2.IVpc,
        instance_type: ec2.InstanceType | None,
        machine_image: ec2.IMachineImage | None,
        ssh: SshAccess,
        imds: Imds,
        host_hardening: HostHardening | NotGiven | None,
        user_data: ec2.UserData | None,
        root_volume_size: int,
        root_device_name: str | None,
        block_devices: Sequence[ec2.BlockDevice],
        encryption_key: cdk.aws_kms.IKey | None,
    ) -> Self:
        """Check the arguments of a server and fill in defaults.

        Args:
            vpc: The VPC.
            instance_type: The instance type. None for t4g.small.
            machine_image: The image. None for Amazon Linux 2023 for the type's architecture.
            ssh: The sources that can reach port 22.
            imds: The options of the instance metadata service.
            host_hardening: The hardening of the host. `NOT_GIVEN` to follow the image and ``imds``.
            user_data: The user's own commands, or None.
            root_volume_size: Size of the root volume, in GiB.
            root_device_name: The root device name of the image. None to derive it from the image.
            block_devices: The user's own data volumes.
            encryption_key: The KMS key of the root volume. None for the account's key for EBS.

        Returns:
            The server's properties.

        Raises:
            ValueError: If an argument is invalid or two contradict each other; the message says
                what to write.
        """
        _refuse_other_kinds(ssh=ssh, imds=imds, host_hardening=host_hardening)
        if machine_image is None:
            machine_image = amazon_linux_2023(_architecture(instance_type))
        hardening, in_image = hardening_of_server(machine_image, host_hardening, imds)
        if user_data is not None and not imds.http_endpoint:
            raise ValueError(
                "imds=Imds.disabled() is given with user_data, which an instance without metadata "
                "service never receives: bake the commands into the image and leave user_data out, "
                "or leave imds at Imds()"
            )
        return cls(
            vpc=vpc,
            instance_type=instance_type or default_instance_type(),
            machine_image=machine_image,
            ssh=ssh,
            imds=imds,
            host_hardening=hardening,
            user_data=HardenedUserData(
                hardening if imds.http_endpoint else None, user_data, in_image=in_image
            ),
            block_devices=encrypted_devices(
                block_devices,
                root_device_name=root_device_name or root_device_of(machine_image),
                root_volume_size=root_volume_size,
                encryption_key=encryption_key,
            ),
        )

    def create_access(
        self,
        access: Construct,
        *,
        security_group: ec2.ISecurityGroup | None,
        role: iam.IRole | None,
    ) -> tuple[ec2.ISecurityGroup, iam.IRole]:
        """Create a security group and a role if none are given, and add the SSH rules.

        Args:
            access: The parent construct.
            security_group: The given security group, or None.
            role: The given role, or None.

        Returns:
            The security group and the role.

        Raises:
            ValueError: If ``security_group`` is of another type, or permits fewer addresses than
                SSH needs.
        """
        # An imported group is a proxy: its type shows in an attribute, for a message to node.
        if not isinstance(security_group, ec2.SecurityGroup | NoneType) and not hasattr(
            security_group, "security_group_id"
        ):
            raise ValueError(
                f"security_group is {security_group!r}: write security_group=LockedSecurityGroup("
                "self, 'Group', vpc=vpc, description='...'), or leave security_group out"
            )
        group = security_group or LockedSecurityGroup(
            access,
            "SecurityGroup",
            vpc=self.vpc,
            description="Hardened EC2 instance",
            max_administrative_addresses=self.ssh.max_addresses,
        )
        self.ssh.allow_into(group)
        return group, role or InstanceRole(access, "Role")

    @property
    def properties(self) -> dict[str, Any]:
        """The properties that ``ec2.Instance`` and ``ec2.LaunchTemplate`` both take."""
        return {
            "instance_type": self.instance_type,
            "machine_image": self.machine_image,
            "block_devices": self.block_devices,
            "ebs_optimized": True,
            "http_endpoint": self.imds.http_endpoint,
            "http_put_response_hop_limit": self.imds.http_put_response_hop_limit,
            "http_protocol_ipv6": self.imds.http_protocol_ipv6,
            "instance_metadata_tags": self.imds.instance_metadata_tags,
            "user_data": self.user_data if self.imds.http_endpoint else None,
        }

    def finish(
        self,
        server: Construct,
        resource: CfnResource,
        *,
        set_user_data: Callable[[str], None],
        beside: Construct,
    ) -> None:
        """Write user data, declare a container host, and warn if nothing hardens the host.

        Args:
            server: The construct of the server.
            resource: Its CloudFormation resource.
            set_user_data: Sets the property UserData.
            beside: The scope of the server and its siblings.
        """
        if self.imds.http_endpoint:
            UserDataProperty(server, self.user_data).write(set_user_data, beside=beside)
        elif not self.user_data.in_image:
            Annotations.of(server).add_warning_v2(
                "hardened-ec2:imds-disabled",
                "the metadata service is disabled, so no hardening reaches the host at boot: the "
                "image must contain it",
            )
        if self.imds.containers:
            for key, value in CONTAINER_METADATA.items():
                resource.add_metadata(key, value)


@cache
def default_instance_type() -> ec2.InstanceType:
    """Return the default instance type of a server, created once."""
    return ec2.InstanceType(INSTANCE_TYPE)


def _architecture(instance_type: ec2.InstanceType | None) -> ec2.InstanceArchitecture:
    # CDK is asked only for a given type: that costs a message to node.
    return ec2.InstanceArchitecture.ARM_64 if instance_type is None else instance_type.architecture


def _refuse_other_kinds(*, ssh: object, imds: object, host_hardening: object) -> None:
    for name, value, kinds, instead in (
        ("ssh", ssh, (SshAccess,), "SshAccess.from_cidrs('203.0.113.7'), or leave it out"),
        ("imds", imds, (Imds,), "Imds(), Imds.for_containers() or Imds.disabled()"),
        ("host_hardening", host_hardening, (HostHardening, NotGiven, NoneType), "HostHardening()"),
    ):
        if not isinstance(value, kinds):
            raise ValueError(f"{name} is {value!r}: write {name}={instead}")
