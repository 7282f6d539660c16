"""The controls of the host: what each one is, how it is verified, who asks for it."""

from hardened_ec2._moved import refusal_in

__getattr__ = refusal_in(__name__)
