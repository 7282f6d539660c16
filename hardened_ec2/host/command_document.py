"""The hardening as a Systems Manager command document, for State Manager and Run Command."""

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
"""Apply the hardening and then check it, or only check it."""

APPLY_TIMEOUT = 900
"""Timeout of the apply step, in seconds."""

CHECK_TIMEOUT = 600
"""Timeout of the check step, in seconds."""

_PARAMETER = "Operation"


def command_document(hardening: HostHardening) -> dict[str, Any]:
    """Return the content of a command document that keeps a server hardened.

    Its parameter ``Operation`` is "Apply" or "Check". The first step applies the hardening, with
    the server's own `hardened-ec2` if that is the same hardening, otherwise with the program in
    the document, which installs itself. Drift is repaired; the step fails if that is impossible.
    The second step runs the controls' checks, and fails if one of them does. An association's
    compliance is therefore the server's state: with "Check" every drift makes the server
    non-compliant, with "Apply" only drift that could not be repaired.

    Args:
        hardening: the hardening.

    Raises:
        ValueError: the banner contains ``{{``, which begins a parameter for Systems Manager.

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
    """Return the size of a document in bytes, to compare with `delivery.DOCUMENT_LIMIT`.

    Args:
        document: the document's content.

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
    # The server's own program may also hold a signal and an image's digest, between the options
    # and the rest: compare only those two.
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
