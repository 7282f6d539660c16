"""What the templates hide from every rule."""

import json
from collections.abc import Iterator
from typing import Final

from hardened_ec2.policy.facts.servers import launched_from_outside
from hardened_ec2.policy.findings import Severity
from hardened_ec2.policy.read.template import Template
from hardened_ec2.policy.resolve.deployment import Resource
from hardened_ec2.policy.resolve.intrinsics import called
from hardened_ec2.policy.resolve.values import Place
from hardened_ec2.policy.rules.case import Case
from hardened_ec2.policy.rules.rule import Doubt, rule
from hardened_ec2.policy.rules.subjects import Subject

_HARMLESS_TRANSFORMS: Final = frozenset({"AWS::LanguageExtensions"})
"""Macros that only add functions: each is resolved or reported in place, ``Fn::ForEach`` below."""

_CUSTOM: Final = ("Custom::", "AWS::CloudFormation::CustomResource")
_CALLS: Final = (
    "AuthorizeSecurityGroupIngress",
    "ModifySecurityGroupRules",
    "ModifyInstanceMetadataOptions",
    "AssociateAddress",
    "RunInstances",
)
"""API calls by which a custom resource changes servers without any rule seeing it."""


@rule(
    id="HardenedEc2-CannotVerify",
    severity=Severity.WARNING,
    subject=Subject.TEMPLATES,
    fact="Everything a rule needs to know is in the templates.",
    why=(
        "A value that is decided at deployment can be anything: a whitelist that is a "
        "parameter without a default is as wide as the person who deploys it makes it."
    ),
    fix=(
        "Write the value, give the parameter a Default or AllowedValues, or check the missing "
        "template together with this one; acknowledge it with a reason where none of these is "
        "possible."
    ),
)
def cannot_verify(case: Case) -> Iterator[Doubt]:
    """Report what hides resources from every rule; each rule reports its own doubts."""
    for template in case.deployment.templates:
        yield from _hidden_in(template)
    for custom in case.deployment.everything():
        if custom.type.startswith(_CUSTOM):
            yield from _calls_of(custom)
    for launched in launched_from_outside(case.deployment):
        yield Doubt(
            place=launched.place,
            why="what it launches servers from is not in the templates",
            when=launched.when,
        )
    for stack in case.deployment.unfollowed_stacks():
        yield Doubt(
            place=stack.place, why="the template of the nested stack is not among those given"
        )


def _hidden_in(template: Template) -> Iterator[Doubt]:
    for macro in _macros(template.document.get("Transform")):
        yield Doubt(
            place=Place(template.name, "", "Transform"),
            why=f"macro {macro} can add and change resources at deployment",
        )
    for logical_id in template.document["Resources"]:
        if logical_id not in template.resources:
            yield Doubt(
                place=Place(template.name, "", f"Resources.{logical_id}"),
                why=f"{logical_id} creates resources at deployment",
            )
    for logical_id, resource in template.resources.items():
        function = called(resource.get("Properties") or {})
        if function is not None:
            yield Doubt(
                place=Place(template.name, logical_id, "Properties"),
                why=f"its Properties are the result of {function}",
            )


def _calls_of(custom: Resource) -> Iterator[Doubt]:
    text = json.dumps(custom.raw.get("Properties"), default=str).lower()
    for call in _CALLS:
        if call.lower() in text:
            why = f"it calls {call} when it is deployed"
            yield Doubt(place=custom.place, why=why, when=custom.when)


def _macros(transform: object) -> Iterator[str]:
    for macro in transform if isinstance(transform, list) else [transform]:
        name = macro.get("Name") if isinstance(macro, dict) else macro
        if name is not None and str(name) not in _HARMLESS_TRANSFORMS:
            yield str(name)
