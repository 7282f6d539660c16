"""HardenedMachineImage: a hardened AMI, and the hardening of servers launched from it."""

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
    """An AMI built by `HardenedImage`, whose servers only verify their hardening at boot.

    `HardenedImage.machine_image` is one. Create one yourself if only the AMI's id is known, such as
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
        """Describe an AMI and the hardening that it contains.

        Args:
            image_id: The id of the AMI.
            host_hardening: The hardening that was built into the AMI. A server that finds another
                one, or none, applies this one.
            root_device_name: The root device name of the AMI. Default: ``/dev/xvda``, the name on
                Amazon Linux.

        Raises:
            ValueError: If ``host_hardening`` is not a `HostHardening`.
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
        """Return the image's configuration, for CDK."""
        return ec2.MachineImageConfig(
            image_id=self.image_id,
            os_type=ec2.OperatingSystemType.LINUX,
            user_data=ec2.UserData.for_linux(),
        )


_DEFAULT_HARDENING = HostHardening()
"""The hardening of a server for which none is given, checked once and not for each server."""


@cache
def amazon_linux_2023(architecture: ec2.InstanceArchitecture) -> ec2.IMachineImage:
    """Return the latest Amazon Linux 2023 for an architecture, created once.

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
    """Return the hardening of a server, and whether its image contains it already.

    Args:
        machine_image: The image. None if it is not known.
        host_hardening: The given hardening. `NOT_GIVEN` for the image's own, or for
            `HostHardening()` if the server can receive it; None for none.
        imds: The options of the metadata service, through which a server receives user data.

    Returns:
        The hardening, and whether it is the image's own.

    Raises:
        ValueError: If the image contains another hardening than the given one, or the server
            cannot receive it.

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
        return (_DEFAULT_HARDENING if imds.http_endpoint else None), False
    if host_hardening is not None and not imds.http_endpoint:
        raise ValueError(
            "imds=Imds.disabled() is given with host_hardening, but an instance without metadata "
            "service never receives user data: bake the hardening into the image and leave "
            "host_hardening out, or leave imds at Imds()"
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
            f"host_hardening has {different}: leave host_hardening out to use the image's, or "
            "build an image with HardenedImage(..., host_hardening=...)"
        )
