"""What runs on the server: the hardening payload and the user data that carries it. No CDK."""

from hardened_ec2.host.controls.all import CONTROLS, Check, Control, Profile, control
from hardened_ec2.host.hardening import AllowTcpForwarding, HostHardening
from hardened_ec2.host.multipart import USER_DATA_LIMIT, user_data_size
from hardened_ec2.host.signal import LifecycleSignal, ResourceSignal

__all__ = [
    "CONTROLS",
    "USER_DATA_LIMIT",
    "AllowTcpForwarding",
    "Check",
    "Control",
    "HostHardening",
    "LifecycleSignal",
    "Profile",
    "ResourceSignal",
    "control",
    "user_data_size",
]
