"""HostHardening: what the server does to itself at every boot, as user data."""

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

    At every boot, before sshd accepts anyone, cloud-init runs a boothook that closes the instance
    metadata service to all but root and `imds_users` (IPv4, IPv6, forwarded traffic), makes user
    data and its copies readable for root only, lets sshd accept keys only, and applies the other
    controls of the profile; `controls` lists them. It needs no network, no package and no Python,
    and takes nothing back that a server had before: whatever would lock the administrators out is
    not installed, and reported.

    On the server `hardened-ec2 status` prints what became of each step, `hardened-ec2 apply`
    applies it again, and `hardened-ec2 program` prints what is run.

    Args:
        profile: "core" is the metadata, user data and SSH; "baseline" adds what breaks nothing
            that a general server needs; "strict" is like CIS level 2 or a STIG. Default:
            "baseline".
        admin_users: logins that must still be able to log in by key, or the sshd part is not
            installed. In strict nobody else may log in over SSH. Default: detected on the host,
            cloud-init's default user and every user who has an authorized key; of those, one must
            be able to.
        admin_groups: groups of administrators, in place of `admin_users`: one member must be able
            to log in by key, and in strict nobody else may. Default: none.
        imds_users: user names or numeric uids that may reach the instance metadata service
            beside root. `ec2-instance-connect` and `cwagent` may as soon as they exist.
            Default: nobody else.
        imds_containers: interfaces ("docker0") or blocks of addresses ("172.17.0.0/16") whose
            forwarded traffic may reach the instance metadata service, for containers that have
            to use the instance's role. Default: none.
        open_ports: ports that the server serves beside SSH ("443/tcp"). In strict the host's
            firewall drops what comes in for any other; in baseline and strict a listener on a
            declared port is left running. Default: none.
        allow_tcp_forwarding: sshd's AllowTcpForwarding, and the same for sockets: "yes", "local"
            (a bastion: outwards only), "remote" or "no". Default: "no" in strict,
            "yes" otherwise.
        x11_forwarding: whether sshd forwards X11. Default: False.
        ipv6: whether the server speaks IPv6; False switches router advertisements off.
            Default: True.
        automatic_updates: whether security updates are applied by themselves, in baseline and
            strict. Default: True.
        audit: whether the audit rules are loaded, where auditd is installed. Default: in strict.
        banner: a notice before the login. Default: none.
        without: names of controls to leave out, of those that `controls` lists. The core (metadata,
            user data, SSH) cannot be left out. Default: none.

    Raises:
        ValueError: a value is not of the kind that is said above. A text where a sequence of
            texts belongs, root as administrator (root never logs in), anything that is not a
            plain login name or uid, a control that there is none of, or one of the core.

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
    admin_users: Sequence[str] = ()
    admin_groups: Sequence[str] = ()
    imds_users: Sequence[str] = ()
    imds_containers: Sequence[str] = ()
    open_ports: Sequence[str] = ()
    allow_tcp_forwarding: AllowTcpForwarding | None = None
    x11_forwarding: bool = False
    ipv6: bool = True
    automatic_updates: bool = True
    audit: bool | None = None
    banner: str = ""
    without: Sequence[str] = ()

    def __post_init__(self) -> None:
        # Tuples without repetitions, so that equal hardenings are equal and hashable.
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
                "admin_users and admin_groups are both given: sshd would let in only who is named "
                "in both; name the users or the groups"
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
        """The controls in force, in the order in which the server applies them.

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
        """The smallest program that has every control in force: an option may ask for more.

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
            signal: the resource of a CloudFormation stack, or the lifecycle hook of an Auto
                Scaling group, that waits for the result. Default: none does.

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
        r"""Return the user data as gzip, which cloud-init unpacks by itself.

        It holds the text of `render`, with the program as it is instead of packed, and leaves more
        of `USER_DATA_LIMIT` to the commands. The same input gives the same bytes. EC2 wants
        them as base64, in a template or in an API call.

        Args:
            commands: as `render` takes them, without CDK tokens: what they stand for would have to
                be compressed at deployment, and CloudFormation cannot.
            signal: as `render` takes it, without CDK tokens. Default: none.
            in_image: whether the server's image carries this very hardening (its `installer` was
                run when it was built). The boothook then only verifies that, and applies the
                hardening where the image turns out to have another one, or none. Default: False.

        Raises:
            ValueError: there is a CDK token, or what `render` would refuse.

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
                "the commands contain CDK tokens, whose values would be compressed before they are "
                "known: write render(commands, base64_at_deploy=aws_cdk.Fn.base64)"
            )
        before, _, after = text.partition(rest)
        return stored(before) + packed_member(self.program) + stored(after)

    def installer(self) -> str:
        """Return the hardening as a program to run as root, where no user data bring it.

        It is, byte for byte, what cloud-init takes out of `compress` and runs: an image's build
        and Systems Manager deliver the same program. It applies the hardening and installs itself
        as `hardened-ec2`, for the boots to come.

        Example:
            >>> HostHardening().installer().startswith("#!/bin/sh")
            True

        """
        return self.installer_options + readable_rest(self.program)

    def compress_installer(self) -> bytes:
        """Return `installer` as gzip; the same input gives the same bytes.

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
        """How `installer` begins, as does every program of the same options: up to the last option.

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


def _yes_no(value: bool) -> str:  # noqa: FBT001 # it is the value that is written
    return "yes" if value else "no"


@lru_cache(maxsize=64)
def _head(
    hardening: HostHardening,
    signal: ResourceSignal | LifecycleSignal | None,
    *,
    in_image: bool = False,
) -> str:
    # Cached beside the class, not in each object.
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
                f"that heeds it: write profile='baseline' or 'strict' as well, or leave {name} out"
            )


def _check_left_out(field: str, name: str) -> None:
    try:
        found = control(name)
    except ValueError as error:
        raise ValueError(f"{field}: {error}") from None
    if found.core:
        raise ValueError(
            f"{field} contains {name!r}, which is of the core and cannot be switched off: leave it "
            f"out of {field}, or write host_hardening=None for a server that is hardened otherwise"
        )
