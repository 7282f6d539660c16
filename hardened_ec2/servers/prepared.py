"""What every hardened server starts from, whoever launches it: its defaults and its refusals."""

from collections.abc import Callable
from types import NoneType

from aws_cdk import Annotations, CfnResource
from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from hardened_ec2.host import HostHardening
from hardened_ec2.network.security_group import LockedSecurityGroup
from hardened_ec2.network.ssh import SshAccess
from hardened_ec2.servers.imds import CONTAINER_METADATA, Imds
from hardened_ec2.servers.user_data import HardenedUserData, UserDataProperty

ROOT_VOLUME_SIZE = 16
"""Size of the root volume in GiB: room for the images of every supported distribution."""

INSTANCE_TYPE = "t4g.small"
"""The instance type of a server whose author names none."""

NO_SSH = SshAccess.none()
DEFAULT_IMDS = Imds()
DEFAULT_HARDENING = HostHardening()

_CPU_TYPES = {
    ec2.InstanceArchitecture.ARM_64: ec2.AmazonLinuxCpuType.ARM_64,
    ec2.InstanceArchitecture.X86_64: ec2.AmazonLinuxCpuType.X86_64,
}


def default_image(instance_type: ec2.InstanceType) -> ec2.IMachineImage:
    """Choose Amazon Linux 2023 for the architecture of an instance type.

    Args:
        instance_type: The instance type.

    Returns:
        The image as it is released, looked up at each deployment.

    Example::

        default_image(ec2.InstanceType("m7i.large"))
    """
    return ec2.MachineImage.latest_amazon_linux2023(cpu_type=_CPU_TYPES[instance_type.architecture])


def refuse_other_kinds(*, ssh: object, imds: object, host_hardening: object) -> None:
    """Refuse values that are not of the kind that a server takes.

    Args:
        ssh: Who may reach port 22.
        imds: The options of the metadata service.
        host_hardening: What to do on the host, or None.

    Raises:
        ValueError: If one is something else; the message says what to write.

    Example:
        >>> refuse_other_kinds(ssh=22, imds=Imds(), host_hardening=None)
        Traceback (most recent call last):
            ...
        ValueError: ssh is 22: write ssh=SshAccess.from_cidrs('203.0.113.7'), or leave it out
    """
    for name, value, kinds, instead in (
        ("ssh", ssh, (SshAccess,), "SshAccess.from_cidrs('203.0.113.7'), or leave it out"),
        ("imds", imds, (Imds,), "Imds(), Imds.for_containers() or Imds.disabled()"),
        ("host_hardening", host_hardening, (HostHardening, NoneType), "HostHardening()"),
    ):
        if not isinstance(value, kinds):
            raise ValueError(f"{name} is {value!r}: write {name}={instead}")


def refuse_other_subnets(vpc_subnets: object) -> None:
    """Refuse subnets that are named in another way than CDK's.

    Args:
        vpc_subnets: The subnets, or None.

    Raises:
        ValueError: If it is no ``ec2.SubnetSelection``.
    """
    if not isinstance(vpc_subnets, (ec2.SubnetSelection, NoneType)):
        raise ValueError(
            f"vpc_subnets is {vpc_subnets!r}: write "
            "vpc_subnets=ec2.SubnetSelection(subnet_type=...), or leave it out"
        )


def refuse_user_data_nobody_reads(
    imds: Imds, *, host_hardening: HostHardening | None, user_data: ec2.UserData | None
) -> None:
    """Refuse user data that are asked for on a server that never receives any.

    Args:
        imds: The options of the metadata service.
        host_hardening: What to do on the host; the default counts as not asked for.
        user_data: The user's own commands.

    Raises:
        ValueError: If the metadata service is disabled and one of the others is asked for.

    Source: AWS, "Turn off access to instance metadata".
    """
    asked = user_data is not None or host_hardening not in (None, DEFAULT_HARDENING)
    if asked and not imds.http_endpoint:
        raise ValueError(
            "imds=Imds.disabled() with user_data or host_hardening: an instance without metadata "
            "service never receives user data. Bake them into the image and leave them out, or "
            "leave imds at Imds()"
        )


def own_group(
    access: Construct,
    security_group: ec2.ISecurityGroup | None,
    *,
    vpc: ec2.IVpc,
    ssh: SshAccess,
) -> ec2.ISecurityGroup:
    """Let SSH into the group of a server, which is a locked one of its own unless one is given.

    Args:
        access: The construct to make the group in.
        security_group: The group that is given. None to make one.
        vpc: The VPC.
        ssh: Who may reach port 22.

    Returns:
        The group.

    Raises:
        ValueError: If the group permits fewer addresses than SSH asks for.

    Example::

        own_group(self, None, vpc=vpc, ssh=SshAccess.from_cidrs("203.0.113.7"))
    """
    group = security_group or LockedSecurityGroup(
        access,
        "SecurityGroup",
        vpc=vpc,
        description="Hardened EC2 instance",
        max_administrative_addresses=ssh.max_addresses,
    )
    ssh.allow_into(group)
    return group


def equip(
    server: Construct,
    resource: CfnResource,
    *,
    imds: Imds,
    commands: HardenedUserData,
    hardened_image: bool,
    set_user_data: Callable[[str], None],
    beside: Construct,
) -> None:
    """Give a server its user data, or say that it gets none, and declare a container host.

    Args:
        server: The construct of the server.
        resource: Its resource.
        imds: The options of the metadata service.
        commands: The user data.
        hardened_image: Whether the image has the hardening in it.
        set_user_data: Writes the property UserData.
        beside: Where the server stands, with others like it.
    """
    if imds.http_endpoint:
        UserDataProperty(server, commands).write(set_user_data, beside=beside)
    elif not hardened_image:
        Annotations.of(server).add_warning_v2(
            "hardened-ec2:imds-disabled",
            "the metadata service is disabled, so no hardening reaches the host at boot: the "
            "image has to carry it",
        )
    if imds.containers:
        for key, value in CONTAINER_METADATA.items():
            resource.add_metadata(key, value)
