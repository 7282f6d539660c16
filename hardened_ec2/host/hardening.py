"""HostHardening: the hardening that a server applies to itself at every boot."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

from hardened_ec2.host import options
from hardened_ec2.host.boothook import MARKER, head, packed_rest, readable_rest
from hardened_ec2.host.compressed import packed_member, stored
from hardened_ec2.host.controls.all import CONTROLS, Control, Profile, control
from hardened_ec2.host.multipart import BOUNDARY, has_tokens, multipart
from hardened_ec2.host.program import IMAGE, steps_of
from hardened_ec2.host.signal import LifecycleSignal, ResourceSignal

AllowTcpForwarding = Literal["yes", "local", "remote", "no"]
"""What sshd_config(5) allows for AllowTcpForwarding."""


@dataclass(frozen=True, kw_only=True)
class HostHardening:
    r"""The hardening of one Linux server, delivered as user data.

    At every boot, before sshd accepts logins, cloud-init runs a boothook that limits the instance
    metadata service to root and `imds_users`, makes user data and its copies readable only by
    root, allows SSH logins only by key, and applies the profile's other `controls`. It needs no
    network, no package and no Python. A setting that would lock the administrators out is reported
    and not installed, and settings that are stricter already stay.

    Args:
        profile: "core", "baseline" or "strict". Default: "baseline".
        admin_users: logins that must keep key access. Default: detected on the host.
        admin_groups: groups of which one member must keep key access. Default: none.
        imds_users: users or uids that may reach instance metadata, besides root. Default: none.
        imds_containers: interfaces or CIDR blocks of containers that may too. Default: none.
        open_ports: ports that the server serves besides SSH, "443/tcp". Default: none.
        allow_tcp_forwarding: sshd's AllowTcpForwarding. Default: "no" in strict, else "yes".
        x11_forwarding: whether sshd forwards X11. Default: False.
        ipv6: whether the server uses IPv6. Default: True.
        automatic_updates: whether security updates are applied automatically. Default: True.
        audit: whether audit rules are loaded. Default: only in strict.
        banner: a notice shown before login. Default: none.
        without: names of controls to leave out. Default: none.

    Raises:
        ValueError: an argument has another type or value than its attribute allows, an option
            needs a higher profile, or ``admin_users`` and ``admin_groups`` are both given.

    Source:
        sshd_config(5); EC2 User Guide, "Limit access to the instance metadata service";
        CIS Amazon Linux 2023 Benchmark, section 4.2; cloud-init, "Cloud boothook".

    Example:
        >>> hardening = HostHardening(admin_users=["ec2-user"], imds_users=["www-data"])
        >>> user_data = hardening.render("#!/bin/bash\nsystemctl enable --now nginx\n")
        >>> user_data.startswith("Content-Type: multipart/mixed;")
        True
        >>> [control.name for control in hardening.controls][:2]
        ['imds-lock', 'install']
    """

    profile: Profile = "baseline"
    """The controls to apply, see `Profile`."""

    admin_users: Sequence[str] = ()
    """Logins that must be able to log in by key; otherwise sshd's drop-in is not installed. In
    strict only they may log in over SSH. root is refused: it never logs in. Default: cloud-init's
    default user and every user with an authorized key, of whom one must be able to log in."""

    admin_groups: Sequence[str] = ()
    """Groups of administrators, instead of `admin_users`: one member must be able to log in by
    key. In strict only members may log in over SSH."""

    imds_users: Sequence[str] = ()
    """User names or numeric uids that may reach the instance metadata service, besides root.
    ``ec2-instance-connect`` and ``cwagent`` may as soon as they exist."""

    imds_containers: Sequence[str] = ()
    """Network interfaces ("docker0") or CIDR blocks ("172.17.0.0/16") whose forwarded traffic may
    reach the instance metadata service, for containers that use the instance's role."""

    open_ports: Sequence[str] = ()
    """Ports that the server serves besides SSH, such as "443/tcp". In strict the host firewall
    drops inbound traffic to all others; in baseline and strict a service that listens on one of
    these ports keeps running."""

    allow_tcp_forwarding: AllowTcpForwarding | None = None
    """sshd's AllowTcpForwarding and AllowStreamLocalForwarding: "yes", "local" (for a bastion),
    "remote" or "no". Default: "no" in strict, "yes" otherwise."""

    x11_forwarding: bool = False
    """Whether sshd forwards X11."""

    ipv6: bool = True
    """Whether the server uses IPv6. False disables router advertisements."""

    automatic_updates: bool = True
    """Whether security updates are applied automatically, in baseline and strict."""

    audit: bool | None = None
    """Whether audit rules are loaded, if auditd is installed. Default: only in strict."""

    banner: str = ""
    """A notice shown before login: printable ASCII and line breaks."""

    without: Sequence[str] = ()
    """Names of controls to leave out, from docs/CONTROLS.md. The core controls cannot be left
    out."""

    def __post_init__(self) -> None:
        # Tuples without duplicates make equal hardenings equal and hashable.
        for field, check in (
            ("admin_users", options.check_admin),
            ("admin_groups", options.check_group),
            ("imds_users", options.check_imds_user),
            ("imds_containers", options.check_source),
            ("open_ports", options.check_port),
            ("without", _check_left_out),
        ):
            object.__setattr__(self, field, options.texts(field, getattr(self, field), check))
        if self.admin_users and self.admin_groups:
            raise ValueError(
                f"admin_users is {self.admin_users!r} and admin_groups is {self.admin_groups!r}: "
                "sshd would admit only users who match both; write one of the two"
            )
        options.check_choice("profile", self.profile, Profile, "profile='baseline'")
        if self.allow_tcp_forwarding is not None:
            options.check_choice(
                "allow_tcp_forwarding",
                self.allow_tcp_forwarding,
                AllowTcpForwarding,
                "allow_tcp_forwarding='no' to forward nothing",
            )
        for field in ("x11_forwarding", "ipv6", "automatic_updates"):
            options.check_switch(field, getattr(self, field))
        options.check_switch("audit", self.audit, optional=True)
        options.check_banner("banner", self.banner, BOUNDARY)
        _refuse_beyond_core(self)

    @property
    def controls(self) -> tuple[Control, ...]:
        """The controls that the server applies, in order.

        Example:
            >>> "sshd" in {control.name for control in HostHardening().controls}
            True

        """
        wanted = {
            "audit-rules": self._audits,
            "security-updates": self.automatic_updates and self.profile != "core",
        } | dict.fromkeys(self.without, False)
        return tuple(
            each for each in CONTROLS if wanted.get(each.name, self.profile in each.profiles)
        )

    @property
    def _audits(self) -> bool:
        return self.profile == "strict" if self.audit is None else self.audit

    @property
    def program(self) -> Profile:
        """The smallest profile whose program has all `controls`: an option may need a higher one.

        Example:
            >>> HostHardening(audit=True).program
            'strict'

        """
        return next(
            profile
            for profile in get_args(Profile)
            if all(profile in each.profiles for each in self.controls)
        )

    def render(
        self,
        commands: str = "",
        *,
        base64_at_deploy: Callable[[str], str] | None = None,
        signal: ResourceSignal | LifecycleSignal | None = None,
    ) -> str:
        r"""Return user data as a MIME multipart text: the hardening, then the user's commands.

        The same input gives the same bytes. `user_data_size` returns the size to compare with
        `USER_DATA_LIMIT`. The commands reach the server unchanged, with CDK tokens resolved: plain
        ASCII as it is, everything else as base64.

        Args:
            commands: a script whose first line names an interpreter ("#!/bin/bash"), as
                `aws_ec2.UserData.for_linux().render()` returns it. It runs once, after the
                hardening, late in the first boot. Default: none.
            base64_at_deploy: encodes commands that contain both CDK tokens and non-ASCII
                characters: `aws_cdk.Fn.base64`. Default: such commands are refused.
            signal: the CloudFormation resource or the lifecycle hook that waits for the result.
                Default: none.

        Raises:
            ValueError: the commands have no interpreter line, contain the boundary between the
                parts, cannot be encoded as UTF-8, or need `base64_at_deploy`.

        Source:
            cloud-init, user-data formats; EC2 User Guide, "Run commands when you launch an EC2
            instance with user data input"; RFC 2045 and 2046.

        Example:
            >>> hardening = HostHardening()
            >>> user_data = hardening.render("#!/bin/sh\necho ready\n")
            >>> "echo ready" in user_data
            True

        """
        return multipart(
            _head(self, signal) + packed_rest(self.program), commands, base64_at_deploy
        )

    def compress(
        self,
        commands: str = "",
        *,
        signal: ResourceSignal | LifecycleSignal | None = None,
        in_image: bool = False,
    ) -> bytes:
        r"""Return user data as gzip, which cloud-init unpacks by itself.

        It holds the text of `render` with the program as plain text, and leaves more of
        `USER_DATA_LIMIT` for the commands. The same input gives the same bytes. EC2 expects them
        as base64, in a template and in an API call.

        Args:
            commands: as for `render`, without CDK tokens: CloudFormation cannot compress their
                values.
            signal: as for `render`, without CDK tokens. Default: none.
            in_image: whether the server's image carries the same hardening, from running its
                `installer` when the image was built. The boothook then only verifies this, and
                applies the hardening if the image carries another one or none. Default: False.

        Raises:
            ValueError: there is a CDK token, or `render` would refuse the arguments.

        Source:
            RFC 1952; cloud-init, user-data formats, "Gzip compressed content".

        Example:
            >>> import gzip
            >>> user_data = HostHardening().compress("#!/bin/sh\necho ready\n")
            >>> b"echo ready" in gzip.decompress(user_data)
            True

        """
        rest = readable_rest(self.program)
        text = multipart(_head(self, signal, in_image=in_image) + rest, commands, None)
        if has_tokens(text):
            raise ValueError(
                "the commands or the signal contain CDK tokens, whose values are known only after "
                "compression: write render(commands, base64_at_deploy=aws_cdk.Fn.base64)"
            )
        before, _, after = text.partition(rest)
        return stored(before) + packed_member(self.program) + stored(after)

    def installer(self) -> str:
        """Return the hardening as a program to run as root, for delivery other than user data.

        It is the same, byte for byte, as the boothook that cloud-init runs from `compress`. Image
        builds and Systems Manager deliver it. It applies the hardening, and installs itself as
        `hardened-ec2` for later boots.

        Example:
            >>> HostHardening().installer().startswith("#!/bin/sh")
            True

        """
        return self.installer_options + readable_rest(self.program)

    def compress_installer(self) -> bytes:
        """Return `installer` as gzip. The same input gives the same bytes.

        Source:
            RFC 1952.

        Example:
            >>> import gzip
            >>> hardening = HostHardening()
            >>> gzip.decompress(hardening.compress_installer()).decode() == hardening.installer()
            True

        """
        return stored(self.installer_options) + packed_member(self.program)

    @property
    def installer_options(self) -> str:
        """The first lines of `installer`, which end with the last option.

        Example:
            >>> HostHardening(without=["time-source"]).installer_options.splitlines()[-1]
            "WITHOUT='time-source'"

        """
        return _head(self, None).removeprefix(MARKER)

    def _variables(self) -> dict[str, str]:
        in_force = {each.name for each in self.controls}
        left_out = [name for name in steps_of(self.program).split() if name not in in_force]
        forwarding = self.allow_tcp_forwarding or ("no" if self.profile == "strict" else "yes")
        return {
            "PROFILE": self.profile,
            "ADMIN_USERS": " ".join(self.admin_users),
            "ADMIN_GROUPS": " ".join(self.admin_groups),
            "IMDS_USERS": " ".join(self.imds_users),
            "IMDS_CONTAINERS": " ".join(self.imds_containers),
            "OPEN_PORTS": " ".join(self.open_ports),
            "ALLOW_TCP_FORWARDING": forwarding,
            "X11_FORWARDING": _yes_no(self.x11_forwarding),
            "IPV6": _yes_no(self.ipv6),
            "AUTOMATIC_UPDATES": _yes_no(self.automatic_updates),
            "AUDIT": _yes_no(self._audits),
            "BANNER": self.banner,
            "WITHOUT": " ".join(left_out),
        }


def _yes_no(value: bool) -> str:  # noqa: FBT001 # the value itself is written
    return "yes" if value else "no"


@lru_cache(maxsize=64)
def _head(
    hardening: HostHardening,
    signal: ResourceSignal | LifecycleSignal | None,
    *,
    in_image: bool = False,
) -> str:
    # A function, so that equal hardenings share the cached text.
    variables = hardening._variables()  # noqa: SLF001
    files = []
    if signal is not None:
        variables["SIGNAL"] = signal.arguments
        files.append(signal.program)
    if in_image:
        variables["IMAGE"] = hashlib.sha256(hardening.installer().encode()).hexdigest()
        files.append(IMAGE)
    return head(variables, *files)


def _refuse_beyond_core(hardening: HostHardening) -> None:
    if hardening.profile != "core":
        return
    for name, given in (
        ("open_ports", hardening.open_ports),
        ("banner", hardening.banner),
        ("ipv6", not hardening.ipv6),
    ):
        if given:
            raise ValueError(
                f"{name} is {getattr(hardening, name)!r} with profile='core', which has no control "
                f"that uses it: write profile='baseline' or 'strict' as well, or leave {name} out"
            )


def _check_left_out(field: str, name: str) -> None:
    try:
        found = control(name)
    except ValueError as error:
        raise ValueError(f"{field}: {error}") from None
    if found.core:
        raise ValueError(
            f"{field} contains {name!r}, a core control, which cannot be left out: remove it from "
            f"{field}, or write host_hardening=None for a server that is hardened by other means"
        )
