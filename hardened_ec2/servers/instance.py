"""HardenedInstance: one server, locked down by construction."""

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

    - no way in: a `LockedSecurityGroup` of its own without ingress, no key pair, no public
      address; Session Manager through an `InstanceRole`;
    - metadata with session tokens only (IMDSv2), one hop, no tags;
    - an encrypted gp3 root volume, EBS optimisation, detailed monitoring, termination
      protection;
    - the host core of `HostHardening`, which locks sshd and the metadata service before anyone
      can log in, at every boot, and after it the commands of your own user data.

    IMDSv2, encrypted volumes and a closed port 22 are guarantees: no argument gives them up.

    A change of the hardening reaches a running server: CloudFormation stops and starts an
    instance whose user data changed, and the boothook runs at every boot. Your own commands are
    run by cloud-init once, at the first boot; have the instance replaced to run them again.
    A change of the image always replaces it, and termination protection then keeps the old one
    until you end it: the default image follows Amazon Linux 2023 as it is released, so pin one
    (``machine_image``) for a server that has to stay.

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
        """Create the instance, and its group and role where none are given.

        Args:
            scope: The construct to make the instance in.
            id: The instance's id there.
            vpc: The VPC. In a `HardenedVpc` the instance may also reach the VPC's endpoints.
            instance_type: The instance type. Default: t4g.small.
            machine_image: The image; Linux. Default: Amazon Linux 2023 for the type's architecture,
                as it is released.
            vpc_subnets: Where to place it. Default: the VPC's private subnets; public ones are
                never fallen back to.
            ssh: Who may reach port 22. Default: nobody.
            imds: The options of the metadata service. Default: `Imds()`.
            host_hardening: What to do on the host. Default: the hardening of the image, where it is
                a `HardenedMachineImage`; nothing without metadata service, since user data would
                not be received; otherwise `HostHardening()`. None where an image of another kind
                carries it already. One that the image contradicts, or the host could not receive,
                is refused.
            user_data: Your own commands, run after the hardening. Default: none.
            user_data_causes_replacement: Whether changed user data replaces the instance instead of
                restarting it. Default: False. It needs ``disable_api_termination=False``, since
                CloudFormation could not end the old one.
            resource_signal_timeout: How long CloudFormation waits for the server to say that it is
                hardened and that your commands succeeded; if one failed, or nothing is said in that
                time, the stack fails. It takes an image with cfn-signal (Amazon Linux) and a way to
                CloudFormation: in subnets without one an interface endpoint, "cloudformation" among
                the ``interface_endpoints`` of a `HardenedVpc`. The role needs no permission.
                Default: CloudFormation does not wait.
            role: The role. Default: an `InstanceRole` of its own.
            security_group: The group. Default: a `LockedSecurityGroup` of its own.
            key_pair: An EC2 key pair. Default: none; Session Manager and EC2 Instance Connect need
                none, and a key pair is a secret that nobody rotates.
            associate_public_ip_address: Whether to have a public address, which takes public
                subnets in ``vpc_subnets``. Default: False.
            root_volume_size: Size of the root volume, in GiB. Default: 16.
            root_device_name: The root device of the image. Default: ``/dev/xvda`` for the Amazon
                Linux images of CDK; required for any other, since a wrong name leaves the root
                volume as the image has it and adds an empty second one.
            block_devices: Data volumes. Each EBS volume must be encrypted.
            encryption_key: The KMS key of the root volume. Default: the account's key for EBS.
            detailed_monitoring: Whether metrics come every minute. Default: True ($2.10 a month).
            disable_api_termination: Whether the instance is protected from termination.
                Default: True.
            instance_name: The Name tag. Default: the construct's path.
            availability_zone: The Availability Zone. Default: that of the first subnet.
            private_ip_address: A fixed private IPv4 address. Default: one of the subnet's.
            source_dest_check: Whether EC2 drops traffic that is not the instance's own.
                Default: True. Only a NAT or VPN appliance needs False.

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
        _refuse_contradictions(
            replaces=user_data_causes_replacement,
            protected=disable_api_termination,
            signals=resource_signal_timeout is not None,
            hardens=server.user_data.hardening is not None,
        )
        subnets = subnets_or_private(vpc, vpc_subnets)
        public = _public_address(vpc_subnets, wanted=associate_public_ip_address)

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
        """The group of the instance; `connections` writes its rules."""
        self.host_hardening = server.host_hardening
        """What hardens the host: its user data, its image, or both. None for nothing."""
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
        """Name this instance to its stack, without tokens where it can be done."""
        stack = Stack.of(self)
        # A nested stack is named by CloudFormation. A region that only CloudFormation knows the
        # host finds out: a token would keep the user data from travelling as gzip.
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
            "resource_signal_timeout without the hardening at boot, which is what signals: leave "
            "host_hardening and imds at their defaults, or leave resource_signal_timeout out and "
            "signal by yourself, with user_data.add_signal_on_exit_command(...)"
        )
    if replaces and protected:
        raise ValueError(
            "user_data_causes_replacement=True with termination protection: CloudFormation "
            "could not end the instance that it replaces. Write disable_api_termination=False as "
            "well, or leave user_data_causes_replacement out: changed hardening then reaches the "
            "server by a restart"
        )


def _public_address(vpc_subnets: ec2.SubnetSelection | None, *, wanted: bool) -> bool | None:
    """Decide what to write for a public address: True, False, or nothing.

    Written out, the subnet moves into a network interface, where stock packs look for it in vain;
    so nothing is written where the subnets are private and nothing could come of it.
    """
    if wanted:
        if vpc_subnets is None:
            raise ValueError(
                "associate_public_ip_address=True without vpc_subnets: write "
                "vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC) as well"
            )
        return True
    if vpc_subnets is None or vpc_subnets.subnet_type in _PRIVATE_SUBNET_TYPES:
        return None
    return False
