"""What runs on the server: the hardening payload and the user data that carries it. No CDK."""

from hardened_ec2.host.hardening import AllowTcpForwarding, HostHardening
from hardened_ec2.host.multipart import USER_DATA_LIMIT, user_data_size

__all__ = ["USER_DATA_LIMIT", "AllowTcpForwarding", "HostHardening", "user_data_size"]
