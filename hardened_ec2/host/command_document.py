"""The hardening as a command document of Systems Manager: for State Manager and Run Command."""

import hashlib
import json
from typing import Any, Literal, get_args

from hardened_ec2.host.boothook import packed_rest
from hardened_ec2.host.check_script import check_script
from hardened_ec2.host.delivery import (
    INSTALLED,
    digest,
    unpack_script,
    without_expressions,
)
from hardened_ec2.host.hardening import HostHardening

Operation = Literal["Apply", "Check"]
"""What the document does: apply the hardening and then check it, or only check it."""

APPLY_TIMEOUT = 900
"""Seconds that applying may take."""

CHECK_TIMEOUT = 600
"""Seconds that the checks may take."""

_PARAMETER = "Operation"


def command_document(hardening: HostHardening) -> dict[str, Any]:
    """Return the content of a command document that keeps a server hardened.

    Its parameter ``Operation`` is "Apply" or "Check". The first step applies: with the server's own
    `hardened-ec2` where that is the same hardening, otherwise with the program that the document
    carries, which installs itself. What was undone is mended; what cannot be mended fails the
    step. The second step asks of every control whether it is in force, and fails if one is not. So
    an association's compliance is the state of the server: with "Check" drift makes it
    non-compliant and stays, with "Apply" only drift does that could not be mended.

    Args:
        hardening: the hardening.

    Raises:
        ValueError: it has a banner with a pair of opening braces, which is a parameter to Systems
            Manager.

    Source:
        AWS Systems Manager User Guide, "Command document plugin reference"; "About State Manager",
        "association compliance".

    Example:
        >>> document = command_document(HostHardening())
        >>> document["schemaVersion"], [step["name"] for step in document["mainSteps"]]
        ('2.2', ['Apply', 'Check'])

    """
    return {
        "schemaVersion": "2.2",
        "description": f"Host hardening, profile {hardening.profile} ({digest(hardening)[:12]})",
        "parameters": {
            _PARAMETER: {
                "type": "String",
                "description": "Apply the hardening and check it, or only check it.",
                "allowedValues": [*get_args(Operation)],
                "default": "Apply",
            }
        },
        "mainSteps": [
            _step("Apply", _apply_script(hardening), APPLY_TIMEOUT),
            _step("Check", without_expressions(check_script(hardening)), CHECK_TIMEOUT),
        ],
    }


def document_size(document: dict[str, Any]) -> int:
    """Return how many bytes of `hardened_ec2.host.delivery.DOCUMENT_LIMIT` a document takes.

    Args:
        document: the content.

    Example:
        >>> document_size(command_document(HostHardening(profile="strict"))) < 65_536
        True

    """
    return len(json.dumps(document))


def _step(name: str, script: str, timeout: int) -> dict[str, Any]:
    return {
        "action": "aws:runShellScript",
        "name": name,
        "precondition": {"StringEquals": ["platformType", "Linux"]},
        "inputs": {"timeoutSeconds": str(timeout), "runCommand": script.splitlines()},
    }


def _apply_script(hardening: HostHardening) -> str:
    options = hardening.installer_options
    # The server's own program may know more: the signal that it gives, the image that it is from.
    # Both stand between the options and the rest.
    script = f"""\
{unpack_script(hardening)}
own() {{
	head -c {len(options)} {INSTALLED}
	sed -n '/^SHA256=/,$p' {INSTALLED}
}}
case $(own 2>/dev/null | sha256sum) in
'{digest(hardening)}  -' | '{_sha256(options + packed_rest(hardening.program))}  -')
	{INSTALLED} apply
	;;
*)
	echo 'This hardening is not on the server: installing it.'
	sh "$work/hardened-ec2" apply
	;;
esac
result=$?
{INSTALLED} status
exit $result
"""
    return f"""\
[ '{{{{ {_PARAMETER} }}}}' = Apply ] || exit 0
{without_expressions(script)}"""


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
