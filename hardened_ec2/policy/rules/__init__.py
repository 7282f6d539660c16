"""Every rule of the policy, in one registry."""

from typing import Final

from hardened_ec2.policy.rule import Rule
from hardened_ec2.policy.rules import (
    administration,
    exposure,
    groups,
    identity,
    imds,
    lifecycle,
    storage,
    user_data,
)
from hardened_ec2.policy.rules.verification import cannot_verify

RULES: Final[tuple[Rule, ...]] = (
    administration.admin_port_open_to_world,
    administration.admin_port_too_wide,
    administration.admin_port_wide_inside,
    exposure.private_server_open_to_world,
    exposure.server_port_open_to_world,
    exposure.load_balancer_opens_server,
    exposure.public_address,
    imds.imds_v2,
    imds.hop_limit,
    user_data.user_data_secret,
    identity.role_administrator,
    identity.role_escalation,
    identity.role_pass_role,
    identity.role_own_hardening,
    identity.role_trust_open,
    storage.volume_encryption,
    groups.own_security_group,
    user_data.user_data_size,
    exposure.stepping_stone,
    exposure.icmp_open_to_world,
    identity.role_trust_wide,
    identity.role_service_wildcard,
    identity.role_not_action,
    groups.implicit_egress,
    lifecycle.key_pair,
    cannot_verify,
)
"""All rules, in the order of reports: what exposes first, hygiene last."""
