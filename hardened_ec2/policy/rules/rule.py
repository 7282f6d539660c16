"""A policy rule: the fact that should hold, the reason, the fix, and the check."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

from hardened_ec2.policy.findings import Severity
from hardened_ec2.policy.resolve.scenarios import ALWAYS, When
from hardened_ec2.policy.resolve.values import Place, Value
from hardened_ec2.policy.rules.case import Case
from hardened_ec2.policy.rules.subjects import Resources, Subject


class Framework(StrEnum):
    """The benchmarks and checkers that rules refer to, by their published names.

    Example:
        >>> str(Control(Framework.SECURITY_HUB, "EC2.8"))
        'AWS Security Hub EC2.8'
    """

    SECURITY_HUB = "AWS Security Hub"
    CIS = "CIS AWS Foundations Benchmark v5"
    NIST = "NIST SP 800-53 Rev. 5"
    PCI = "PCI DSS v3.2.1"
    CONTROL_TOWER = "AWS Control Tower"
    CDK_NAG = "cdk-nag"
    CHECKOV = "checkov"
    CFN_NAG = "cfn_nag"
    TRIVY = "Trivy"
    PROWLER = "Prowler"
    KICS = "KICS"
    SCOUT_SUITE = "ScoutSuite"


@dataclass(frozen=True, slots=True)
class Control:
    """One control of one framework.

    Args:
        framework: The framework.
        id: Its identifier in the framework.

    Example:
        >>> str(Control(Framework.CDK_NAG, "AwsSolutions-EC23"))
        'cdk-nag AwsSolutions-EC23'
    """

    framework: Framework
    id: str

    def __str__(self) -> str:
        return f"{self.framework} {self.id}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """A place where a rule is violated.

    Args:
        place: The template, resource and property.
        message: The fault, with the values that cause it, without capital or full stop.
        when: Conditions under which the template deploys it. Default: always.
    """

    place: Place
    message: str
    when: When = ALWAYS


@dataclass(frozen=True, kw_only=True, slots=True)
class Doubt:
    """A place where the template leaves open whether a rule holds.

    Args:
        place: The template, resource and property.
        why: What is not known, as a sentence without capital or full stop.
        when: Conditions under which the template deploys it. Default: always.
    """

    place: Place
    why: str
    when: When = ALWAYS


Outcome: TypeAlias = Fault | Doubt


@dataclass(frozen=True, kw_only=True, eq=False)
class Rule:
    """A policy rule. Documentation and reports are generated from its texts.

    Args:
        id: Its identifier, ``HardenedEc2-`` and a short name.
        severity: The severity of its findings.
        subject: What it examines; reports say how many of these there are.
        fact: What holds in a sound template, in one sentence.
        why: What an attacker gains where it does not hold.
        fix: What to write instead.
        references: The controls of public frameworks with the same requirement.
        check: The function that yields the places where the rule is violated or not verified.
    """

    id: str
    severity: Severity
    subject: Subject | Resources
    fact: str
    why: str
    fix: str
    references: tuple[Control, ...]
    check: Callable[[Case], Iterable[Outcome]]


_DECLARED: Final[list[Rule]] = []

Check: TypeAlias = Callable[[Case], Iterator[Outcome]]


def rule(
    *,
    id: str,  # noqa: A002 - the field's name
    severity: Severity,
    subject: Subject | Resources,
    fact: str,
    why: str,
    fix: str,
    references: tuple[Control, ...] = (),
) -> Callable[[Check], Rule]:
    """Register the decorated function as the check of a policy rule.

    Args:
        id: See `Rule`.
        severity: See `Rule`.
        subject: See `Rule`.
        fact: See `Rule`.
        why: See `Rule`.
        fix: See `Rule`.
        references: See `Rule`. Default: none.

    Returns:
        The decorator.

    Example:
        >>> from hardened_ec2.policy.rules.verification import cannot_verify
        >>> isinstance(cannot_verify, Rule), cannot_verify.id
        (True, 'HardenedEc2-CannotVerify')
    """

    def register(check: Check) -> Rule:
        registered = Rule(
            id=id,
            severity=severity,
            subject=subject,
            fact=fact,
            why=why,
            fix=fix,
            references=references,
            check=check,
        )
        _DECLARED.append(registered)
        return registered

    return register


def declared() -> tuple[Rule, ...]:
    """List the registered rules by severity, then module, then their order in the module."""
    severities = list(Severity)
    return tuple(
        sorted(
            _DECLARED,
            key=lambda each: (severities.index(each.severity), each.check.__module__),
        )
    )


def faulty(value: Value, message: str) -> Fault:
    """Return a fault at the place of a value, under the conditions of the value."""
    return Fault(place=value.place, message=message, when=value.when)


def doubtful(value: Value, why: str) -> Doubt:
    """Return a doubt at the place of a value, under the conditions of the value."""
    return Doubt(place=value.place, why=why, when=value.when)
