"""HardenVolume: a mixin that encrypts existing EBS volumes."""

from aws_cdk import Mixin
from aws_cdk import aws_ec2 as ec2
from constructs import IConstruct

from hardened_ec2.retrofit.conflicts import unencrypted_volume


class HardenVolume(Mixin):
    """A mixin that encrypts existing EBS volumes.

    A volume with ``encrypted=False`` fails the synth.

    Source: Security Hub EC2.3.

    Example::

        volume = ec2.CfnVolume(self, "Data", availability_zone="eu-central-1a", size=100)
        volume.with_(HardenVolume())
    """

    def supports(self, _construct: IConstruct) -> bool:
        """Whether a construct is a volume. CDK calls it."""
        return isinstance(_construct, ec2.CfnVolume)

    def apply_to(self, construct: IConstruct) -> None:
        """Encrypt a volume. CDK calls it."""
        if isinstance(construct, ec2.CfnVolume):
            if construct.encrypted is False:
                unencrypted_volume(construct.node.path, "the volume").add_to(construct)
            if construct.encrypted in (None, False):
                construct.encrypted = True
