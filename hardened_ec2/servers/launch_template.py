"""HardenedLaunchTemplate: an EC2 launch template of servers locked down by construction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from constructs import Construct

from hardened_ec2.host import HostHardening, LifecycleSignal
from hardened_ec2.network.ssh import SshAccess
from hardened_ec2.network.vpc import HardenedVpc
from hardened_ec2.servers.imds import Imds
from hardened_ec2.servers.prepared import ROOT_VOLUME_SIZE, PreparedServer
from hardened_ec2.support.all_or_nothing import all_or_nothing
from hardened_ec2.support.not_given import NOT_GIVEN, NotGiven
from hardened_ec2.support.signature import own_signature


@own_signature
class HardenedLaunchTemplate(ec2.LaunchTemplate):
    """An EC2 launch template whose servers are locked down by construction.

    It is an `ec2.LaunchTemplate`. Every server launched from it has the defaults of a
    `HardenedInstance`: access through Session Manager alone, IMDSv2 with a hop limit of 1, an
    encrypted gp3 root volume, EBS optimization, detailed monitoring, the template's tags on the
    server and its volumes, and a host that is hardened before anyone can log in. The template
    itself disables public addresses, so the setting of a subnet has no effect.

    IMDSv2, encrypted volumes and a port 22 that is closed to the internet are guarantees: no
    argument removes them. A principal that calls ``ec2:RunInstances`` can override a launch
    template; a `HardenedAutoScalingGroup` uses it as it is.

    Each change creates a new version. Running servers keep theirs until they are replaced.

    Source: Security Hub EC2.25, EC2.170, EC2.181; AWS, "Change instance stop protection"; AWS,
        "Change instance termination protection".

    Example::

        template = HardenedLaunchTemplate(self, "Template", vpc=vpc)
        template.user_data.add_commands("systemctl enable --now my-service")
        HardenedAutoScalingGroup(self, "Fleet", vpc=vpc, launch_template=template)
    """

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 - CDK's own name for it
        *,
        vpc: ec2.IVpc,
        instance_type: ec2.InstanceType | None = None,
        machine_image: ec2.IMachineImage | None = None,
        ssh: SshAccess = SshAccess.none(),
        imds: Imds = Imds(),
        host_hardening: HostHardening | NotGiven | None = NOT_GIVEN,
        user_data: ec2.UserData | None = None,
        role: iam.IRole | None = None,
        security_group: ec2.ISecurityGroup | None = None,
        key_pair: ec2.IKeyPair | None = None,
        associate_public_ip_address: bool = False,
        root_volume_size: int = ROOT_VOLUME_SIZE,
        root_device_name: str | None = None,
        block_devices: Sequence[ec2.BlockDevice] = (),
        encryption_key: cdk.aws_kms.IKey | None = None,
        detailed_monitoring: bool = True,
        disable_api_termination: bool = True,
        disable_api_stop: bool = True,
        launch_template_name: str | None = None,
        version_description: str | None = None,
    ) -> None:
        """Create the launch template, and a security group and role if none are given.

        Args:
            scope: The parent construct.
            id: The launch template's id in it.
            vpc: The VPC of the servers. In a `HardenedVpc`, they can also reach the VPC's
                endpoints.
            instance_type: The instance type. Default: t4g.small.
            machine_image: The Linux AMI. Default: the latest Amazon Linux 2023 for the instance
                type's architecture, looked up at each deployment. With
                ``ec2.MachineImage.resolve_ssm_parameter_at_launch(...)``, EC2 looks it up at each
                launch.
            ssh: The sources that can reach port 22. Default: none.
            imds: The options of the instance metadata service. Default: `Imds()`.
            host_hardening: The hardening of the host. Default: the image's own for a
                `HardenedMachineImage`; none with `Imds.disabled()`, since the host then receives
                no user data; otherwise `HostHardening()`. None if another kind of image already
                contains it. It must match a `HardenedMachineImage`, and the host must be able to
                receive it.
            user_data: Your own commands, which run after the hardening. Default: none.
            role: The IAM role. Default: a new `InstanceRole`.
            security_group: The security group. Default: a new `LockedSecurityGroup`.
            key_pair: An EC2 key pair. Default: none. Session Manager and EC2 Instance Connect work
                without one, and a key pair is a long-lived secret.
            associate_public_ip_address: Whether the servers have a public IPv4 address. True
                requires public subnets. Default: False.
            root_volume_size: Size of the root volume, in GiB. Default: 16.
            root_device_name: The root device name of the image. Default: ``/dev/xvda`` for CDK's
                Amazon Linux images. Required for other images: with a wrong name, EC2 leaves the
                root volume as the image defines it and attaches an empty second volume.
            block_devices: Data volumes. Each EBS volume must be encrypted. Default: none.
            encryption_key: The KMS key of the root volume. Default: the account's key for EBS.
            detailed_monitoring: Whether EC2 sends metrics every minute. Default: True ($2.10 a
                month for each server).
            disable_api_termination: Whether the servers are protected from termination. An Auto
                Scaling group terminates protected servers too, and EC2 cannot launch a Spot
                Instance with this protection. Default: True.
            disable_api_stop: Whether the servers are protected from being stopped, with the same
                two limits. Default: True.
            launch_template_name: A physical name. Default: CloudFormation generates one, so that
                the template can be replaced and deployed more than once.
            version_description: The description of each version. Default: none.

        Raises:
            ValueError: If an argument is invalid or two contradict each other; the message says
                what to write. Synthesis fails if user data exceeds 16,384 bytes, and states the
                sizes.
        """
        server = PreparedServer.of(
            vpc=vpc,
            instance_type=instance_type,
            machine_image=machine_image,
            ssh=ssh,
            imds=imds,
            host_hardening=host_hardening,
            user_data=user_data,
            root_volume_size=root_volume_size,
            root_device_name=root_device_name,
            block_devices=block_devices,
            encryption_key=encryption_key,
        )

        # All argument checks run above, before the first construct is created.
        with all_or_nothing(scope) as created:
            created.append(f"{id}Access")
            access = Construct(scope, f"{id}Access")
            group, server_role = server.create_access(
                access, security_group=security_group, role=role
            )
            created.append(id)
            super().__init__(
                scope,
                id,
                launch_template_name=launch_template_name,
                version_description=version_description,
                role=server_role,
                security_group=group,
                key_pair=key_pair,
                associate_public_ip_address=associate_public_ip_address,
                detailed_monitoring=detailed_monitoring,
                disable_api_termination=disable_api_termination,
                http_tokens=ec2.LaunchTemplateHttpTokens.REQUIRED,
                **server.properties,
            )
        self.security_group = group
        """The security group of the servers. `connections` adds rules to it."""
        self.host_hardening = server.host_hardening
        """The hardening of the hosts, by their user data, image or both. None without one."""
        self.server_role = server_role
        """The IAM role of the servers."""
        self.encryption_keys = tuple(_keys(encryption_key, block_devices))
        """The KMS keys that the principal who launches the servers needs permission to use."""
        self.protects_from_termination_or_stop = disable_api_termination or disable_api_stop
        """Whether the servers are protected, so that EC2 cannot launch Spot Instances."""
        self.associate_public_ip_address = associate_public_ip_address
        """Whether the servers have a public IPv4 address."""
        self._commands = server.user_data
        resource = cast("ec2.CfnLaunchTemplate", self.node.default_child)
        resource.add_property_override("LaunchTemplateData.DisableApiStop", disable_api_stop)
        if isinstance(vpc, HardenedVpc):
            vpc.allow_endpoints_from(group)
        server.finish(
            self,
            resource,
            set_user_data=lambda value: resource.add_property_override(
                "LaunchTemplateData.UserData", value
            ),
            beside=scope,
        )

    @property
    def hardens_at_boot(self) -> bool:
        """Whether its user data hardens the servers and can report the result."""
        return self._commands.hardening is not None

    @property
    def reports(self) -> bool:
        """Whether its servers already report their hardening to a lifecycle hook."""
        return self._commands.signal is not None

    def report_to(self, signal: LifecycleSignal) -> None:
        """Let the servers report their hardening to the lifecycle hook of an Auto Scaling group.

        `HardenedAutoScalingGroup` calls this itself.

        Args:
            signal: The Auto Scaling group and its lifecycle hook.

        Example::

            template.report_to(LifecycleSignal(group="Web", hook="hardening"))
        """
        self._commands.signal = signal


def _keys(
    encryption_key: cdk.aws_kms.IKey | None, block_devices: Sequence[ec2.BlockDevice]
) -> dict[cdk.aws_kms.IKey, None]:
    """Return the KMS keys of all volumes, each once."""
    keys = {} if encryption_key is None else {encryption_key: None}
    for device in block_devices:
        ebs = device.volume.ebs_device
        if ebs is not None and ebs.kms_key is not None:
            keys[ebs.kms_key] = None
    return keys
