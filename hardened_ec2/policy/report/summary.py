"""The counts of a verdict, the same in every report."""

from collections import Counter

from hardened_ec2.policy.findings import Severity
from hardened_ec2.policy.judging.verdict import Standing, Verdict


def finding_counts(verdict: Verdict) -> dict[str, int]:
    """Count findings and inputs.

    Args:
        verdict: The verdict.

    Returns:
        The number of ``templates``, ``errors``, ``warnings``, findings that are ``not verified``
        or ``accepted``, and inputs that are ``unreadable``. Each finding is counted once.

    Example:
        >>> finding_counts(verdict)["errors"]
        1
    """
    return {
        "templates": len(verdict.templates),
        "errors": verdict.count(Severity.ERROR),
        "warnings": verdict.count(Severity.WARNING),
        "not verified": len(verdict.not_verified),
        "accepted": len(verdict.accepted),
        "unreadable": len(verdict.unreadable),
    }


def rule_counts(verdict: Verdict) -> dict[str, int]:
    """Count policy rules by their verdict.

    Args:
        verdict: The verdict.

    Returns:
        The number of rules for every word of `Standing`, worst first. Each rule is counted once.

    Example:
        >>> list(rule_counts(verdict))
        ['violated', 'not verified', 'accepted', 'holds', 'nothing to examine']
    """
    found = Counter(verdict.standings.values())
    return {standing.value: found[standing] for standing in Standing}
