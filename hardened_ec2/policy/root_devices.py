"""The device names under which images register their root volume.

Source: Amazon EC2 User Guide, "Device names for volumes on Amazon EC2 instances".
"""

from typing import Final

AMAZON_LINUX: Final = "/dev/xvda"
"""The root device of Amazon Linux images."""

ROOT_DEVICES: Final = frozenset({AMAZON_LINUX, "/dev/sda1", "/dev/sda"})
"""The root devices of Linux images."""

BY_DISTRIBUTION: Final = (
    f"{AMAZON_LINUX!r} for Amazon Linux and Debian, '/dev/sda1' for Ubuntu and RHEL"
)
"""The root devices of common distributions, for messages."""

LOOK_UP: Final = "aws ec2 describe-images --image-ids AMI --query 'Images[].RootDeviceName'"
"""The command that prints the root device of an image."""
