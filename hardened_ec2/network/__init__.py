"""VPCs, security groups, and SSH access to servers."""

from hardened_ec2._moved import refusal_in

__getattr__ = refusal_in(__name__)
