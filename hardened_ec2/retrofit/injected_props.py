"""Changes that property injectors make to the props of CDK's own constructs.

Each function takes the props as CDK passes them to an injector, a dict in CDK's own spelling
(``httpTokens``). It sets secure defaults where the app sets nothing, and guarantees always.
"""

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from aws_cdk import Stack
from aws_cdk import aws_autoscaling as autoscaling
from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from hardened_ec2.retrofit.conflicts import Conflict, optional_tokens, unencrypted_volume
from hardened_ec2.servers.block_devices import root_device_of
from hardened_ec2.servers.machine_image import amazon_linux_2023

Props: TypeAlias = dict[str, Any]
"""Props as CDK passes them to an injector."""

_OTHERS_LAUNCH: Final = ("launchTemplate", "mixedInstancesPolicy")
"""With one of these an Auto Scaling group refuses props of its servers."""

_EBS_FIELDS: Final = (
    "delete_on_termination",
    "iops",
    "snapshot_id",
    "throughput",
    "volume_initialization_rate",
    "volume_size",
)


def root_device(props: Mapping[str, Any], named: str | None) -> str | None:
    """Return the root device of a server's image.

    Args:
        props: The server's props.
        named: The root device that the app names for images whose root device is unknown.

    Returns:
        The device name, or None if it is unknown.
    """
    image = props.get("machineImage")
    if image is None:
        return None
    try:
        return root_device_of(image)
    except ValueError:
        return named


def metadata_options(props: Props, tokens: object, path: str) -> list[Conflict]:
    """Require IMDSv2, and set hop limit 1 if the app sets none.

    Args:
        props: The props of an instance or a launch template; changed in place.
        tokens: ``REQUIRED`` of the construct's enum.
        path: The construct's path, for messages.

    Returns:
        The settings of the app that contradict this.
    """
    conflicts = [optional_tokens(path)] if props.get("httpTokens") == "optional" else []
    # CDK refuses it together with metadata options, and creates a launch template with a fixed
    # name for it, of which a second one would collide.
    props.pop("requireImdsv2", None)
    props["httpTokens"] = tokens
    props.setdefault("httpPutResponseHopLimit", 1)
    return conflicts


def block_devices(props: Props, root: str | None, scope: Construct, path: str) -> list[Conflict]:
    """Encrypt every EBS volume, and the root volume if its device is known.

    Args:
        props: The server's props; changed in place.
        root: The root device of its image, or None if it is unknown.
        scope: The server's parent construct.
        path: The construct's path, for messages.

    Returns:
        The settings of the app that contradict this.
    """
    conflicts = []
    devices = []
    for device in props.get("blockDevices", []):
        encrypted = _encrypted(device["volume"], scope)
        if encrypted is False:
            name = f"the volume {device['deviceName']}"
            conflicts.append(unencrypted_volume(path, name))
        if encrypted is True or device["volume"].ebs_device is None:
            devices.append(device)
        else:
            devices.append({**device, "volume": _encrypted_copy(device["volume"])})
    if root is not None and root not in {device["deviceName"] for device in devices}:
        # Without a size the image's own applies: a smaller volume would fail the launch.
        volume = ec2.BlockDeviceVolume(ec2.EbsDeviceProps(encrypted=True))
        devices.insert(0, {"deviceName": root, "volume": volume})
    if devices:
        props["blockDevices"] = devices
    return conflicts


def bastion(props: Props) -> None:
    """Give a bastion an image that still receives security updates: Amazon Linux 2023.

    CDK's default is Amazon Linux 2, whose support ended in June 2026.

    Args:
        props: The props of a `BastionHostLinux`; changed in place.
    """
    if "machineImage" not in props:
        kind = props.get("instanceType")
        architecture = ec2.InstanceArchitecture.X86_64 if kind is None else kind.architecture
        props["machineImage"] = amazon_linux_2023(architecture)


def fleet(props: Props) -> bool:
    """Require IMDSv2 and detailed monitoring for an Auto Scaling group without a launch template.

    Args:
        props: The props of an `AutoScalingGroup`; changed in place.

    Returns:
        Whether the group has no launch template, which would describe the servers instead.
    """
    if any(name in props for name in _OTHERS_LAUNCH):
        return False
    props["requireImdsv2"] = True
    props.setdefault("instanceMonitoring", autoscaling.Monitoring.DETAILED)
    return True


def volume(props: Props, path: str) -> list[Conflict]:
    """Encrypt an EBS volume.

    Args:
        props: The props of an `ec2.Volume`; changed in place.
        path: The construct's path, for messages.

    Returns:
        The settings of the app that contradict this.
    """
    conflicts = [unencrypted_volume(path, "the volume")] if props.get("encrypted") is False else []
    props["encrypted"] = True
    return conflicts


def network(props: Props, *, flow_logs: bool) -> None:
    """Close a VPC's default security group, stop assigning public addresses, and add a flow log.

    Args:
        props: The props of an `ec2.Vpc`; changed in place.
        flow_logs: Whether to add a flow log if the app has none.
    """
    props.setdefault("restrictDefaultSecurityGroup", True)
    if flow_logs:
        props.setdefault("flowLogs", {"FlowLog": {}})
    if isinstance(
        props.get("natGatewayProvider"), ec2.NatInstanceProvider | ec2.NatInstanceProviderV2
    ):
        # NAT instances get their public address only from the subnet.
        return
    props["subnetConfiguration"] = [
        {"mapPublicIpOnLaunch": False, **subnet} if subnet["subnetType"] == "Public" else subnet
        for subnet in props.get("subnetConfiguration") or _default_subnets(props)
    ]


def _default_subnets(props: Mapping[str, Any]) -> list[Props]:
    """Return CDK's default subnets under CDK's own names: other names would replace them."""
    private = (
        {"name": "Isolated", "subnetType": ec2.SubnetType.PRIVATE_ISOLATED}
        if props.get("natGateways") == 0
        else {"name": "Private", "subnetType": ec2.SubnetType.PRIVATE_WITH_EGRESS}
    )
    return [{"name": "Public", "subnetType": "Public"}, private]


def _encrypted(volume: Any, scope: Construct) -> bool | None:  # noqa: ANN401 - two CDK classes
    """Return a volume's ``encrypted``: True, False, or None if it is not set."""
    ebs = volume.ebs_device
    if ebs is None:
        return None
    if isinstance(volume, autoscaling.BlockDeviceVolume):
        # Auto Scaling's struct lacks the property in Python; the resolved object has it.
        device: Mapping[str, Any] = Stack.of(scope).resolve(volume).get("ebsDevice", {})
        return device.get("encrypted")
    answer: bool | None = ebs.encrypted
    return answer


def _encrypted_copy(volume: Any) -> ec2.BlockDeviceVolume:  # noqa: ANN401 - two CDK classes
    """Return an encrypted copy of a volume, of ec2's class, which Auto Scaling accepts too."""
    ebs = volume.ebs_device
    values = {name: getattr(ebs, name) for name in _EBS_FIELDS}
    if ebs.volume_type is not None:
        values["volume_type"] = ec2.EbsDeviceVolumeType[ebs.volume_type.name]
    return ec2.BlockDeviceVolume(
        ec2.EbsDeviceProps(encrypted=True, kms_key=getattr(ebs, "kms_key", None), **values)
    )
