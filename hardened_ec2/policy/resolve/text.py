"""Text of which some parts are known only at deployment: joined, with dynamic references found."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from hardened_ec2.policy.resolve.scenarios import ALWAYS, When, together
from hardened_ec2.policy.resolve.values import (
    ABSENT,
    Alternatives,
    Base64,
    Content,
    Reference,
    Resolved,
    Text,
    Unknown,
    describe,
    distinct,
    unknown,
)

MAX_TEXT: Final = 2**18
"""Characters of one joined text; sixteen times what EC2 takes as user data."""

MAX_TEXTS: Final = 64
"""Texts that one function makes; beyond that, only as many as show every alternative once."""

MAX_WORK: Final = 64 * 2**20
"""Characters joined in one judgement before every further text counts as unknown."""

_OPENING = "{{resolve:"
_CLOSING = "}}"

Part = str | Unknown | Reference | Base64


@dataclass(kw_only=True)
class Budget:
    """The limits of one judgement: it ends, however much a template repeats or nests.

    Args:
        text: Characters that may still be joined. Default: `MAX_WORK`.
        depth: Functions being resolved right now, one within another. Default: 0.
    """

    text: int = MAX_WORK
    depth: int = 0

    def spend(self, amount: int) -> bool:
        """Take characters from the budget, and return whether it held that many."""
        self.text -= amount
        return self.text >= 0


def concatenated(pieces: Sequence[Alternatives], delimiter: str, budget: Budget) -> Alternatives:
    """Join pieces of text in every combination that can be deployed.

    Args:
        pieces: What each piece can be.
        delimiter: The text between two pieces; absent pieces are left out.
        budget: The limits of the judgement.

    Returns:
        The texts. Beyond `MAX_TEXTS`, enough of them to contain every alternative of every piece,
        and an unknown for the other combinations: a secret or an open range must not hide in a
        combination that was not tried.

    Source: AWS CloudFormation Template Reference, ``Fn::Join`` and ``Fn::Sub``.

    Example:
        >>> concatenated([(Resolved("a"),), (Resolved("b"),)], "-", Budget())
        (Resolved(content='a-b', when=frozenset()),)
    """
    partial: list[tuple[list[Content], When]] = [([], ALWAYS)]
    for piece in pieces:
        if len(piece) == 1 and not piece[0].when:
            for contents, _ in partial:
                contents.append(piece[0].content)
            continue
        partial = [
            ([*contents, content], joined)
            for contents, when in partial
            for content, own in piece
            if (joined := together(when, own)) is not None
        ]
        if len(partial) > MAX_TEXTS:
            return (
                *(
                    Resolved(_joined([p[n % len(p)].content for p in pieces], delimiter, budget))
                    for n in range(max(map(len, pieces)))
                ),
                *unknown(f"it can be more than {MAX_TEXTS} texts"),
            )
    return distinct(
        Resolved(_joined(contents, delimiter, budget), when) for contents, when in partial
    )


def _joined(contents: Iterable[Content], delimiter: str, budget: Budget) -> Content:
    parts: list[Part] = []
    for position, content in enumerate(c for c in contents if c is not ABSENT):
        if position and delimiter:
            parts.append(delimiter)
        match content:
            case Text():
                parts.extend(content.parts)
            case bool():
                parts.append(str(content).lower())
            case int() | float():
                parts.append(str(content))
            case str() | Unknown() | Reference() | Base64():
                parts.append(content)
            case _:
                parts.append(Unknown(f"{describe(content)} is given where text is expected"))
    length = sum(len(part) if isinstance(part, str) else 1 for part in parts)
    if length > MAX_TEXT or not budget.spend(length):
        return Unknown("the text is too long to follow")
    return normalised(parts)


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
