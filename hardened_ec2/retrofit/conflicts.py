"""What code asks for and a guarantee forbids: not written, and refused at synth."""

import jsii
from constructs import IConstruct, IValidation


@jsii.implements(IValidation)
class Conflict:
    """A setting that contradicts a guarantee.

    Raised at synth and not where it is found, so that one synth names every conflict of an app.

    Args:
        message: What was given, what holds instead, and what to write.

    Example:
        >>> optional_tokens("Shop/Server").validate()[0].partition(" lets ")[0]
        'Shop/Server: http_tokens=OPTIONAL'
    """

    def __init__(self, message: str) -> None:
        self._message = message

    def add_to(self, construct: IConstruct) -> None:
        """Have the synth of a construct refused.

        Args:
            construct: Where the conflict stands.
        """
        construct.node.add_validation(self)

    def validate(self) -> list[str]:
        """Return the message. Called by CDK at synth."""
        return [self._message]


def optional_tokens(path: str) -> Conflict:
    """Return the conflict of a server whose code makes IMDSv2 optional.

    Args:
        path: The construct's path.

    Source: Security Hub EC2.8; CIS AWS Foundations 5.7.
    """
    return Conflict(
        f"{path}: http_tokens=OPTIONAL lets the metadata service answer without a session token, "
        "where IMDSv2 is guaranteed. Leave http_tokens out, or write REQUIRED. A server that has "
        'to keep IMDSv1 for now: add_property_override("MetadataOptions.HttpTokens", "optional") '
        "on its L1 construct, and acknowledge HardenedEc2-ImdsV2 there with the reason"
    )


def unencrypted_volume(path: str, name: str) -> Conflict:
    """Return the conflict of a volume whose code says that it is not encrypted.

    Args:
        path: The construct's path.
        name: The volume, by its device name.

    Source: Security Hub EC2.3.
    """
    return Conflict(
        f"{path}: {name} has encrypted=False, where encryption is guaranteed. Leave encrypted out, "
        "or write True. For a volume that has to stay as it is: an override on the L1 construct, "
        "and HardenedEc2-VolumeEncryption acknowledged there with the reason"
    )
