"""What the modules that generate a page of docs/ share: table cells, and writing the page."""

import sys
from pathlib import Path


def cell(text: str) -> str:
    r"""Return a text as it is written in a cell of a Markdown table.

    Args:
        text: the text, on one or several lines.

    Source:
        GitHub Flavored Markdown, section 4.10 (tables).

    Example:
        >>> cell("a | b")
        'a \\| b'

    """
    return text.replace("|", r"\|").replace("\n", " ")


def write(page: str) -> None:
    """Write a page to the path given as the program's first argument, or print it.

    Args:
        page: the whole text.

    """
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(page, "utf-8")
    else:
        sys.stdout.write(page)
