"""Settings that contradict a guarantee: the template gets the guarantee, and synth fails."""

import jsii
from constructs import IConstruct, IValidation


@jsii.implements(IValidation)
class Conflict:
    """A setting that contradicts a guarantee.

    It fails the synth instead of raising at once, so that one synth reports all conflicts of an
    app.

    Args:
        message: The setting, the guarantee, and what to write.

    Example:
        >>> shop = cdk.Stack(cdk.App(), "Shop")
        >>> Conflict("Shop/Server: leave http_tokens out").add_to(shop)
        >>> shop.node.validate()
        ['Shop/Server: leave http_tokens out']
    """

    def __init__(self, message: str) -> None:
        self._message = message

    def add_to(self, construct: IConstruct) -> None:
        """Fail the synth with this conflict.

        Args:
            construct: The construct that has the setting.
        """
        construct.node.add_validation(self)

    def validate(self) -> list[str]:
        """Return the message. CDK calls it at synth."""
        return [self._message]


def optional_tokens(path: str) -> Conflict:
    """Return the conflict of a server whose code makes IMDSv2 optional.

    Args:
        path: The construct's path.

    Source: Security Hub EC2.8; CIS AWS Foundations 5.7.
    """
    return Conflict(
        f"{path}: http_tokens=OPTIONAL allows IMDSv1, but IMDSv2 is guaranteed: leave http_tokens "
        "out, or write REQUIRED. To keep IMDSv1 for now, write "
        'add_property_override("MetadataOptions.HttpTokens", "optional") on the L1 construct, and '
        "acknowledge HardenedEc2-ImdsV2 there with the reason"
    )


def another_hardening(path: str, reason: ValueError) -> Conflict:
    """Return the conflict of a server whose image has another hardening than the scope.

    Args:
        path: The construct's path.
        reason: What is different, and what to write.
    """
    return Conflict(f"{path}: {reason}")


def unencrypted_volume(path: str, name: str) -> Conflict:
    """Return the conflict of a volume with ``encrypted=False``.

    Args:
        path: The construct's path.
        name: The volume, such as "the volume /dev/sdf".

    Source: Security Hub EC2.3.
    """
    return Conflict(
        f"{path}: {name} has encrypted=False, but encryption is guaranteed: leave encrypted out, "
        "or write True. To keep the volume unencrypted, write a property override on the L1 "
        "construct, and acknowledge HardenedEc2-VolumeEncryption there with the reason"
    )
