"""The policy: rules that judge CloudFormation templates, without CDK or Node.js.

The public names are loaded when they are first used: a construct that asks for a port loads no
rule.
"""

from typing import TYPE_CHECKING

from hardened_ec2._lazy import lazy_names

if TYPE_CHECKING:
    from hardened_ec2.policy.findings import Finding as Finding
    from hardened_ec2.policy.findings import Severity as Severity
    from hardened_ec2.policy.judging.judgement import RuleFailed as RuleFailed
    from hardened_ec2.policy.judging.judgement import judge as judge
    from hardened_ec2.policy.read.template import Template as Template
    from hardened_ec2.policy.read.template import UnreadableTemplate as UnreadableTemplate
    from hardened_ec2.policy.rules import RULES as RULES
    from hardened_ec2.policy.rules.rule import Control as Control
    from hardened_ec2.policy.rules.rule import Framework as Framework
    from hardened_ec2.policy.rules.rule import Rule as Rule
    from hardened_ec2.policy.settings import Settings as Settings

_MODULES = {
    "RULES": "rules",
    "Control": "rules.rule",
    "Finding": "findings",
    "Framework": "rules.rule",
    "Rule": "rules.rule",
    "RuleFailed": "judging.judgement",
    "Settings": "settings",
    "Severity": "findings",
    "Template": "read.template",
    "UnreadableTemplate": "read.template",
    "judge": "judging.judgement",
}

__all__ = list(_MODULES)

__getattr__ = lazy_names(__name__, _MODULES)


def __dir__() -> list[str]:
    return sorted(__all__)
