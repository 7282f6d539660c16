"""The host's controls: what each one does, why, which guide requires it and how it is verified."""

from hardened_ec2._moved import refusal_in

__getattr__ = refusal_in(__name__)
