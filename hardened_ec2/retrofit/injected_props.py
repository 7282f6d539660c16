"""What property injectors make of the properties that an app passes to CDK's own constructs.

Each function takes what CDK hands to an injector, a dict of properties in CDK's own spelling
(``httpTokens``), and returns it with secure defaults where the app says nothing, and with
guarantees whatever it says.
"""

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from aws_cdk import Stack
from aws_cdk import aws_autoscaling as autoscaling
from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from hardened_ec2.retrofit.conflicts import Conflict, optional_tokens, unencrypted_volume
from hardened_ec2.servers.block_devices import root_device_of

Props: TypeAlias = dict[str, Any]
"""Properties as an injector gets them."""

_OTHERS_LAUNCH: Final = ("launchTemplate", "mixedInstancesPolicy")
"""With these an Auto Scaling group takes no properties of servers."""

_EBS_FIELDS: Final = (
    "delete_on_termination",
    "iops",
    "snapshot_id",
    "throughput",
    "volume_initialization_rate",
    "volume_size",
)

_CPU_TYPES: Final = {
    ec2.InstanceArchitecture.ARM_64: ec2.AmazonLinuxCpuType.ARM_64,
    ec2.InstanceArchitecture.X86_64: ec2.AmazonLinuxCpuType.X86_64,
}


def root_device(props: Mapping[str, Any], named: str | None) -> str | None:
    """Tell the root device of the image in some properties.

    Args:
        props: The properties of a server.
        named: What the app said it is, for images that could be any.

    Returns:
        The device name; None where nobody knows.
    """
    image = props.get("machineImage")
    if image is None:
        return None
    try:
        return root_device_of(image)
    except ValueError:
        return named


def metadata_options(props: Props, tokens: object, path: str) -> list[Conflict]:
    """Require IMDSv2, and one hop where the app names no other limit.

    Args:
        props: The properties of an instance or a launch template; changed in place.
        tokens: HttpTokens.REQUIRED, in the enum of the construct.
        path: The construct's path, for messages.

    Returns:
        What the app asks for against it.
    """
    conflicts = [optional_tokens(path)] if props.get("httpTokens") == "optional" else []
    # Together with metadata options CDK refuses it, and it would make a launch template whose
    # fixed name collides with the next one's.
    props.pop("requireImdsv2", None)
    props["httpTokens"] = tokens
    props.setdefault("httpPutResponseHopLimit", 1)
    return conflicts


def block_devices(props: Props, root: str | None, scope: Construct, path: str) -> list[Conflict]:
    """Encrypt every EBS volume, and the root volume where its name is known.

    Args:
        props: The properties of a server; changed in place.
        root: The root device of its image, if it is known.
        scope: Where the server is made.
        path: The construct's path, for messages.

    Returns:
        What the app asks for against it.
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
        # Without a size it is the image's own: a smaller one would keep the server from starting.
        volume = ec2.BlockDeviceVolume(ec2.EbsDeviceProps(encrypted=True))
        devices.insert(0, {"deviceName": root, "volume": volume})
    if devices:
        props["blockDevices"] = devices
    return conflicts


def bastion(props: Props) -> None:
    """Give a bastion an image that still gets security updates.

    CDK's own default is Amazon Linux 2, which has had none since June 2026.

    Args:
        props: The properties of a `BastionHostLinux`; changed in place.
    """
    if "machineImage" not in props:
        kind = props.get("instanceType")
        architecture = ec2.InstanceArchitecture.X86_64 if kind is None else kind.architecture
        props["machineImage"] = ec2.MachineImage.latest_amazon_linux2023(
            cpu_type=_CPU_TYPES[architecture]
        )


def fleet(props: Props) -> bool:
    """Require IMDSv2 and monitor the servers of an Auto Scaling group that describes them itself.

    Args:
        props: The properties of an `AutoScalingGroup`; changed in place.

    Returns:
        Whether it does; its servers are described by a launch template otherwise.
    """
    if any(name in props for name in _OTHERS_LAUNCH):
        return False
    props["requireImdsv2"] = True
    props.setdefault("instanceMonitoring", autoscaling.Monitoring.DETAILED)
    return True


def volume(props: Props, path: str) -> list[Conflict]:
    """Encrypt an EBS volume.

    Args:
        props: The properties of an `ec2.Volume`; changed in place.
        path: The construct's path, for messages.

    Returns:
        What the app asks for against it.
    """
    conflicts = [unencrypted_volume(path, "the volume")] if props.get("encrypted") is False else []
    props["encrypted"] = True
    return conflicts


def network(props: Props, *, flow_logs: bool) -> None:
    """Close a VPC's default group, hand out no public addresses, and log who talks to whom.

    Args:
        props: The properties of an `ec2.Vpc`; changed in place.
        flow_logs: Whether to log, where the app names no flow log.
    """
    props.setdefault("restrictDefaultSecurityGroup", True)
    if flow_logs:
        props.setdefault("flowLogs", {"FlowLog": {}})
    if isinstance(
        props.get("natGatewayProvider"), ec2.NatInstanceProvider | ec2.NatInstanceProviderV2
    ):
        # NAT instances have no other way to the public address that they need.
        return
    props["subnetConfiguration"] = [
        {"mapPublicIpOnLaunch": False, **subnet} if subnet["subnetType"] == "Public" else subnet
        for subnet in props.get("subnetConfiguration") or _default_subnets(props)
    ]


def _default_subnets(props: Mapping[str, Any]) -> list[Props]:
    """Name the subnets that CDK makes where the app names none: other names would replace them."""
    private = (
        {"name": "Isolated", "subnetType": ec2.SubnetType.PRIVATE_ISOLATED}
        if props.get("natGateways") == 0
        else {"name": "Private", "subnetType": ec2.SubnetType.PRIVATE_WITH_EGRESS}
    )
    return [{"name": "Public", "subnetType": "Public"}, private]


def _encrypted(volume: Any, scope: Construct) -> bool | None:  # noqa: ANN401 - two CDK classes
    """Tell what a volume says of its encryption: True, False, or nothing."""
    ebs = volume.ebs_device
    if ebs is None:
        return None
    if isinstance(volume, autoscaling.BlockDeviceVolume):
        # Its struct leaves the property out, its object has it.
        device: Mapping[str, Any] = Stack.of(scope).resolve(volume).get("ebsDevice", {})
        return device.get("encrypted")
    answer: bool | None = ebs.encrypted
    return answer


def _encrypted_copy(volume: Any) -> ec2.BlockDeviceVolume:  # noqa: ANN401 - two CDK classes
    """Copy a volume as one of ec2, which Auto Scaling takes as well, encrypted."""
    ebs = volume.ebs_device
    values = {name: getattr(ebs, name) for name in _EBS_FIELDS}
    if ebs.volume_type is not None:
        values["volume_type"] = ec2.EbsDeviceVolumeType[ebs.volume_type.name]
    return ec2.BlockDeviceVolume(
        ec2.EbsDeviceProps(encrypted=True, kms_key=getattr(ebs, "kms_key", None), **values)
    )
