"""Every rule of the policy, in one registry."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from hardened_ec2.policy.rule import Rule
from hardened_ec2.policy.rules import imds, lifecycle
from hardened_ec2.policy.rules.verification import cannot_verify

RULES: Final[tuple[Rule, ...]] = (
    imds.imds_v2,
    imds.hop_limit,
    lifecycle.key_pair,
    cannot_verify,
)
"""All rules, in the order of reports: what exposes first, hygiene last."""
