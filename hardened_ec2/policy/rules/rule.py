"""What a rule is: a fact, the reason for it, and the function that finds where it does not hold."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

from hardened_ec2.policy.findings import Severity
from hardened_ec2.policy.resolve.scenarios import ALWAYS, When
from hardened_ec2.policy.resolve.values import Place, Value
from hardened_ec2.policy.rules.case import Case
from hardened_ec2.policy.rules.subjects import Subject


class Framework(StrEnum):
    """The benchmarks and checkers that rules refer to, as their publishers call them.

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
    """One demand of one framework.

    Args:
        framework: Who demands it.
        id: Its identifier there.

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
    """A place where the rule's fact does not hold.

    Args:
        place: Where.
        message: What is wrong, with the values in it.
        when: What must hold for it to be deployed so. Default: nothing.
    """

    place: Place
    message: str
    when: When = ALWAYS


@dataclass(frozen=True, kw_only=True, slots=True)
class Doubt:
    """A place where the template does not tell whether the rule's fact holds.

    Args:
        place: Where.
        why: What is not known, as a whole sentence without capital or full stop.
        when: What must hold for it to be deployed so. Default: nothing.
    """

    place: Place
    why: str
    when: When = ALWAYS


Outcome: TypeAlias = Fault | Doubt


@dataclass(frozen=True, kw_only=True, eq=False)
class Rule:
    """A rule of the policy. Documentation and reports are made from these texts.

    Args:
        id: Its identifier, ``HardenedEc2-`` and a short name.
        severity: What a finding of it weighs.
        subject: What it looks at; a pass says how many of that there were.
        fact: What holds in a sound template, in one line.
        why: What an attacker gains where it does not hold.
        fix: What to write.
        references: The same demand elsewhere.
        check: Finds where it does not hold, and where that cannot be told.
    """

    id: str
    severity: Severity
    subject: Subject
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
    subject: Subject,
    fact: str,
    why: str,
    fix: str,
    references: tuple[Control, ...] = (),
) -> Callable[[Check], Rule]:
    """Make the function below it a rule of the policy.

    Args:
        id: See `Rule`.
        severity: See `Rule`.
        subject: See `Rule`.
        fact: See `Rule`.
        why: See `Rule`.
        fix: See `Rule`.
        references: See `Rule`. Default: none, nobody else demands it.

    Returns:
        The decorator.

    Example:
        >>> from hardened_ec2.policy.rules.verification import cannot_verify
        >>> isinstance(cannot_verify, Rule), cannot_verify.id
        (True, 'HardenedEc2-CannotVerify')
    """

    def made(check: Check) -> Rule:
        made = Rule(
            id=id,
            severity=severity,
            subject=subject,
            fact=fact,
            why=why,
            fix=fix,
            references=references,
            check=check,
        )
        _DECLARED.append(made)
        return made

    return made


def declared() -> tuple[Rule, ...]:
    """List every rule that `rule` made: by severity, then module, then as they stand there."""
    severities = list(Severity)
    return tuple(
        sorted(
            _DECLARED,
            key=lambda each: (severities.index(each.severity), each.check.__module__),
        )
    )


def faulty(value: Value, message: str) -> Fault:
    """Report a value as wrong, where it stands and when it is deployed."""
    return Fault(place=value.place, message=message, when=value.when)


def doubtful(value: Value, why: str) -> Doubt:
    """Report a value as not known, where it stands and when it is deployed."""
    return Doubt(place=value.place, why=why, when=value.when)
