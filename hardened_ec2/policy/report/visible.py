"""Text from a template as it may be shown: what is seen is what it is, and it ends."""

from typing import Final

MAX_TEXT: Final = 1000
"""Characters of one text. A logical ID has at most 255, and messages hold several."""


def visible(text: str) -> str:
    r"""Return a text in which everything can be seen.

    Args:
        text: Any text.

    Returns:
        The text, cut to `MAX_TEXT`. What cannot be seen, above all the characters that turn the
        order of reading, stands there as its number.

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
