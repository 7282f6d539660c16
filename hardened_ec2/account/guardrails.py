"""AccountGuardrails: the floor of an account and Region, under every server in it."""

from enum import Enum

from aws_cdk import Annotations, CfnTag, RemovalPolicy, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from hardened_ec2.account.custom_resources import AccountSettings
from hardened_ec2.account.ec2_attributes import Ec2Attributes, VpcBlockPublicAccess
from hardened_ec2.support.acknowledgements import DEFAULT_HOST_MANAGEMENT, acknowledge

DEFAULT_ATTRIBUTES = Ec2Attributes()

DEFAULT_HOST_MANAGEMENT_SETTING = "/ssm/managed-instance/default-ec2-instance-management-role"

_REMOVAL_POLICIES = (
    RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    RemovalPolicy.RETAIN,
    RemovalPolicy.DESTROY,
)


class DefaultVpc(Enum):
    """What becomes of the default VPC.

    Example::

        AccountGuardrails(self, "Guardrails", default_vpc=DefaultVpc.DELETE)
    """

    KEEP = "keep"
    """It is left alone."""

    CLOSE_SECURITY_GROUP = "close-security-group"
    """Its default group loses every rule. The deployment fails if anything uses the group."""

    DELETE = "delete"
    """It is deleted. The deployment fails if anything is in it."""


class AccountGuardrails(Construct):
    """What an account lets its EC2 do in one Region, whoever asks.

    By default

    - EC2 launches instances with IMDSv2 only, and refuses those that ask for IMDSv1;
    - every new EBS volume is encrypted, and neither snapshots nor images are shared publicly;
    - the EC2 serial console is off;
    - instances without a profile are managed by Systems Manager (Default Host Management
      Configuration), so that none needs an open port;
    - the default VPC's default group is closed.

    VPC Block Public Access is not among them: it cuts off what is running, so
    ``ec2_attributes`` must say which mode, and what stays reachable. Until it does, there is a
    warning at synth.

    Encryption of EBS volumes is a guarantee, as are those of `Ec2Attributes`: no argument gives
    them up.

    These settings are there once for each account and Region: deploy one of these to each. In an
    organization, have `Ec2Attributes.declarative_policy` set what it can for all accounts, and
    deploy this with ``ec2_attributes=None`` for the rest. A setting that such a policy already
    holds at the same value is taken as it is; at another value the deployment fails and says so.

    When the stack is deleted, or a guardrail is taken out of it, the account stays as it is: a
    mistake with a stack must not open an account. A first deployment that fails is undone. With
    ``removal_policy=RemovalPolicy.DESTROY`` the settings go with the stack: those for which
    CloudFormation has a type (snapshots, Default Host Management Configuration) to AWS's own
    default, which is off, and the others to what they were before. Two things are not up to the
    removal policy:

    - VPC Block Public Access and its exclusions always go with the stack: an exclusion that is
      taken out must close what it opened, and a block that stays without its exclusions would
      cut off what they kept reachable. Protect the stack from termination.
    - The default VPC's group stays closed, and a deleted default VPC stays deleted. The
      function's log has the rules; ``aws ec2 create-default-vpc`` makes a new VPC.

    It costs nothing but the key of the log, $1 a month without an ``encryption_key``.

    Args:
        scope: The construct to make them in.
        id: Their id there.
        ec2_attributes: What EC2 is set to. Default: `Ec2Attributes()`. None leaves all of it to
            the organization's declarative policy.
        ebs_encryption_key: The KMS key that new volumes are encrypted with by default. Whoever
            launches instances must be allowed to use it, Auto Scaling's service-linked role
            included. Default: the account's key stays what it is.
        default_host_management: Whether Systems Manager manages instances without a profile.
            Default: True. An instance needs the metadata service and a recent agent for it.
        default_host_management_role: The role that such instances get, in the path ``/``.
            Default: one with AWS's policy for it.
        default_vpc: What becomes of the default VPC. Default: its default group is closed.
        removal_policy: What becomes of the settings when the stack is deleted. Default:
            ``RETAIN_ON_UPDATE_OR_DELETE``, see above.
        encryption_key: The KMS key of the function's log group. It must let CloudWatch Logs use
            it. Default: one of its own, rotated.
        log_retention: How long that log is kept. Default: one year.

    Raises:
        ValueError: If the stack already has guardrails, a role is given that is not used, or the
            removal policy is none that fits.

    Source: AWS, "Data protection in Amazon EC2"; AWS, "Default Host Management Configuration";
        Security Hub EC2.2, EC2.7, EC2.172, EC2.182; CIS AWS Foundations 5.1.1, 5.5, 5.7.

    Example::

        AccountGuardrails(
            self,
            "Guardrails",
            ec2_attributes=Ec2Attributes(
                vpc_block_public_access=VpcBlockPublicAccess(
                    mode="block-ingress",
                    exclusions=(PublicAccessExclusion(name="Web", vpc_id=vpc.vpc_id),),
                )
            ),
        )
    """

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 - CDK's own name for it
        *,
        ec2_attributes: Ec2Attributes | None = DEFAULT_ATTRIBUTES,
        ebs_encryption_key: kms.IKey | None = None,
        default_host_management: bool = True,
        default_host_management_role: iam.IRole | None = None,
        default_vpc: DefaultVpc = DefaultVpc.CLOSE_SECURITY_GROUP,
        removal_policy: RemovalPolicy = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        encryption_key: kms.IKey | None = None,
        log_retention: logs.RetentionDays | None = None,
    ) -> None:
        if default_host_management_role is not None and not default_host_management:
            raise ValueError(
                "default_host_management_role is given with default_host_management=False, so no "
                "instance would get it: leave one of the two out"
            )
        _check_removal_policy(removal_policy)
        _check_only_one(Stack.of(scope))
        super().__init__(scope, id)
        settings: dict[str, dict[str, str]] = {}
        if ebs_encryption_key is not None:
            settings["EbsDefaultKmsKey"] = {"KmsKeyId": ebs_encryption_key.key_arn}
        settings["EbsEncryptionByDefault"] = {"EbsEncryptionByDefault": "true"}
        if ec2_attributes is not None:
            settings |= _attribute_settings(ec2_attributes)
            ec2.CfnSnapshotBlockPublicAccess(
                self,
                "SnapshotBlockPublicAccess",
                state=ec2_attributes.snapshot_block_public_access,
            ).apply_removal_policy(removal_policy)
            self._block_public_access(ec2_attributes.vpc_block_public_access)
        if default_vpc is DefaultVpc.CLOSE_SECURITY_GROUP:
            settings["DefaultVpcSecurityGroup"] = {"State": "closed"}
        elif default_vpc is DefaultVpc.DELETE:
            settings["DefaultVpc"] = {"State": "absent"}
        if default_host_management:
            self._manage_hosts(default_host_management_role, removal_policy)
        self.settings = AccountSettings(
            self,
            "Settings",
            settings=settings,
            removal_policy=removal_policy,
            encryption_key=encryption_key,
            log_retention=log_retention,
        )
        if ebs_encryption_key is not None:
            # Never a volume with the wrong key between the two.
            self.settings.resources["EbsEncryptionByDefault"].node.add_dependency(
                self.settings.resources["EbsDefaultKmsKey"]
            )

    def _block_public_access(self, block: VpcBlockPublicAccess | None) -> None:
        if block is None:
            Annotations.of(self).add_warning_v2(
                "hardened-ec2:VpcBlockPublicAccess",
                "VPC Block Public Access is not set, so any route to an internet gateway opens a "
                "subnet. Write ec2_attributes=Ec2Attributes(vpc_block_public_access="
                "VpcBlockPublicAccess(mode='block-ingress', exclusions=(...))), or "
                "vpc_block_public_access=VpcBlockPublicAccess.off() if that is meant",
            )
            return
        if block.mode == "off":
            return
        options = ec2.CfnVPCBlockPublicAccessOptions(
            self, "VpcBlockPublicAccess", internet_gateway_block_mode=block.mode
        )
        for each in block.exclusions or ():
            exclusion = ec2.CfnVPCBlockPublicAccessExclusion(
                self,
                f"Exclusion{each.name}",
                internet_gateway_exclusion_mode=each.mode,
                vpc_id=each.vpc_id,
                subnet_id=each.subnet_id,
                tags=[CfnTag(key="Name", value=each.name)],
            )
            # First the exclusion, then the block: there is no moment when it is cut off.
            options.add_resource_dependency(exclusion)

    def _manage_hosts(self, role: iam.IRole | None, removal_policy: RemovalPolicy) -> None:
        if role is None:
            own = iam.Role(
                self,
                "DefaultHostManagementRole",
                assumed_by=iam.ServicePrincipal("ssm.amazonaws.com"),
                description="Systems Manager on instances without a profile",
                managed_policies=[
                    iam.ManagedPolicy.from_aws_managed_policy_name(
                        "AmazonSSMManagedEC2InstanceDefaultPolicy"
                    )
                ],
            )
            own.apply_removal_policy(removal_policy)
            acknowledge(own, *DEFAULT_HOST_MANAGEMENT)
            role = own
        ssm.CfnServiceSetting(
            self,
            "DefaultHostManagement",
            setting_id=DEFAULT_HOST_MANAGEMENT_SETTING,
            setting_value=role.role_name,
        ).apply_removal_policy(removal_policy)


def _check_removal_policy(given: RemovalPolicy) -> None:
    if given not in _REMOVAL_POLICIES:
        raise ValueError(
            f"removal_policy is {given.name}: write one of "
            f"{', '.join(each.name for each in _REMOVAL_POLICIES)}"
        )


def _check_only_one(stack: Stack) -> None:
    for other in stack.node.find_all():
        if isinstance(other, AccountGuardrails):
            raise ValueError(
                f"{other.node.path} already sets the guardrails of this account and Region: "
                "deploy one AccountGuardrails to each, and give that one all the arguments"
            )


def _attribute_settings(attributes: Ec2Attributes) -> dict[str, dict[str, str]]:
    """Return what of the attributes takes a custom resource."""
    return {
        "InstanceMetadataDefaults": attributes.instance_metadata_defaults,
        "ImageBlockPublicAccess": {
            "ImageBlockPublicAccessState": attributes.image_block_public_access
        },
        "SerialConsoleAccess": {
            "SerialConsoleAccessEnabled": str(attributes.serial_console_access).lower()
        },
    }
