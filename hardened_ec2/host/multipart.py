"""User data as a MIME multipart archive for cloud-init. The same input gives the same bytes."""

import base64
import re
from collections.abc import Callable

USER_DATA_LIMIT = 16_384
"""Maximum size of user data in bytes, before base64.

Source: EC2 User Guide, "Run commands when you launch an EC2 instance with user data input".
"""

BOUNDARY = "==hardened-ec2=="
"""The boundary between the parts."""

_TOKEN = re.compile(r"\$\{Token\[[^\]]*\]\}")
# cloud-init reads parts with Python's email package, which garbles non-ASCII, carriage returns and
# form feeds in an 8bit part. A script with any of them is sent as base64.
_PLAIN = re.compile(r"[\t\n\x20-\x7e]*")


def has_tokens(text: str) -> bool:
    r"""Whether a text contains CDK tokens, whose values are known only at deployment.

    Args:
        text: any text.

    Example:
        >>> has_tokens("echo ${Token[AWS.Region.4]}"), has_tokens("echo $HOME")
        (True, False)

    """
    return _TOKEN.search(text) is not None


def user_data_size(user_data: str | bytes) -> int:
    """Return the size of user data in bytes, to compare with `USER_DATA_LIMIT`.

    CDK tokens count as 0 bytes: their values are known only at deployment.

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
    r"""Return boothook and commands as one MIME multipart archive.

    Args:
        boothook: plain ASCII that begins with ``#cloud-boothook``.
        commands: a script that begins with ``#!``, or "" for no second part.
        base64_at_deploy: encodes a text that contains CDK tokens: `aws_cdk.Fn.base64`.

    Raises:
        ValueError: cloud-init would not run the commands, or could not read them without loss.

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
            f"the commands contain '--{BOUNDARY}', the boundary between the parts of the user "
            "data: any other text is allowed; write this line in another way"
        )
    if _PLAIN.fullmatch(commands):
        return _part("text/x-shellscript", commands, "8bit")
    try:
        encoded = base64.b64encode(commands.encode()).decode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"the commands contain {commands[error.start]!r}, an unpaired surrogate: only text "
            "that UTF-8 can encode is allowed; read the script with encoding='utf-8'"
        ) from error
    if has_tokens(commands):
        if base64_at_deploy is None:
            raise ValueError(
                "the commands contain both CDK tokens and characters other than plain ASCII, which "
                "cloud-init reads only from a base64 part: write "
                "render(commands, base64_at_deploy=aws_cdk.Fn.base64), or plain ASCII"
            )
        encoded = base64_at_deploy(commands)
    return _part("text/x-shellscript", encoded, "base64")
