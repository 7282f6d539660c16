"""The property UserData of a synthesized template, as the server reads it."""

import base64
import gzip
from typing import Any


def text_of(value: str | dict[str, Any]) -> str:
    """Return the text, references as ``<their name>``."""
    if isinstance(value, str):
        return gzip.decompress(base64.b64decode(value, validate=True)).decode()
    encoded = value["Fn::Base64"]
    if isinstance(encoded, str):
        return encoded
    return "".join(
        part if isinstance(part, str) else f"<{part.get('Ref', '?')}>"
        for part in encoded["Fn::Join"][1]
    )
