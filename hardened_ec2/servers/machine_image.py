"""HardenedMachineImage: an AMI that has the hardening in it, and servers that know it."""

from functools import cache

import jsii
from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from hardened_ec2.host import HostHardening
from hardened_ec2.policy.root_devices import AMAZON_LINUX
from hardened_ec2.servers.imds import Imds
from hardened_ec2.support.not_given import NOT_GIVEN, NotGiven

_CPU_TYPES = {
    ec2.InstanceArchitecture.ARM_64: ec2.AmazonLinuxCpuType.ARM_64,
    ec2.InstanceArchitecture.X86_64: ec2.AmazonLinuxCpuType.X86_64,
}


@jsii.implements(ec2.IMachineImage)
class HardenedMachineImage:
    """An AMI that `HardenedImage` built: servers of it only verify at boot what it has already.

    `HardenedImage.machine_image` is one. Make one yourself where the AMI is known by its id only,
    in another stack, account or Region.

    Source: CDK API Reference, "IMachineImage".

    Example::

        image = HardenedMachineImage(
            image_id="ami-0123456789abcdef0", host_hardening=HostHardening(profile="strict")
        )
        HardenedInstance(self, "Server", vpc=vpc, machine_image=image)
    """

    def __init__(
        self,
        *,
        image_id: str,
        host_hardening: HostHardening,
        root_device_name: str = AMAZON_LINUX,
    ) -> None:
        """Name an AMI and the hardening that is in it.

        Args:
            image_id: The AMI.
            host_hardening: The hardening that was built into it. A server that finds another one,
                or none, applies this one.
            root_device_name: The root device of the AMI. Default: ``/dev/xvda``, Amazon Linux's.

        Raises:
            ValueError: If ``host_hardening`` is no `HostHardening`.
        """
        if not isinstance(host_hardening, HostHardening):
            raise ValueError(
                f"host_hardening is {host_hardening!r}: write the HostHardening(...) that the "
                "image was built with"
            )
        self.image_id = image_id
        self.host_hardening = host_hardening
        self.root_device_name = root_device_name

    def get_image(self, scope: Construct) -> ec2.MachineImageConfig:  # noqa: ARG002 - CDK passes it
        """Return the image, as CDK asks for it."""
        return ec2.MachineImageConfig(
            image_id=self.image_id,
            os_type=ec2.OperatingSystemType.LINUX,
            user_data=ec2.UserData.for_linux(),
        )


@cache
def amazon_linux_2023(architecture: ec2.InstanceArchitecture) -> ec2.IMachineImage:
    """Return Amazon Linux 2023 for an architecture, as it is released, created once.

    Args:
        architecture: The architecture of the instance type.

    Returns:
        The image, looked up at each deployment.

    Example:
        >>> arm = ec2.InstanceType("t4g.small").architecture
        >>> amazon_linux_2023(arm) is amazon_linux_2023(arm)
        True
    """
    return ec2.MachineImage.latest_amazon_linux2023(cpu_type=_CPU_TYPES[architecture])


def hardening_of_server(
    machine_image: ec2.IMachineImage | None,
    host_hardening: HostHardening | NotGiven | None,
    imds: Imds,
) -> tuple[HostHardening | None, bool]:
    """Decide what hardens a server, and whether its image has it already.

    Args:
        machine_image: The image. None where it is not known.
        host_hardening: What is asked for: `NOT_GIVEN` to follow the image, or to have
            `HostHardening()` where the server can receive it; None for nothing.
        imds: The options of the metadata service, by which user data is received.

    Returns:
        The hardening, and whether it is the image's own.

    Raises:
        ValueError: If the image has another hardening than the one asked for, or the server could
            not receive it.

    Source: AWS, "Turn off access to instance metadata".

    Example:
        >>> strict = HostHardening(profile="strict")
        >>> image = HardenedMachineImage(image_id="ami-0123456789abcdef0", host_hardening=strict)
        >>> hardening_of_server(image, NOT_GIVEN, Imds()) == (strict, True)
        True
    """
    if isinstance(machine_image, HardenedMachineImage) and host_hardening is not None:
        built_in = machine_image.host_hardening
        if host_hardening is not NOT_GIVEN:
            _refuse_difference(host_hardening, built_in)
        return built_in, True
    if host_hardening is NOT_GIVEN:
        return (HostHardening() if imds.http_endpoint else None), False
    if host_hardening is not None and not imds.http_endpoint:
        raise ValueError(
            "imds=Imds.disabled() with host_hardening: an instance without metadata service never "
            "receives user data. Bake the hardening into the image and leave host_hardening out, "
            "or leave imds at Imds()"
        )
    return host_hardening, False


def _refuse_difference(asked_for: HostHardening, built_in: HostHardening) -> None:
    different = ", ".join(
        f"{name}={value!r} where the image has {getattr(built_in, name)!r}"
        for name, value in vars(asked_for).items()
        if value != getattr(built_in, name)
    )
    if different:
        raise ValueError(
            f"host_hardening has {different}: leave host_hardening out, to have the image's, or "
            "build an image with this one, HardenedImage(..., host_hardening=...)"
        )
