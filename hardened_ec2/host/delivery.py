"""How the program gets to a server by a document of AWS's: as gzip, and checked before it runs."""

import base64
import hashlib

from hardened_ec2.host.hardening import HostHardening

DOCUMENT_LIMIT = 65_536
"""Bytes of a document: Systems Manager's for its content, Image Builder's for a component's.

Source: AWS General Reference, "AWS Systems Manager endpoints and quotas", "EC2 Image Builder
    endpoints and quotas".
"""

INSTALLED = "/usr/local/sbin/hardened-ec2"
"""Where the program installs itself."""

STATE = "/var/lib/hardened-ec2"
"""Where the program writes what became of it."""

_LINE = 996


def unpack_script(hardening: HostHardening) -> str:
    """Return shell that writes the program of a hardening to ``$work/hardened-ec2``.

    What does not arrive as it was sent ends the script, and is never run. ``$work`` is a directory
    of root's own, which goes when the script ends.

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
    """Return the SHA-256 of the program of a hardening, options and all, in hexadecimal.

    Args:
        hardening: the hardening.

    Example:
        >>> len(digest(HostHardening()))
        64

    """
    return hashlib.sha256(hardening.installer().encode()).hexdigest()


def without_expressions(script: str) -> str:
    r"""Return a script as it is, if a document can hold it.

    Systems Manager and Image Builder take what stands between two pairs of braces for a parameter
    of the document, wherever it stands.

    Args:
        script: the script.

    Raises:
        ValueError: it has such braces.

    Example:
        >>> without_expressions("echo {}\n")
        'echo {}\n'

    """
    if "{{" in script:
        at = script.index("{{")
        raise ValueError(
            f"the script contains {script[at : at + 40]!r}, which the document would take for a "
            "parameter of its own: write a space between the braces"
        )
    return script
