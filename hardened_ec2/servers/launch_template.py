"""HardenedLaunchTemplate: what a fleet's servers are launched from, locked down by construction."""

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
    """A launch template whose servers are locked down by construction.

    It is an `ec2.LaunchTemplate`, and every server launched from it has what a `HardenedInstance`
    has: no way in but Session Manager, IMDSv2 with one hop, an encrypted gp3 root volume, EBS
    optimisation, detailed monitoring, its tags on the server and its volumes, and the hardening of
    the host before anyone can log in. A server gets no public address unless it is asked for,
    whatever its subnet hands out: that is written out, not left to the subnet.

    IMDSv2, encrypted volumes and a closed port 22 are guarantees: no argument gives them up. But
    who launches from a template may override it (``aws ec2 run-instances`` with options of its
    own); a `HardenedAutoScalingGroup` does not.

    A change makes a new version; servers that run keep theirs until they are replaced.

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
        """Create the launch template, and its group and role where none are given.

        Args:
            scope: The construct to make the launch template in.
            id: The launch template's id there.
            vpc: The VPC that its servers are launched in. In a `HardenedVpc` they may also reach
                the VPC's endpoints.
            instance_type: The instance type. Default: t4g.small.
            machine_image: The image; Linux. Default: Amazon Linux 2023 for the type's architecture,
                looked up at each deployment. With
                ``ec2.MachineImage.resolve_ssm_parameter_at_launch(...)`` each launch takes the
                newest.
            ssh: Who may reach port 22. Default: nobody.
            imds: The options of the metadata service. Default: `Imds()`.
            host_hardening: What to do on the host. Default: the hardening of the image, where it is
                a `HardenedMachineImage`; nothing without metadata service, since user data would
                not be received; otherwise `HostHardening()`. None where an image of another kind
                carries it already. One that the image contradicts, or the host could not receive,
                is refused.
            user_data: Your own commands, run after the hardening. Default: none.
            role: The role. Default: an `InstanceRole` of its own.
            security_group: The group. Default: a `LockedSecurityGroup` of its own.
            key_pair: An EC2 key pair. Default: none; Session Manager and EC2 Instance Connect need
                none, and a key pair is a secret that nobody rotates.
            associate_public_ip_address: Whether the servers have a public address, which takes
                public subnets. Default: False.
            root_volume_size: Size of the root volume, in GiB. Default: 16.
            root_device_name: The root device of the image. Default: ``/dev/xvda`` for the Amazon
                Linux images of CDK; required for any other, since a wrong name leaves the root
                volume as the image has it and adds an empty second one.
            block_devices: Data volumes. Each EBS volume must be encrypted.
            encryption_key: The KMS key of the root volume. Default: the account's key for EBS.
            detailed_monitoring: Whether metrics come every minute. Default: True ($2.10 a month for
                each server).
            disable_api_termination: Whether the servers are protected from termination. It does not
                keep an Auto Scaling group from ending them, and EC2 launches no Spot Instance with
                it. Default: True.
            disable_api_stop: Whether the servers are protected from being stopped, with the same
                two limits. Default: True.
            launch_template_name: A physical name. Default: CloudFormation makes one, which is what
                lets the template be replaced and made twice.
            version_description: What EC2 shows with each version. Default: nothing.

        Raises:
            ValueError: If an argument is wrong or two contradict each other; the message says what
                to write. User data over 16,384 bytes is refused at synth, with the sizes.
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

        # Whatever can be refused was refused above, before the first construct was made.
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
        """The group of the servers; `connections` writes its rules."""
        self.host_hardening = server.host_hardening
        """What hardens the hosts: their user data, their image, or both. None for nothing."""
        self.server_role = server_role
        """The role of the servers."""
        self.encryption_keys = tuple(_keys(encryption_key, block_devices))
        """The KMS keys that the principal who launches the servers has to be allowed to use."""
        self.protects_from_termination_or_stop = disable_api_termination or disable_api_stop
        """Whether a Spot Instance could not be launched from it."""
        self.associate_public_ip_address = associate_public_ip_address
        """Whether the servers have a public address."""
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
        """Whether its user data hardens the servers, and can say how it went."""
        return self._commands.hardening is not None

    @property
    def reports(self) -> bool:
        """Whether its servers already report their hardening to a lifecycle hook."""
        return self._commands.signal is not None

    def report_to(self, signal: LifecycleSignal) -> None:
        """Let the servers report their hardening to the lifecycle hook of a group.

        `HardenedAutoScalingGroup` calls this for itself.

        Args:
            signal: The hook.

        Example::

            template.report_to(LifecycleSignal(group="Web", hook="hardening"))
        """
        self._commands.signal = signal


def _keys(
    encryption_key: cdk.aws_kms.IKey | None, block_devices: Sequence[ec2.BlockDevice]
) -> dict[cdk.aws_kms.IKey, None]:
    """List the keys of all volumes, each once."""
    keys = {} if encryption_key is None else {encryption_key: None}
    for device in block_devices:
        ebs = device.volume.ebs_device
        if ebs is not None and ebs.kms_key is not None:
            keys[ebs.kms_key] = None
    return keys
