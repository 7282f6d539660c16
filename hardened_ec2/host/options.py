"""What the options of HostHardening may be: each check says what was given and what to write."""

import re
from collections.abc import Callable, Sequence
from ipaddress import IPv6Network, ip_network
from typing import get_args

# useradd(8): 32 characters; dots and capitals are accepted by every distribution that is served.
_LOGIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}")
_UID = re.compile(r"0|[1-9][0-9]{0,9}")
# The two highest numbers are no user's: -1 is "unchanged" in chown(2), -2 is what the payload
# asks the kernel about to see whether the lock holds.
_MAX_UID = 2**32 - 3
_PORT = re.compile(r"(?P<number>[1-9][0-9]{0,4})/(tcp|udp)")
_MAX_PORT = 2**16 - 1
# The kernel takes nearly anything; these are what systemd, Docker and the clouds name theirs.
_INTERFACE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,14}")
_BANNER = re.compile(r"[\n -~]*")
_TOKEN = "${Token["  # noqa: S105 # how CDK writes a value that only the deployment knows


def texts(field: str, value: object, check: Callable[[str, str], None]) -> tuple[str, ...]:
    """Return checked texts as a tuple without repetitions.

    Args:
        field: the option's name.
        value: what was given for it.
        check: raises for a text that is not allowed.

    Raises:
        ValueError: it is no sequence of texts, or a text is not allowed.

    Example:
        >>> texts("admin_users", ["a", "b", "a"], check_admin)
        ('a', 'b')

    """
    if isinstance(value, str):
        raise ValueError(
            f"{field} is the text {value!r}, which is a sequence of letters: a list or tuple of "
            f"texts is allowed; write {field}=[{value!r}]"
        )
    if not isinstance(value, Sequence) or isinstance(value, bytes | bytearray):
        raise ValueError(
            f"{field} is {value!r}: a list or tuple of texts is allowed; write {field}=['name']"
        )
    for item in value:
        if not isinstance(item, str):
            raise ValueError(
                f"{field} contains {item!r}: only texts are allowed; write {field}=['{item}']"
            )
        check(field, item)
    return tuple(dict.fromkeys(value))


def _check_login(field: str, name: str, kind: str = "user", example: str = "ec2-user") -> None:
    if not _LOGIN.fullmatch(name):
        raise ValueError(
            f"{field} contains {name!r}: a {kind} name has 1 to 32 letters, digits, '_', '.' or "
            f"'-' and begins with a letter or '_'; write the name as in /etc/"
            f"{'passwd' if kind == 'user' else 'group'}, {field}=['{example}']"
        )


def check_admin(field: str, user: str) -> None:
    """Refuse what is no login name, and root.

    Args:
        field: the option's name.
        user: a login name.

    Raises:
        ValueError: it is none.

    """
    _check_login(field, user)
    if user == "root":
        raise ValueError(
            f"{field} contains 'root': root never logs in over SSH; write the login that "
            f"administrators use, {field}=['ec2-user']"
        )


def check_group(field: str, group: str) -> None:
    """Refuse what is no group name.

    Args:
        field: the option's name.
        group: a group's name.

    Raises:
        ValueError: it is none.

    """
    _check_login(field, group, "group", "wheel")


def check_imds_user(field: str, user: str) -> None:
    """Refuse what is neither a login name nor a uid.

    Args:
        field: the option's name.
        user: a login name or a decimal uid.

    Raises:
        ValueError: it is neither.

    """
    if not user[:1].isdigit():
        _check_login(field, user)
    elif not _UID.fullmatch(user) or int(user) > _MAX_UID:
        raise ValueError(
            f"{field} contains {user!r}: a uid is a number from 0 to {_MAX_UID} without leading "
            f"zeros; write {field}=['1001'] or the user's name"
        )


def check_source(field: str, source: str) -> None:
    """Refuse what is neither an interface's name nor a block of addresses.

    Args:
        field: the option's name.
        source: "docker0", "172.17.0.0/16", "fd00:1::/64".

    Raises:
        ValueError: it is neither, or a block of all addresses there are.

    """
    if "/" not in source:
        if not _INTERFACE.fullmatch(source):
            raise ValueError(
                f"{field} contains {source!r}: an interface's name has 1 to 15 letters, digits, "
                f"'_', '.' or '-' and begins with a letter, and a block of addresses has a '/'; "
                f"write {field}=['docker0'] or ['172.17.0.0/16']"
            )
        return
    try:
        network = ip_network(source)
    except ValueError as error:
        raise ValueError(
            f"{field} contains {source!r}, which is no block of addresses ({error}): write "
            f"{field}=['172.17.0.0/16']"
        ) from None
    # Written otherwise, nft and ip would show another text than they were given.
    if str(network) != source or (isinstance(network, IPv6Network) and "." in source):
        raise ValueError(f"{field} contains {source!r}: write it as '{network.compressed}'")
    if network.prefixlen == 0:
        raise ValueError(
            f"{field} contains {source!r}, which is everybody: name the containers' own block, "
            f"{field}=['172.17.0.0/16']"
        )


def check_port(field: str, port: str) -> None:
    """Refuse what is no port with its protocol.

    Args:
        field: the option's name.
        port: "443/tcp".

    Raises:
        ValueError: it is none.

    """
    found = _PORT.fullmatch(port)
    if not found or int(found["number"]) > _MAX_PORT:
        raise ValueError(
            f"{field} contains {port!r}: a port is a number from 1 to {_MAX_PORT}, a slash, and "
            f"tcp or udp; write {field}=['443/tcp']"
        )


def check_banner(field: str, banner: object, boundary: str) -> None:
    """Refuse a notice that a terminal, sshd or cloud-init would not show as it is.

    Args:
        field: the option's name.
        banner: the text; line breaks are allowed.
        boundary: what separates the parts of the user data.

    Raises:
        ValueError: it is no text, or has other characters than printable ASCII.

    """
    if not isinstance(banner, str) or not _BANNER.fullmatch(banner):
        raise ValueError(
            f"{field} is {banner!r}: a text of printable ASCII and line breaks is allowed, since "
            f"terminals act on other characters; write {field}='Authorized use only.'"
        )
    if boundary in banner or _TOKEN in banner:
        raise ValueError(
            f"{field} is {banner!r}: it contains what separates the parts of the user data, or a "
            f"CDK token; write the text itself, {field}='Authorized use only.'"
        )


def check_choice(field: str, value: object, choices: object, advice: str) -> None:
    """Refuse what is not one of the choices.

    Args:
        field: the option's name.
        value: what was given for it.
        choices: a Literal.
        advice: what to write.

    Raises:
        ValueError: it is none of them.

    """
    allowed = get_args(choices)
    if value not in allowed or isinstance(value, bool):
        listed = ", ".join(map(repr, allowed[:-1]))
        raise ValueError(
            f"{field} is {value!r}: {listed} or {allowed[-1]!r} is allowed; write {advice}"
        )


def check_switch(field: str, value: object, *, optional: bool = False) -> None:
    """Refuse what is not True or False.

    Args:
        field: the option's name.
        value: what was given for it.
        optional: whether None is allowed.

    Raises:
        ValueError: it is neither.

    """
    if not isinstance(value, bool) and not (optional and value is None):
        raise ValueError(f"{field} is {value!r}: only True or False is allowed; write {field}=True")
