"""The checks of the controls as one shell script: is the hardening in force on this server?

What docs/CONTROLS.md says of each control, and what the proof asks of a booted server, is asked
here by the server itself: in the test phase of an image, and for compliance in Systems Manager.
"""

from collections.abc import Iterator
from shlex import quote

from hardened_ec2.host.controls.types import Check
from hardened_ec2.host.hardening import HostHardening

# The values of the user's files cannot be known here, but the one that is an option.
_X11 = "x11forwarding"
_LISTENERS = "unneeded-listeners"

_HEAD = """\
# Asks for every control of the hardening whether it is in force; what is not is printed, and
# fails the script.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C
asked=0 missed=0

# check CONTROL COMMAND EXPECTED [WHEN]
check() {
	[ ! "$4" ] || sh -c "$4" </dev/null >/dev/null 2>&1 || return 0
	asked=$((asked + 1))
	said=$(timeout 120 sh -c "$2" </dev/null 2>/dev/null)
	said=${said#"${said%%[![:space:]]*}"}
	said=${said%"${said##*[![:space:]]}"}
	[ "$said" != "$3" ] || return 0
	missed=$((missed + 1))
	printf 'NOT IN FORCE %s: "%s" prints "%.200s" and not "%s"\\n' "$1" "$2" "$said" "$3"
}

"""

_END = """
echo "HARDENING-CHECKS asked=$asked failed=$missed"
[ "$missed" = 0 ]
"""


def check_script(hardening: HostHardening) -> str:
    """Return a POSIX sh script that succeeds on a server where a hardening is in force.

    It changes nothing, and runs as root. It asks what the controls of the hardening document as
    their verification; left out is what an option makes otherwise: the check of X11 forwarding
    with ``x11_forwarding``, those of listeners with ``open_ports``.

    Args:
        hardening: the hardening.

    Source:
        `hardened_ec2.host.controls.all.CONTROLS`; docs/CONTROLS.md.

    Example:
        >>> "check sshd " in check_script(HostHardening())
        True

    """
    return f"{_HEAD}{''.join(_calls(hardening))}{_END}"


def _calls(hardening: HostHardening) -> Iterator[str]:
    for control in hardening.controls:
        for check in control.verify:
            if check.profile in (None, hardening.profile) and not _otherwise(
                hardening, control.name, check
            ):
                words = (control.name, check.command, check.expected, check.when)
                yield f"check {' '.join(quote(word) for word in words if word)}\n"


def _otherwise(hardening: HostHardening, name: str, check: Check) -> bool:
    """Tell whether an option asks for something else than a check expects."""
    if name == _LISTENERS:
        return bool(hardening.open_ports) and "masked" in check.expected
    return hardening.x11_forwarding and _X11 in check.command
