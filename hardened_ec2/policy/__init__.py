"""The policy: rules that judge CloudFormation templates, without CDK or Node.js."""

from hardened_ec2.policy.findings import Finding, Severity
from hardened_ec2.policy.judging.judgement import RuleFailed, judge
from hardened_ec2.policy.read.template import Template, UnreadableTemplate
from hardened_ec2.policy.rules import RULES
from hardened_ec2.policy.rules.rule import Control, Framework, Rule
from hardened_ec2.policy.settings import Settings

__all__ = [
    "RULES",
    "Control",
    "Finding",
    "Framework",
    "Rule",
    "RuleFailed",
    "Settings",
    "Severity",
    "Template",
    "UnreadableTemplate",
    "judge",
]
