"""Delivery of the program in an SSM or Image Builder document: gzip, verified before it runs."""

import base64
import hashlib

from hardened_ec2.host.hardening import HostHardening

DOCUMENT_LIMIT = 65_536
"""Maximum size of an SSM document, and of an Image Builder component's document, in bytes.

Source: AWS General Reference, "AWS Systems Manager endpoints and quotas", "EC2 Image Builder
    endpoints and quotas".
"""

INSTALLED = "/usr/local/sbin/hardened-ec2"
"""Path at which the program installs itself."""

STATE = "/var/lib/hardened-ec2"
"""Directory in which the program keeps its state and its status report."""

_LINE = 996


def unpack_script(hardening: HostHardening) -> str:
    """Return shell code that writes a hardening's program to ``$work/hardened-ec2``.

    It compares the program's SHA-256 first, and exits if it differs. ``$work`` is a temporary
    directory that only root can read; it is removed when the script ends.

    Args:
        hardening: the hardening.

    Example:
        >>> "base64 -d" in unpack_script(HostHardening())
        True

    """
    encoded = base64.b64encode(hardening.compress_installer()).decode()
    lines = "\n".join(encoded[at : at + _LINE] for at in range(0, len(encoded), _LINE))
    return f"""\
umask 077
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C
work=$(mktemp -d /var/tmp/hardened-ec2.XXXXXX) || exit
trap 'rm -rf "$work"' EXIT
base64 -d <<'PROGRAM' | gzip -dc >"$work/hardened-ec2"
{lines}
PROGRAM
if [ "$(sha256sum <"$work/hardened-ec2")" != "{digest(hardening)}  -" ]; then
	echo 'The program did not arrive as it was sent; nothing of it was run.'
	exit 1
fi
"""


def digest(hardening: HostHardening) -> str:
    """Return the SHA-256 of a hardening's program with its options, in hexadecimal.

    Args:
        hardening: the hardening.

    Example:
        >>> len(digest(HostHardening()))
        64

    """
    return hashlib.sha256(hardening.installer().encode()).hexdigest()


def without_expressions(script: str) -> str:
    r"""Return a script unchanged if a document can hold it.

    Systems Manager and Image Builder read ``{{ ... }}`` as a parameter anywhere in a document.

    Args:
        script: the script.

    Raises:
        ValueError: it contains ``{{``.

    Example:
        >>> without_expressions("echo {}\n")
        'echo {}\n'

    """
    if "{{" in script:
        at = script.index("{{")
        raise ValueError(
            f"the script contains {script[at : at + 40]!r}, which the document would read as a "
            "parameter: write a space between the braces"
        )
    return script
