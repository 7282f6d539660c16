"""HardenedMachineImage: an AMI that has the hardening in it, and servers that know it."""

import jsii
from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from hardened_ec2.host import HostHardening


@jsii.implements(ec2.IMachineImage)
class HardenedMachineImage:
    """An AMI that `HardenedImage` built: servers of it only verify at boot what it has already.

    `HardenedImage.machine_image` is one. Make one yourself where the AMI is known by its id only,
    in another stack, account or Region.

    Args:
        image_id: The AMI.
        host_hardening: The hardening that was built into it. A server that finds another one, or
            none, applies this one.
        root_device_name: The root device of the AMI. Default: ``/dev/xvda``, Amazon Linux's.

    Raises:
        ValueError: If ``host_hardening`` is no `HostHardening`.

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
        root_device_name: str = "/dev/xvda",
    ) -> None:
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


def carried_hardening(
    machine_image: ec2.IMachineImage, host_hardening: HostHardening | None, *, asked_for: bool
) -> tuple[HostHardening | None, bool]:
    """Decide what hardening the user data of a server bring, and whether its image has it already.

    Args:
        machine_image: The image.
        host_hardening: What the server's author wants, or the default.
        asked_for: Whether the author wrote it.

    Returns:
        The hardening of the user data, and whether it is the image's own.

    Raises:
        ValueError: If the image has another hardening than the author wants.

    Example:
        >>> strict = HostHardening(profile="strict")
        >>> image = HardenedMachineImage(image_id="ami-0123456789abcdef0", host_hardening=strict)
        >>> carried_hardening(image, HostHardening(), asked_for=False) == (strict, True)
        True
    """
    if not isinstance(machine_image, HardenedMachineImage):
        return host_hardening, False
    if host_hardening is None:
        return None, False
    built_in = machine_image.host_hardening
    if asked_for and host_hardening != built_in:
        different = ", ".join(
            f"{name}={value!r} where the image has {getattr(built_in, name)!r}"
            for name, value in vars(host_hardening).items()
            if value != getattr(built_in, name)
        )
        raise ValueError(
            f"host_hardening has {different}: leave host_hardening out, to have the image's, or "
            "build an image with this one, HardenedImage(..., host_hardening=...)"
        )
    return built_in, True
