"""Argument checks of HostHardening. Each error says what was given, allowed and to be written."""

import re
from collections.abc import Callable, Sequence
from ipaddress import IPv6Network, ip_network
from typing import get_args

# useradd(8): 32 characters. Every supported distribution also accepts dots and capitals.
_LOGIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}")
_UID = re.compile(r"0|[1-9][0-9]{0,9}")
# The two highest uids are taken: -1 means "unchanged" in chown(2), and the payload tests the
# metadata lock as -2.
_MAX_UID = 2**32 - 3
_PORT = re.compile(r"(?P<number>[1-9][0-9]{0,4})/(tcp|udp)")
_MAX_PORT = 2**16 - 1
# The kernel accepts almost any name; systemd, Docker and the clouds use these.
_INTERFACE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,14}")
_BANNER = re.compile(r"[\n -~]*")
_TOKEN = "${Token["  # noqa: S105 # how CDK writes a value that is known at deployment


def texts(field: str, value: object, check: Callable[[str, str], None]) -> tuple[str, ...]:
    """Return checked strings as a tuple without duplicates.

    Args:
        field: the option's name.
        value: the option's value.
        check: raises ValueError for a string that is not allowed.

    Raises:
        ValueError: the value is not a list or tuple of strings, or a string is not allowed.

    Example:
        >>> texts("admin_users", ["a", "b", "a"], check_admin)
        ('a', 'b')

    """
    if isinstance(value, str):
        raise ValueError(
            f"{field} is the string {value!r}: a list or tuple of strings is allowed; write "
            f"{field}=[{value!r}]"
        )
    if not isinstance(value, Sequence) or isinstance(value, bytes | bytearray):
        raise ValueError(
            f"{field} is {value!r}: a list or tuple of strings is allowed; write {field}=['name']"
        )
    for item in value:
        if not isinstance(item, str):
            raise ValueError(
                f"{field} contains {item!r}: only strings are allowed; write {field}=['{item}']"
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
    """Refuse root, and a string that is not a login name.

    Args:
        field: the option's name.
        user: a login name.

    Raises:
        ValueError: the string is not a login name, or is root.

    """
    _check_login(field, user)
    if user == "root":
        raise ValueError(
            f"{field} contains 'root': root never logs in over SSH; write the login that "
            f"administrators use, {field}=['ec2-user']"
        )


def check_group(field: str, group: str) -> None:
    """Refuse a string that is not a group name.

    Args:
        field: the option's name.
        group: a group name.

    Raises:
        ValueError: the string is not a group name.

    """
    _check_login(field, group, "group", "wheel")


def check_imds_user(field: str, user: str) -> None:
    """Refuse a string that is neither a login name nor a uid.

    Args:
        field: the option's name.
        user: a login name or a decimal uid.

    Raises:
        ValueError: the string is neither.

    """
    if not user[:1].isdigit():
        _check_login(field, user)
    elif not _UID.fullmatch(user) or int(user) > _MAX_UID:
        raise ValueError(
            f"{field} contains {user!r}: a uid is a number from 0 to {_MAX_UID} without leading "
            f"zeros; write {field}=['1001'] or the user's name"
        )


def check_source(field: str, source: str) -> None:
    """Refuse a string that is neither a network interface's name nor a CIDR block.

    Args:
        field: the option's name.
        source: such as "docker0", "172.17.0.0/16" or "fd00:1::/64".

    Raises:
        ValueError: the string is neither, or is the CIDR block of all addresses.

    """
    if "/" not in source:
        if not _INTERFACE.fullmatch(source):
            raise ValueError(
                f"{field} contains {source!r}: an interface name has 1 to 15 letters, digits, "
                f"'_', '.' or '-' and begins with a letter, and a CIDR block has a '/'; "
                f"write {field}=['docker0'] or ['172.17.0.0/16']"
            )
        return
    try:
        network = ip_network(source)
    except ValueError as error:
        raise ValueError(
            f"{field} contains {source!r}, which is not a CIDR block ({error}): write "
            f"{field}=['172.17.0.0/16']"
        ) from None
    # nft and ip print the canonical form, with which the host compares.
    if str(network) != source or (isinstance(network, IPv6Network) and "." in source):
        raise ValueError(f"{field} contains {source!r}: write it as '{network.compressed}'")
    if network.prefixlen == 0:
        raise ValueError(
            f"{field} contains {source!r}, which is every address: write the containers' own CIDR "
            f"block, {field}=['172.17.0.0/16']"
        )


def check_port(field: str, port: str) -> None:
    """Refuse a string that is not a port with its protocol.

    Args:
        field: the option's name.
        port: such as "443/tcp".

    Raises:
        ValueError: the string is not a port with its protocol.

    """
    found = _PORT.fullmatch(port)
    if not found or int(found["number"]) > _MAX_PORT:
        raise ValueError(
            f"{field} contains {port!r}: a port is a number from 1 to {_MAX_PORT}, a slash, and "
            f"tcp or udp; write {field}=['443/tcp']"
        )


def check_banner(field: str, banner: object, boundary: str) -> None:
    """Refuse a banner that a terminal, sshd or cloud-init would change or interpret.

    Args:
        field: the option's name.
        banner: the text; line breaks are allowed.
        boundary: the boundary between the parts of the user data.

    Raises:
        ValueError: the banner is not a string, contains other characters than printable ASCII and
            line breaks, or contains the boundary or a CDK token.

    """
    if not isinstance(banner, str) or not _BANNER.fullmatch(banner):
        raise ValueError(
            f"{field} is {banner!r}: printable ASCII and line breaks are allowed, since terminals "
            f"interpret other characters; write {field}='Authorized use only.'"
        )
    if boundary in banner or _TOKEN in banner:
        raise ValueError(
            f"{field} is {banner!r}: it contains the boundary between the parts of the user data, "
            f"or a CDK token; write the text itself, {field}='Authorized use only.'"
        )


def check_choice(field: str, value: object, choices: object, advice: str) -> None:
    """Refuse a value that is not one of the choices.

    Args:
        field: the option's name.
        value: the option's value.
        choices: the allowed values, as a Literal.
        advice: what to write.

    Raises:
        ValueError: the value is not one of the choices.

    """
    allowed = get_args(choices)
    if value not in allowed or isinstance(value, bool):
        listed = ", ".join(map(repr, allowed[:-1]))
        raise ValueError(
            f"{field} is {value!r}: {listed} or {allowed[-1]!r} is allowed; write {advice}"
        )


def check_switch(field: str, value: object, *, optional: bool = False) -> None:
    """Refuse a value that is not True or False.

    Args:
        field: the option's name.
        value: the option's value.
        optional: whether None is allowed too.

    Raises:
        ValueError: the value is not a bool.

    """
    if not isinstance(value, bool) and not (optional and value is None):
        raise ValueError(f"{field} is {value!r}: only True or False is allowed; write {field}=True")
