"""The VPC, its security groups, and who may open an SSH session into it."""

from hardened_ec2._moved import refusal_in

__getattr__ = refusal_in(__name__)
