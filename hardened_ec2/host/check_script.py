"""The controls' checks as one shell script, which a server runs on itself.

The checks are those of docs/CONTROLS.md. Image Builder runs the script in its test phase, and
Systems Manager runs it for compliance.
"""

from collections.abc import Iterator
from shlex import quote

from hardened_ec2.host.controls.types import Check
from hardened_ec2.host.hardening import HostHardening

# Options of HostHardening that contradict a check.
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

    It runs as root and changes nothing. It runs the checks of the hardening's controls, except
    those that an option contradicts: X11 forwarding with ``x11_forwarding``, masked listeners with
    ``open_ports``.

    Args:
        hardening: the hardening.

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
    """Whether an option of the hardening contradicts a check."""
    if name == _LISTENERS:
        return bool(hardening.open_ports) and "masked" in check.expected
    return hardening.x11_forwarding and _X11 in check.command
