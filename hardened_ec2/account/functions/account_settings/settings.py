"""What the account settings are, how each is read and written, and what that takes of IAM."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .default_vpc import (
    close_default_group,
    default_group_state,
    default_vpc_state,
    delete_default_vpc,
)

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

ACCOUNT = "account"
AWS_MANAGED_KEY = "alias/aws/ebs"


@dataclass(frozen=True, kw_only=True)
class State:
    """What a setting is.

    Args:
        values: The values that are set, by the names that EC2's API has for them.
        managed_by: Who may change them: the account, or a declarative policy. Default: account.
        message: What the declarative policy says to whoever tries. Default: nothing.
    """

    values: Mapping[str, str]
    managed_by: str = ACCOUNT
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One setting of the account, in one Region.

    Args:
        read: Says what it is.
        write: Changes it, in one call that either happens or does not.
        actions: What both need of IAM, where EC2 accepts no resource but ``*``.
        resource_actions: What they need besides, by the kind of resource it is for.
        restorable: Whether what was found can be put back. Default: True.
    """

    read: Callable[["EC2Client"], State]
    write: Callable[["EC2Client", Mapping[str, str]], None]
    actions: tuple[str, ...]
    resource_actions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    restorable: bool = True


def _read_metadata_defaults(ec2: "EC2Client") -> State:
    found: Mapping[str, Any] = ec2.get_instance_metadata_defaults().get("AccountLevel", {})
    unset = "no-preference"
    return State(
        values={
            "HttpTokens": found.get("HttpTokens", unset),
            "HttpTokensEnforced": found.get("HttpTokensEnforced", unset),
            "HttpPutResponseHopLimit": str(found.get("HttpPutResponseHopLimit", -1)),
            "InstanceMetadataTags": found.get("InstanceMetadataTags", unset),
        },
        managed_by=found.get("ManagedBy", ACCOUNT),
        message=found.get("ManagedExceptionMessage", ""),
    )


def _write_metadata_defaults(ec2: "EC2Client", values: Mapping[str, str]) -> None:
    options: dict[str, Any] = dict(values)
    options["HttpPutResponseHopLimit"] = int(options["HttpPutResponseHopLimit"])
    ec2.modify_instance_metadata_defaults(**options)


def _read_ebs_encryption(ec2: "EC2Client") -> State:
    enabled = ec2.get_ebs_encryption_by_default()["EbsEncryptionByDefault"]
    return State(values={"EbsEncryptionByDefault": _text(enabled)})


def _write_ebs_encryption(ec2: "EC2Client", values: Mapping[str, str]) -> None:
    if values["EbsEncryptionByDefault"] == "true":
        ec2.enable_ebs_encryption_by_default()
    else:
        ec2.disable_ebs_encryption_by_default()


def _read_ebs_key(ec2: "EC2Client") -> State:
    return State(values={"KmsKeyId": ec2.get_ebs_default_kms_key_id()["KmsKeyId"]})


def _write_ebs_key(ec2: "EC2Client", values: Mapping[str, str]) -> None:
    # EC2 reports AWS's own key but does not take it back by that name.
    if values["KmsKeyId"].endswith(AWS_MANAGED_KEY):
        ec2.reset_ebs_default_kms_key_id()
    else:
        ec2.modify_ebs_default_kms_key_id(KmsKeyId=values["KmsKeyId"])


def _read_image_block(ec2: "EC2Client") -> State:
    found = ec2.get_image_block_public_access_state()
    return State(
        values={"ImageBlockPublicAccessState": found["ImageBlockPublicAccessState"]},
        managed_by=found.get("ManagedBy", ACCOUNT),
    )


def _write_image_block(ec2: "EC2Client", values: Mapping[str, str]) -> None:
    if values["ImageBlockPublicAccessState"] == "block-new-sharing":
        ec2.enable_image_block_public_access(ImageBlockPublicAccessState="block-new-sharing")
    else:
        ec2.disable_image_block_public_access()


def _read_serial_console(ec2: "EC2Client") -> State:
    found = ec2.get_serial_console_access_status()
    return State(
        values={"SerialConsoleAccessEnabled": _text(found["SerialConsoleAccessEnabled"])},
        managed_by=found.get("ManagedBy", ACCOUNT),
    )


def _write_serial_console(ec2: "EC2Client", values: Mapping[str, str]) -> None:
    if values["SerialConsoleAccessEnabled"] == "true":
        ec2.enable_serial_console_access()
    else:
        ec2.disable_serial_console_access()


def _text(value: object) -> str:
    # CloudFormation hands every property of a custom resource over as text.
    return str(value).lower()


SETTINGS: Mapping[str, Setting] = {
    "InstanceMetadataDefaults": Setting(
        read=_read_metadata_defaults,
        write=_write_metadata_defaults,
        actions=("ec2:GetInstanceMetadataDefaults", "ec2:ModifyInstanceMetadataDefaults"),
    ),
    "EbsEncryptionByDefault": Setting(
        read=_read_ebs_encryption,
        write=_write_ebs_encryption,
        actions=(
            "ec2:DisableEbsEncryptionByDefault",
            "ec2:EnableEbsEncryptionByDefault",
            "ec2:GetEbsEncryptionByDefault",
        ),
    ),
    "EbsDefaultKmsKey": Setting(
        read=_read_ebs_key,
        write=_write_ebs_key,
        actions=(
            "ec2:GetEbsDefaultKmsKeyId",
            "ec2:ModifyEbsDefaultKmsKeyId",
            "ec2:ResetEbsDefaultKmsKeyId",
        ),
    ),
    "ImageBlockPublicAccess": Setting(
        read=_read_image_block,
        write=_write_image_block,
        actions=(
            "ec2:DisableImageBlockPublicAccess",
            "ec2:EnableImageBlockPublicAccess",
            "ec2:GetImageBlockPublicAccessState",
        ),
    ),
    "SerialConsoleAccess": Setting(
        read=_read_serial_console,
        write=_write_serial_console,
        actions=(
            "ec2:DisableSerialConsoleAccess",
            "ec2:EnableSerialConsoleAccess",
            "ec2:GetSerialConsoleAccessStatus",
        ),
    ),
    "DefaultVpcSecurityGroup": Setting(
        read=lambda ec2: State(values={"State": default_group_state(ec2)}),
        write=lambda ec2, _values: close_default_group(ec2),
        actions=(
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeSecurityGroupRules",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeVpcs",
        ),
        resource_actions={
            "security-group": ("ec2:RevokeSecurityGroupEgress", "ec2:RevokeSecurityGroupIngress")
        },
        restorable=False,
    ),
    "DefaultVpc": Setting(
        read=lambda ec2: State(values={"State": default_vpc_state(ec2)}),
        write=lambda ec2, _values: delete_default_vpc(ec2),
        actions=(
            "ec2:CreateDefaultSubnet",
            "ec2:DescribeInternetGateways",
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeSubnets",
            "ec2:DescribeVpcEndpoints",
            "ec2:DescribeVpcs",
        ),
        resource_actions={
            "internet-gateway": (
                "ec2:AttachInternetGateway",
                "ec2:DeleteInternetGateway",
                "ec2:DetachInternetGateway",
            ),
            "subnet": ("ec2:DeleteSubnet",),
            "vpc": (
                "ec2:AttachInternetGateway",
                "ec2:DeleteVpc",
                "ec2:DetachInternetGateway",
            ),
        },
        restorable=False,
    ),
}
"""The settings by name, which is the custom resource's type without ``Custom::``."""
