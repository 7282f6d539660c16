"""User data as cloud-init reads it: a MIME multipart text, the same bytes for the same input."""

import base64
import re
from collections.abc import Callable

USER_DATA_LIMIT = 16_384
"""Bytes of user data that EC2 takes, before base64 (EC2 User Guide, "Run commands at launch")."""

BOUNDARY = "==hardened-ec2=="
"""What separates the parts."""

_TOKEN = re.compile(r"\$\{Token\[[^\]]*\]\}")
# cloud-init decodes the whole message to text and hands each part through Python's email
# package, which gives non-ASCII of an 8bit part back as Latin-1 or as \u escapes. A carriage
# return or form feed at a line's end is no safer. What is not plain goes as base64.
_PLAIN = re.compile(r"[\t\n\x20-\x7e]*")


def has_tokens(text: str) -> bool:
    r"""Tell whether a text has CDK tokens in it, whose values are known only later.

    Args:
        text: any text.

    Example:
        >>> has_tokens("echo ${Token[AWS.Region.4]}"), has_tokens("echo $HOME")
        (True, False)

    """
    return _TOKEN.search(text) is not None


def user_data_size(user_data: str | bytes) -> int:
    """Return how many bytes of USER_DATA_LIMIT user data take.

    CDK tokens count as nothing: what they become is known only when the template is deployed.

    Args:
        user_data: the rendered text, or the compressed bytes; not base64.

    Source:
        EC2 User Guide, "Run commands when you launch an EC2 instance with user data input":
        16 KB in raw form, before base64.

    Example:
        >>> from hardened_ec2.host.hardening import HostHardening
        >>> size = user_data_size(HostHardening().render())
        >>> size <= USER_DATA_LIMIT
        True

    """
    if isinstance(user_data, bytes):
        return len(user_data)
    return len(_TOKEN.sub("", user_data).encode())


def multipart(boothook: str, commands: str, base64_at_deploy: Callable[[str], str] | None) -> str:
    r"""Return boothook and commands as one multipart text.

    Args:
        boothook: the text that begins with #cloud-boothook; plain ASCII.
        commands: a script that begins with #!, or an empty text for no second part.
        base64_at_deploy: what encodes a text with tokens in it, `aws_cdk.Fn.base64`.

    Raises:
        ValueError: commands that cloud-init would not run, or that cannot be delivered.

    Source:
        RFC 2046 section 5.1 (multipart), RFC 2045 section 6 (transfer encodings);
        cloud-init, user-data formats, "MIME multi-part archive".

    Example:
        >>> text = multipart("#cloud-boothook\n#!/bin/sh\n", "#!/bin/sh\nid\n", None)
        >>> text.count("Content-Type: text/x-shellscript")
        1
        >>> text.isascii()
        True

    """
    parts = [_part("text/cloud-boothook", boothook)]
    if commands:
        parts.append(_script_part(commands, base64_at_deploy))
    body = "".join(f"--{BOUNDARY}\n{part}\n" for part in parts)
    return (
        f'Content-Type: multipart/mixed; boundary="{BOUNDARY}"\n'
        f"MIME-Version: 1.0\n\n{body}--{BOUNDARY}--\n"
    )


def _part(content_type: str, text: str, encoding: str = "7bit") -> str:
    return (
        f'Content-Type: {content_type}; charset="utf-8"\n'
        f"Content-Transfer-Encoding: {encoding}\n\n{text}"
    )


def _script_part(commands: str, base64_at_deploy: Callable[[str], str] | None) -> str:
    if not commands.startswith("#!") and not _TOKEN.match(commands):
        raise ValueError(
            f"the commands begin with {commands[:40]!r}: cloud-init runs a part as a script only "
            "if its first line names an interpreter; write '#!/bin/bash' as the first line"
        )
    if f"--{BOUNDARY}" in commands:
        raise ValueError(
            f"the commands contain '--{BOUNDARY}', which separates the parts of the user data: "
            "a script may contain any other text; write this line in another way"
        )
    if _PLAIN.fullmatch(commands):
        return _part("text/x-shellscript", commands, "8bit")
    try:
        encoded = base64.b64encode(commands.encode()).decode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"the commands contain {commands[error.start]!r}, which is half a character: only "
            "text that UTF-8 can write is allowed; read the script with encoding='utf-8'"
        ) from error
    if has_tokens(commands):
        if base64_at_deploy is None:
            raise ValueError(
                "the commands contain both CDK tokens and characters that are not plain ASCII, "
                "which cloud-init reads from a base64 part only: write "
                "render(commands, base64_at_deploy=aws_cdk.Fn.base64), or plain ASCII"
            )
        encoded = base64_at_deploy(commands)
    return _part("text/x-shellscript", encoded, "base64")
