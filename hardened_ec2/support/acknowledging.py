"""Acknowledging findings on a construct."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from aws_cdk import Acknowledgment, Stack, Validations
from constructs import IConstruct

from hardened_ec2.support.acknowledgements import OwnAcknowledgement


def acknowledge(construct: IConstruct, *acknowledgements: OwnAcknowledgement) -> None:
    """Acknowledge findings on a construct.

    Args:
        construct: The construct.
        acknowledgements: The findings, with reasons.
    """
    Validations.of(construct).acknowledge(
        *(_acknowledgment(each.rule, each.reason) for each in acknowledgements)
    )


@cache
def _acknowledgment(rule: str, reason: str) -> Acknowledgment:
    # A CDK struct is validated field by field when it is created.
    return Acknowledgment(id=rule, reason=reason)


def as_nag_writes(stack: Stack, arn: str) -> str:
    """Return an ARN with tokens as cdk-nag writes it in the id of a finding.

    Args:
        stack: The stack that contains the ARN.
        arn: The ARN.

    Returns:
        The ARN with the name of each token in angle brackets.

    Example:
        >>> as_nag_writes(stack, f"{bucket.bucket_arn}/*")
        '<Bucket83908E77.Arn>/*'
    """
    resolved = stack.resolve(arn)
    if isinstance(resolved, str):
        return resolved
    parts = resolved["Fn::Join"][1]
    return "".join(part if isinstance(part, str) else f"<{_named(part)}>" for part in parts)


def _named(token: Mapping[str, Any]) -> str:
    if "Fn::GetAtt" in token:
        return ".".join(token["Fn::GetAtt"])
    return str(token["Ref"])
