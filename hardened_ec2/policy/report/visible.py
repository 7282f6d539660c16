"""Text from a template, made safe to show: printable and limited in length."""

from typing import Final

MAX_TEXT: Final = 1000
"""Characters of one text. A logical ID has at most 255, and messages contain several."""


def visible(text: str) -> str:
    r"""Replace unprintable characters and cut long texts.

    Args:
        text: Any text.

    Returns:
        The text, cut to `MAX_TEXT`. Unprintable characters, such as those that reverse the reading
        order, are written as their code points.

    Source: Unicode Technical Report 36, "Bidirectional Text Spoofing".

    Example:
        >>> visible("gpj.\u202eexe")
        'gpj.\\u202eexe'
    """
    if len(text) > MAX_TEXT:
        text = f"{text[:MAX_TEXT]}…"
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else _written(each) for each in text)


def _written(character: str) -> str:
    return " " if character.isspace() else f"\\u{ord(character):04x}"
