"""The host hardening: the program that runs on the server and the user data that delivers it."""

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
