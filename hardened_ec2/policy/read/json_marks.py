"""The line of every value in a JSON text.

The standard library's decoder, which is written in C, reports no lines, and a parser that does
takes longer than all rules together. So the text is decoded first, and its tokens are read again
only when a finding needs a line.
"""

import json
import re
from typing import Final

from hardened_ec2.policy.read.marks import Marks

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:\n]|[^\s"{}\[\],:]+')


def json_marks(text: str) -> Marks:
    r"""Return the line of every value in a JSON text.

    Args:
        text: A text that the standard library decodes; for any other the marks mean nothing.

    Returns:
        The marks of the whole.

    Source: RFC 8259.

    Example:
        >>> json_marks('{"a":\n{"b": 1}}').line_of(("a", "b"))
        2
    """
    line = 1
    whole: dict[str, Marks] = {}
    inside, is_object = whole, False
    outer: list[tuple[dict[str, Marks], bool, str]] = []
    key, awaits_key = "", False
    for token in _TOKEN.findall(text):
        match first := token[0]:
            case "\n":
                line += 1
            case ",":
                awaits_key = is_object
            case ":":
                awaits_key = False
            case "{" | "[":
                if not is_object:
                    key = str(len(inside))
                started = inside[key].line if is_object else line
                opened: dict[str, Marks] = {}
                inside[key] = Marks(started, opened)
                outer.append((inside, is_object, key))
                inside, is_object = opened, first == "{"
                awaits_key = is_object
            case "}" | "]":
                inside, is_object, key = outer.pop()
            case _ if awaits_key:
                # A finding about a property points at the line of its name.
                key = json.loads(token) if "\\" in token else token[1:-1]
                inside[key] = Marks(line)
            case _ if not is_object:
                inside[str(len(inside))] = Marks(line)
    return whole["0"]
