"""What the templates do not show, and therefore no rule can judge."""

from collections.abc import Iterator
from typing import Final

from hardened_ec2.policy.findings import Severity
from hardened_ec2.policy.rule import Case, Doubt, rule
from hardened_ec2.policy.servers import launched_from_outside
from hardened_ec2.policy.subjects import Subject
from hardened_ec2.policy.values import Place

_HARMLESS_TRANSFORMS: Final = frozenset({"AWS::LanguageExtensions"})
"""Adds functions, which are resolved or reported where they stand, and ``Fn::ForEach``, which is
reported below."""


@rule(
    id="HardenedEc2-CannotVerify",
    severity=Severity.WARNING,
    subject=Subject.TEMPLATES,
    fact="Everything a rule needs can be read from the templates.",
    why=(
        "What is decided only at deployment can be anything then: a whitelist that is a parameter "
        "without a default is as wide as whoever deploys it makes it."
    ),
    fix=(
        "Write the value, or give the parameter a Default or AllowedValues, or judge the missing "
        "template together with this one; acknowledge it with a reason where none of these can be."
    ),
)
def cannot_verify(case: Case) -> Iterator[Doubt]:
    """Report what hides resources from every rule; each rule reports its own unknowns."""
    for template in case.deployment.templates:
        for macro in _macros(template.document.get("Transform")):
            yield Doubt(
                place=Place(template.name, "", "Transform"),
                why=f"macro {macro} can add and change resources at deployment",
            )
        for logical_id in template.document["Resources"]:
            if logical_id not in template.resources:
                yield Doubt(
                    place=Place(template.name, "", f"Resources.{logical_id}"),
                    why=f"{logical_id} makes resources at deployment",
                )
    for launched in launched_from_outside(case.deployment):
        yield Doubt(
            place=launched.place,
            why="what it launches servers from is not among the templates",
            when=launched.when,
        )
    for stack in case.deployment.unfollowed_stacks():
        yield Doubt(
            place=stack.place, why="the template of the nested stack is not among those given"
        )


def _macros(transform: object) -> Iterator[str]:
    for macro in transform if isinstance(transform, list) else [transform]:
        name = macro.get("Name") if isinstance(macro, dict) else macro
        if name is not None and str(name) not in _HARMLESS_TRANSFORMS:
            yield str(name)
