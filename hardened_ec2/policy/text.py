"""Text of which some parts are known only at deployment: joined, with dynamic references found."""

from collections.abc import Iterable
from typing import Final

from hardened_ec2.policy.values import Base64, Reference, Text, Unknown

MAX_TEXT: Final = 2**18
"""Characters of one joined text; sixteen times what EC2 takes as user data."""

_OPENING = "{{resolve:"
_CLOSING = "}}"

Part = str | Unknown | Reference | Base64


def normalised(parts: Iterable[Part]) -> str | Text:
    """Make one text of parts.

    CloudFormation resolves dynamic references last, so that one may be spelled over several
    arguments of ``Fn::Join``; only the joined text shows it.

    Args:
        parts: Known text and unknown parts, in order.

    Returns:
        A plain string when all of it is known; else a `Text`, known parts merged, each dynamic
        reference one `Unknown` whose name is the reference as spelled.

    Source: AWS CloudFormation User Guide, "Get values stored in other services using dynamic
        references".

    Example:
        >>> normalised(("port: ", "22"))
        'port: 22'
    """
    merged = _merged(parts)
    if any(isinstance(part, str) and _OPENING in part for part in merged):
        merged = _merged(_dynamic(merged))
    if not merged:
        return ""
    if len(merged) == 1 and isinstance(merged[0], str):
        return merged[0]
    return Text(tuple(merged))


def _merged(parts: Iterable[Part]) -> list[Part]:
    merged: list[Part] = []
    run: list[str] = []
    for part in parts:
        if isinstance(part, str):
            run.append(part)
        else:
            if any(run):
                merged.append("".join(run))
            run = []
            merged.append(part)
    if any(run):
        merged.append("".join(run))
    return merged


def _dynamic(parts: list[Part]) -> Iterable[Part]:
    """Turn each ``{{resolve:…}}`` into one unknown part."""
    inside: list[Part] = []
    for part in parts:
        if not isinstance(part, str):
            if inside:
                inside.append(part)
            else:
                yield part
            continue
        rest = part
        while rest:
            if inside:
                before, closed, rest = rest.partition(_CLOSING)
                inside.append(before + closed)
                if closed:
                    yield _dynamic_reference(inside)
                    inside = []
            else:
                before, opened, rest = rest.partition(_OPENING)
                if before:
                    yield before
                if opened:
                    inside = [opened]
    # Never closed: it is no dynamic reference but plain text.
    yield from inside


def _dynamic_reference(parts: list[Part]) -> Unknown:
    spelled = str(Text(tuple(parts)))
    return Unknown(f"{spelled} is read at deployment", spelled)
