"""HostHardening: what the server does to itself at every boot, as user data."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

from hardened_ec2.host.boothook import boothook
from hardened_ec2.host.multipart import multipart

AllowTcpForwarding = Literal["yes", "local", "remote", "no"]
"""What sshd_config(5) allows for AllowTcpForwarding."""

# useradd(8): 32 characters; dots and capitals are accepted by every distribution that is served.
_LOGIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}")
_UID = re.compile(r"0|[1-9][0-9]{0,9}")
# The two highest numbers are no user's: -1 is "unchanged" in chown(2), -2 is what the payload
# asks the kernel about to see whether the lock holds.
_MAX_UID = 2**32 - 3


@dataclass(frozen=True, kw_only=True)
class HostHardening:
    r"""The hardening of one Linux server, delivered as user data.

    At every boot, before sshd accepts anyone, cloud-init runs a boothook that closes the instance
    metadata service to all but root and `imds_users` (IPv4, IPv6, forwarded traffic), makes user
    data and its copies readable for root only, and lets sshd accept keys only. It needs no
    network, no package and no Python, and takes nothing back that a server had before: whatever
    would lock the administrators out is not installed, and reported.

    Args:
        admin_users: logins that must still be able to log in by key, or the sshd part is not
            installed. Default: detected on the host, cloud-init's default user and every user
            who has an authorized key; of those, one must be able to.
        imds_users: user names or numeric uids that may reach the instance metadata service
            beside root. `ec2-instance-connect` and `cwagent` may as soon as they exist.
            Default: nobody else.
        allow_tcp_forwarding: sshd's AllowTcpForwarding: "yes", "local" (a bastion: outwards
            only), "remote" or "no". Default: "yes".

    Raises:
        ValueError: a value is not of the kind that is said above. A text where a sequence of
            texts belongs, root as administrator (root never logs in), or anything that is not a
            plain login name or uid.

    Source:
        sshd_config(5); EC2 User Guide, "Limit access to the instance metadata service";
        CIS Amazon Linux 2023 Benchmark, section 4.2; cloud-init, "Cloud boothook".

    Example:
        >>> hardening = HostHardening(admin_users=["ec2-user"], imds_users=["www-data"])
        >>> user_data = hardening.render("#!/bin/bash\nsystemctl enable --now nginx\n")
        >>> user_data.startswith("Content-Type: multipart/mixed;")
        True

    """

    admin_users: Sequence[str] = ()
    imds_users: Sequence[str] = ()
    allow_tcp_forwarding: AllowTcpForwarding = "yes"

    def __post_init__(self) -> None:
        # Tuples without repetitions, so that equal hardenings are equal and hashable.
        for field, check in (("admin_users", _check_admin), ("imds_users", _check_imds_user)):
            users = _texts(field, getattr(self, field))
            for user in users:
                check(field, user)
            object.__setattr__(self, field, users)
        if self.allow_tcp_forwarding not in get_args(AllowTcpForwarding):
            raise ValueError(
                f"allow_tcp_forwarding is {self.allow_tcp_forwarding!r}: sshd allows 'yes', "
                "'local', 'remote' or 'no'; write allow_tcp_forwarding='no' to forward nothing"
            )

    def render(
        self, commands: str = "", *, base64_at_deploy: Callable[[str], str] | None = None
    ) -> str:
        r"""Return the user data: the hardening, then the user's own commands if there are any.

        The same input gives the same bytes. The text is multipart; `user_data_size` tells how
        much of `USER_DATA_LIMIT` it takes. The commands arrive on the server as they were given,
        with CDK tokens replaced by what they stand for: plain ASCII is delivered as it is,
        everything else as base64, which is what cloud-init reads without loss.

        Args:
            commands: a whole script, its first line an interpreter ("#!/bin/bash"), as
                `aws_ec2.UserData.for_linux().render()` returns it. It runs once, after the
                hardening, late in the first boot. Default: none.
            base64_at_deploy: encodes commands that have both CDK tokens and non-ASCII
                characters; give `aws_cdk.Fn.base64`. Default: such commands are refused.

        Raises:
            ValueError: the commands have no interpreter line, contain the boundary between the
                parts, are not text that UTF-8 can write, or need `base64_at_deploy`.

        Source:
            cloud-init, user-data formats; EC2 User Guide, "Run commands when you launch an EC2
            instance with user data input"; RFC 2045 and 2046.

        Example:
            >>> hardening = HostHardening()
            >>> user_data = hardening.render("#!/bin/sh\necho ready\n")
            >>> "echo ready" in user_data
            True

        """
        return multipart(_core(self), commands, base64_at_deploy)


@lru_cache(maxsize=64)
def _core(hardening: HostHardening) -> str:
    return boothook(
        {
            "ADMIN_USERS": " ".join(hardening.admin_users),
            "IMDS_USERS": " ".join(hardening.imds_users),
            "ALLOW_TCP_FORWARDING": hardening.allow_tcp_forwarding,
        }
    )


def _texts(field: str, value: object) -> tuple[str, ...]:
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
    return tuple(dict.fromkeys(value))


def _check_login(field: str, user: str) -> None:
    if not _LOGIN.fullmatch(user):
        raise ValueError(
            f"{field} contains {user!r}: a user name has 1 to 32 letters, digits, '_', '.' or '-' "
            f"and begins with a letter or '_'; write the name as in /etc/passwd, "
            f"{field}=['ec2-user']"
        )


def _check_admin(field: str, user: str) -> None:
    _check_login(field, user)
    if user == "root":
        raise ValueError(
            f"{field} contains 'root': root never logs in over SSH; write the login that "
            f"administrators use, {field}=['ec2-user']"
        )


def _check_imds_user(field: str, user: str) -> None:
    if not user[:1].isdigit():
        _check_login(field, user)
    elif not _UID.fullmatch(user) or int(user) > _MAX_UID:
        raise ValueError(
            f"{field} contains {user!r}: a uid is a number from 0 to {_MAX_UID} without leading "
            f"zeros; write {field}=['1001'] or the user's name"
        )
