"""Hardening for EC2 constructs that an app already has."""

from hardened_ec2._moved import refusal_in

__getattr__ = refusal_in(__name__)
