"""HardenedInstance: an EC2 instance that is locked down by construction."""

from __future__ import annotations

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import Aws, Duration, Stack, Token
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from constructs import Construct

from hardened_ec2.host import HostHardening, ResourceSignal
from hardened_ec2.network.ssh import SshAccess
from hardened_ec2.network.vpc import HardenedVpc
from hardened_ec2.servers.imds import Imds
from hardened_ec2.servers.prepared import ROOT_VOLUME_SIZE, PreparedServer
from hardened_ec2.servers.subnets import subnets_or_private
from hardened_ec2.support.all_or_nothing import all_or_nothing
from hardened_ec2.support.not_given import NOT_GIVEN, NotGiven
from hardened_ec2.support.signature import own_signature

_PRIVATE_SUBNET_TYPES = (ec2.SubnetType.PRIVATE_ISOLATED, ec2.SubnetType.PRIVATE_WITH_EGRESS)


@own_signature
class HardenedInstance(ec2.Instance):
    """An EC2 instance that is locked down by construction.

    It is an `ec2.Instance`: connections, grants, user data and everything that takes an
    `ec2.IInstance` work as usual. By default it has

    - a new `LockedSecurityGroup` without ingress rules, no key pair and no public address;
      Session Manager connects through an `InstanceRole`;
    - IMDSv2 required, with a hop limit of 1 and without instance tags in metadata;
    - an encrypted gp3 root volume, EBS optimization, detailed monitoring and termination
      protection;
    - the host core of `HostHardening`, which locks down sshd and the metadata service at every
      boot, before anyone can log in. Your own user data commands run after it.

    IMDSv2, encrypted volumes and a port 22 that is closed to the internet are guarantees: no
    argument removes them.

    A changed hardening reaches a running server: CloudFormation stops and starts an instance
    whose user data changes, and the boothook runs at every boot. cloud-init runs your own commands
    once, at the first boot; replace the instance to run them again. A changed image always
    replaces the instance, and termination protection keeps the old one until you terminate it. The
    default image follows the releases of Amazon Linux 2023, so pin ``machine_image`` for a server
    that must stay.

    Source: Security Hub EC2.3, EC2.8, EC2.9, EC2.13; CIS AWS Foundations 5.2, 5.7.

    Example::

        vpc = HardenedVpc(self, "Network")
        server = HardenedInstance(self, "Server", vpc=vpc)
        server.user_data.add_commands("systemctl enable --now my-service")
    """

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 - CDK's own name for it
        *,
        vpc: ec2.IVpc,
        instance_type: ec2.InstanceType | None = None,
        machine_image: ec2.IMachineImage | None = None,
        vpc_subnets: ec2.SubnetSelection | None = None,
        ssh: SshAccess = SshAccess.none(),
        imds: Imds = Imds(),
        host_hardening: HostHardening | NotGiven | None = NOT_GIVEN,
        user_data: ec2.UserData | None = None,
        user_data_causes_replacement: bool = False,
        resource_signal_timeout: Duration | None = None,
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
        instance_name: str | None = None,
        availability_zone: str | None = None,
        private_ip_address: str | None = None,
        source_dest_check: bool | None = None,
    ) -> None:
        """Create the instance, and a security group and role if none are given.

        Args:
            scope: The parent construct.
            id: The instance's id in it.
            vpc: The VPC. In a `HardenedVpc`, the instance can also reach the VPC's endpoints.
            instance_type: The instance type. Default: t4g.small.
            machine_image: The Linux AMI. Default: the latest Amazon Linux 2023 for the instance
                type's architecture, looked up at each deployment.
            vpc_subnets: The subnets to place the instance in. Default: the VPC's private subnets;
                a VPC without private subnets is refused.
            ssh: The sources that can reach port 22. Default: none.
            imds: The options of the instance metadata service. Default: `Imds()`.
            host_hardening: The hardening of the host. Default: the image's own for a
                `HardenedMachineImage`; none with `Imds.disabled()`, since the host then receives
                no user data; otherwise `HostHardening()`. None if another kind of image already
                contains it. It must match a `HardenedMachineImage`, and the host must be able to
                receive it.
            user_data: Your own commands, which run after the hardening. Default: none.
            user_data_causes_replacement: Whether changed user data replaces the instance instead of
                restarting it. True requires ``disable_api_termination=False``, so that
                CloudFormation can terminate the old instance. Default: False.
            resource_signal_timeout: How long CloudFormation waits for the server to signal that the
                hardening and your commands succeeded. The deployment fails if one of them fails or
                the signal does not arrive in time. Requires an image with cfn-signal (Amazon Linux)
                and a route to CloudFormation: without internet access,
                `InterfaceEndpoints.RESOURCE_SIGNAL` in the ``interface_endpoints`` of a
                `HardenedVpc`. The role needs no permission for it. Default: CloudFormation does not
                wait.
            role: The IAM role. Default: a new `InstanceRole`.
            security_group: The security group. Default: a new `LockedSecurityGroup`.
            key_pair: An EC2 key pair. Default: none. Session Manager and EC2 Instance Connect work
                without one, and a key pair is a long-lived secret.
            associate_public_ip_address: Whether the instance has a public IPv4 address. True
                requires public subnets in ``vpc_subnets``. Default: False.
            root_volume_size: Size of the root volume, in GiB. Default: 16.
            root_device_name: The root device name of the image. Default: ``/dev/xvda`` for CDK's
                Amazon Linux images. Required for other images: with a wrong name, EC2 leaves the
                root volume as the image defines it and attaches an empty second volume.
            block_devices: Data volumes. Each EBS volume must be encrypted. Default: none.
            encryption_key: The KMS key of the root volume. Default: the account's key for EBS.
            detailed_monitoring: Whether EC2 sends metrics every minute. Default: True ($2.10 a
                month).
            disable_api_termination: Whether the instance is protected from termination.
                Default: True.
            instance_name: The Name tag. Default: the construct's path.
            availability_zone: The Availability Zone. Default: the first subnet's.
            private_ip_address: A fixed private IPv4 address. Default: EC2 assigns one from the
                subnet.
            source_dest_check: Whether EC2 drops traffic of which the instance is neither the source
                nor the destination. Only a NAT or VPN appliance needs False. Default: True.

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
        _refuse_contradictions(
            replaces=user_data_causes_replacement,
            protected=disable_api_termination,
            signals=resource_signal_timeout is not None,
            hardens=server.user_data.hardening is not None,
        )
        subnets = subnets_or_private(vpc, vpc_subnets)
        public = _public_address(vpc_subnets, wanted=associate_public_ip_address)

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
                vpc=vpc,
                vpc_subnets=subnets,
                availability_zone=availability_zone,
                instance_name=instance_name,
                role=server_role,
                security_group=group,
                key_pair=key_pair,
                associate_public_ip_address=public,
                private_ip_address=private_ip_address,
                source_dest_check=source_dest_check,
                detailed_monitoring=detailed_monitoring,
                disable_api_termination=disable_api_termination,
                http_tokens=ec2.HttpTokens.REQUIRED,
                user_data_causes_replacement=user_data_causes_replacement,
                resource_signal_timeout=resource_signal_timeout,
                **server.properties,
            )
        self.security_group = group
        """The security group of the instance. `connections` adds rules to it."""
        self.host_hardening = server.host_hardening
        """The hardening of the host, by its user data, its image or both. None without one."""
        if resource_signal_timeout is not None:
            server.user_data.signal = self._signal()
        if isinstance(vpc, HardenedVpc):
            vpc.allow_endpoints_from(group)
        resource = self.instance
        server.finish(
            self,
            resource,
            set_user_data=lambda value: setattr(resource, "user_data", value),
            beside=scope,
        )

    def _signal(self) -> ResourceSignal:
        """Return the signal of this instance to its stack, without tokens where possible."""
        stack = Stack.of(self)
        # CloudFormation names nested stacks. The host looks up a Region that only CloudFormation
        # knows: with a token, user data could not be delivered as gzip.
        return ResourceSignal(
            stack=Aws.STACK_NAME if Token.is_unresolved(stack.stack_name) else stack.stack_name,
            resource=self.instance.logical_id,
            region=None if Token.is_unresolved(stack.region) else stack.region,
        )


def _refuse_contradictions(
    *, replaces: bool, protected: bool, signals: bool, hardens: bool
) -> None:
    if signals and not hardens:
        raise ValueError(
            "resource_signal_timeout is given with host_hardening=None or Imds.disabled(), but the "
            "hardening at boot sends the signal: leave host_hardening and imds at their defaults, "
            "or leave resource_signal_timeout out and send a signal with "
            "user_data.add_signal_on_exit_command(...)"
        )
    if replaces and protected:
        raise ValueError(
            "user_data_causes_replacement=True is given with termination protection, which keeps "
            "CloudFormation from terminating the replaced instance: write "
            "disable_api_termination=False as well, or leave user_data_causes_replacement out; "
            "CloudFormation then restarts the server to apply a changed hardening"
        )


def _public_address(vpc_subnets: ec2.SubnetSelection | None, *, wanted: bool) -> bool | None:
    """Return the value of ``associate_public_ip_address``: True, False, or None to omit it.

    A value moves the subnet into a network interface, where stock packs do not look for it. It is
    omitted in private subnets, where it has no effect.
    """
    if wanted:
        if vpc_subnets is None:
            raise ValueError(
                "associate_public_ip_address=True is given without vpc_subnets: write "
                "vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC) as well"
            )
        return True
    if vpc_subnets is None or vpc_subnets.subnet_type in _PRIVATE_SUBNET_TYPES:
        return None
    return False
