"""Encrypted block devices: the root volume under the image's device name, and data volumes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2

from hardened_ec2.policy.root_devices import AMAZON_LINUX, BY_DISTRIBUTION, LOOK_UP
from hardened_ec2.servers.machine_image import HardenedMachineImage


def root_device_of(machine_image: ec2.IMachineImage) -> str:
    """Return the root device name of an image.

    Args:
        machine_image: The image.

    Returns:
        The device name, known for CDK's Amazon Linux images and for hardened images.

    Raises:
        ValueError: For any other image. With a wrong name, EC2 leaves the root volume as the image
            defines it and attaches an empty second volume.

    Source: AWS, "Device names for volumes on Amazon EC2 instances".

    Example:
        >>> root_device_of(ec2.MachineImage.latest_amazon_linux2023())
        '/dev/xvda'
    """
    if isinstance(machine_image, HardenedMachineImage):
        return machine_image.root_device_name
    if isinstance(machine_image, (ec2.AmazonLinuxImageSsmParameterBase, ec2.AmazonLinuxImage)):
        return AMAZON_LINUX
    raise ValueError(
        f"cannot tell the root device of a {type(machine_image).__name__} image: write "
        f"root_device_name=..., which is {BY_DISTRIBUTION}, or what {LOOK_UP} prints"
    )


def encrypted_devices(
    data_volumes: Sequence[ec2.BlockDevice],
    *,
    root_device_name: str,
    root_volume_size: int,
    encryption_key: cdk.aws_kms.IKey | None,
) -> list[ec2.BlockDevice]:
    """Return an encrypted gp3 root volume, followed by the given encrypted data volumes.

    Args:
        data_volumes: The user's own devices. A device with the root device name replaces the root
            volume created here.
        root_device_name: The root device name of the image.
        root_volume_size: The size of the root volume, in GiB.
        encryption_key: The KMS key of the root volume. None for the account's key for EBS.

    Returns:
        The block devices of the instance.

    Raises:
        ValueError: If an EBS volume is not encrypted, a device name is repeated, a volume is not a
            CDK value, or the size is out of EBS's range.

    Source: Security Hub EC2.3; CIS AWS Foundations 5.1.1.

    Example:
        >>> (root,) = encrypted_devices([], root_device_name="/dev/xvda", root_volume_size=16,
        ...                             encryption_key=None)
        >>> root.volume.ebs_device.encrypted
        True
    """
    names = set()
    for device in data_volumes:
        if not isinstance(device, ec2.BlockDevice):
            raise ValueError(
                f"block_devices contains {device!r}: write ec2.BlockDevice(device_name='/dev/sdf', "
                "volume=ec2.BlockDeviceVolume.ebs(100, encrypted=True))"
            )
        if device.device_name in names:
            raise ValueError(f"block_devices names {device.device_name!r} twice: name it once")
        names.add(device.device_name)
        ebs = device.volume.ebs_device
        if ebs is not None and ebs.encrypted is not True:
            raise ValueError(
                f"the volume {device.device_name!r} has encrypted={ebs.encrypted}: write "
                "ec2.BlockDeviceVolume.ebs(size, encrypted=True)"
            )
    if root_device_name in names:
        return list(data_volumes)
    if not 1 <= root_volume_size <= 16_384:  # noqa: PLR2004 - named in the message
        raise ValueError(
            f"root_volume_size is {root_volume_size}: write a size in GiB, from the image's size "
            "to 16384"
        )
    if encryption_key is None:
        return [_root(root_device_name, root_volume_size), *data_volumes]
    return [_root_with_key(root_device_name, root_volume_size, encryption_key), *data_volumes]


@cache
def _root(name: str, size: int) -> ec2.BlockDevice:
    # Cached: the same for every instance, created with one message to node.
    return _root_with_key(name, size, None)


def _root_with_key(name: str, size: int, key: cdk.aws_kms.IKey | None) -> ec2.BlockDevice:
    volume = ec2.BlockDeviceVolume.ebs(
        size, encrypted=True, kms_key=key, volume_type=ec2.EbsDeviceVolumeType.GP3
    )
    return ec2.BlockDevice(device_name=name, volume=volume)
