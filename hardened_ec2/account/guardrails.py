"""AccountGuardrails: EC2 settings of an account and Region that apply to every server in it."""

from __future__ import annotations

from enum import Enum

import aws_cdk as cdk
from aws_cdk import Annotations, CfnTag, RemovalPolicy, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from hardened_ec2.account.custom_resources import AccountSettings
from hardened_ec2.account.ec2_attributes import Ec2Attributes, VpcBlockPublicAccess
from hardened_ec2.support.acknowledgements import DEFAULT_HOST_MANAGEMENT
from hardened_ec2.support.acknowledging import acknowledge
from hardened_ec2.support.signature import own_signature

DEFAULT_ATTRIBUTES = Ec2Attributes()

DEFAULT_HOST_MANAGEMENT_SETTING = "/ssm/managed-instance/default-ec2-instance-management-role"

_REMOVAL_POLICIES = (
    RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    RemovalPolicy.RETAIN,
    RemovalPolicy.DESTROY,
)


class DefaultVpc(Enum):
    """What happens to the default VPC.

    Example::

        AccountGuardrails(self, "Guardrails", default_vpc=DefaultVpc.DELETE)
    """

    KEEP = "keep"
    """It stays as it is."""

    CLOSE_SECURITY_GROUP = "close-security-group"
    """All rules of its default security group are removed. The deployment fails if the group is in
    use."""

    DELETE = "delete"
    """It is deleted. The deployment fails if it contains anything."""


@own_signature
class AccountGuardrails(Construct):
    """EC2 settings of an account and Region that apply to every caller.

    By default

    - EC2 launches instances with IMDSv2 only, and refuses launches that request IMDSv1;
    - new EBS volumes are encrypted, and snapshots and images cannot be shared publicly;
    - the EC2 serial console is disabled;
    - Systems Manager manages instances without an instance profile (Default Host Management
      Configuration), so that they need no open port;
    - all rules of the default VPC's default security group are removed.

    VPC Block Public Access has no default mode, because it cuts off running workloads:
    ``ec2_attributes`` names the mode and what stays reachable. Without it, synth warns.

    EBS encryption and the guarantees of `Ec2Attributes` cannot be disabled by an argument.

    Deploy one AccountGuardrails to each account and Region. In an organization, set what you can
    for all accounts with `Ec2Attributes.declarative_policy`, and deploy this construct with
    ``ec2_attributes=None`` for the rest. A setting that the policy already enforces with the same
    value is accepted; with another value the deployment fails and says so.

    It costs $1 a month for the log's KMS key, unless you pass ``encryption_key``.

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
        ebs_encryption_key: cdk.aws_kms.IKey | None = None,
        default_host_management: bool = True,
        default_host_management_role: iam.IRole | None = None,
        default_vpc: DefaultVpc = DefaultVpc.CLOSE_SECURITY_GROUP,
        removal_policy: RemovalPolicy = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        encryption_key: cdk.aws_kms.IKey | None = None,
        log_retention: cdk.aws_logs.RetentionDays | None = None,
    ) -> None:
        """Apply the settings to the stack's account and Region.

        Args:
            scope: The parent construct.
            id: The construct's id in it.
            ec2_attributes: The EC2 settings. None leaves all of them to the organization's
                declarative policy. Default: `Ec2Attributes()`.
            ebs_encryption_key: The default KMS key for new EBS volumes. Every principal that
                launches instances needs permission to use it, including the service-linked role of
                EC2 Auto Scaling. Default: the account's current key.
            default_host_management: Whether Systems Manager manages instances without an instance
                profile. They need a recent SSM Agent and the metadata service. Default: True.
            default_host_management_role: The role for such instances, with the path ``/``.
                Default: a new role with AWS's managed policy for this purpose.
            default_vpc: What happens to the default VPC. Its changes are permanent: the removed
                rules are in the function's log, and ``aws ec2 create-default-vpc`` creates a new
                VPC. Default: the rules of its default security group are removed.
            removal_policy: What happens to the settings when the stack is deleted or a guardrail is
                removed from it. With ``DESTROY``, settings with a CloudFormation type (snapshots,
                Default Host Management Configuration) return to AWS's default, which is off, and
                the others to their previous value. VPC Block Public Access and its exclusions are
                always deleted with the stack, since a block without its exclusions would cut off
                what they kept reachable: enable termination protection for the stack. Default:
                ``RETAIN_ON_UPDATE_OR_DELETE``: the settings stay, except that a first deployment
                that fails is rolled back.
            encryption_key: The KMS key of the function's log group. Its policy must allow
                CloudWatch Logs to use it. Default: a new key with rotation.
            log_retention: How long log events are kept. Default: one year.

        Raises:
            ValueError: If the stack already has AccountGuardrails, a role is given with
                ``default_host_management=False``, or the removal policy is not RETAIN,
                RETAIN_ON_UPDATE_OR_DELETE or DESTROY.
        """
        if default_host_management_role is not None and not default_host_management:
            raise ValueError(
                "default_host_management_role is given, but default_host_management is False, so "
                "no instance would use the role: leave one of the two out"
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
            # The key first, so that no volume is encrypted with the previous default key.
            self.settings.resources["EbsEncryptionByDefault"].node.add_dependency(
                self.settings.resources["EbsDefaultKmsKey"]
            )

    def _block_public_access(self, block: VpcBlockPublicAccess | None) -> None:
        if block is None:
            Annotations.of(self).add_warning_v2(
                "hardened-ec2:VpcBlockPublicAccess",
                "VPC Block Public Access is not set, so any route to an internet gateway makes a "
                "subnet public: write ec2_attributes=Ec2Attributes(vpc_block_public_access="
                "VpcBlockPublicAccess(mode='block-ingress', exclusions=(...))), or "
                "vpc_block_public_access=VpcBlockPublicAccess.off() to allow it",
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
            # The exclusion first, so that its VPC or subnet stays reachable throughout.
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
            f"{', '.join(f'RemovalPolicy.{each.name}' for each in _REMOVAL_POLICIES)}"
        )


def _check_only_one(stack: Stack) -> None:
    for other in stack.node.find_all():
        if isinstance(other, AccountGuardrails):
            raise ValueError(
                f"{other.node.path} already sets the guardrails of this account and Region, which "
                "can have one AccountGuardrails: pass all arguments to that one"
            )


def _attribute_settings(attributes: Ec2Attributes) -> dict[str, dict[str, str]]:
    """Return the settings that need a custom resource."""
    return {
        "InstanceMetadataDefaults": attributes.instance_metadata_defaults,
        "ImageBlockPublicAccess": {
            "ImageBlockPublicAccessState": attributes.image_block_public_access
        },
        "SerialConsoleAccess": {
            "SerialConsoleAccessEnabled": str(attributes.serial_console_access).lower()
        },
    }
