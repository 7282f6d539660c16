"""HardenedUserData: EC2 user data that runs the hardening before the user's commands."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import lru_cache
from weakref import WeakKeyDictionary

import aws_cdk as cdk
import jsii
from aws_cdk import Annotations, Fn, IResolveContext, IStringProducer, Lazy, Resource, Stack
from aws_cdk import aws_ec2 as ec2
from constructs import Construct, IValidation

from hardened_ec2.host import (
    USER_DATA_LIMIT,
    HostHardening,
    LifecycleSignal,
    ResourceSignal,
    user_data_size,
)
from hardened_ec2.host.multipart import has_tokens
from hardened_ec2.support.signature import own_signature

_SIZE = "hardened-ec2:user-data-size"
_SIZES: WeakKeyDictionary[Construct, _Sizes] = WeakKeyDictionary()
"""The known sizes, by the scope of the servers."""


@own_signature
class HardenedUserData(ec2.UserData):
    """EC2 user data that hardens the host before it runs the user's commands.

    It renders as a MIME multipart archive: first the host core as a ``#cloud-boothook`` part, which
    runs at every boot before sshd accepts connections, then the user's commands as a shell script,
    which cloud-init runs once, at the end of the first boot. Every method of `ec2.UserData` adds to
    that script.

    Source: cloud-init, "User-Data Formats"; AWS, "Run commands when you launch an EC2 instance".

    Example::

        user_data = HardenedUserData(HostHardening())
        user_data.add_commands("dnf install --assumeyes nginx")
        ec2.LaunchTemplate(self, "Template", user_data=user_data)
    """

    def __init__(
        self,
        hardening: HostHardening | None,
        commands: ec2.UserData | None = None,
        *,
        in_image: bool = False,
    ) -> None:
        """Create user data of a hardening, followed by commands.

        Args:
            hardening: The hardening of the host. None if the image contains it already: user data
                is then the commands alone.
            commands: Your own commands, created with ``ec2.UserData.for_linux()``. Default: none
                yet.
            in_image: Whether the image contains this hardening already, so that user data only
                verifies it. Values that are known only at deployment require delivery as text,
                which applies the hardening again and changes nothing on such an image. Default:
                False.

        Raises:
            ValueError: If ``commands`` is multipart, or not a Linux script: cloud-init runs only
                scripts with an interpreter line.
        """
        if isinstance(commands, ec2.MultipartUserData):
            raise ValueError(
                "user_data is ec2.MultipartUserData, but the hardening must be the first part of "
                "the only multipart archive: write user_data=ec2.UserData.for_linux() with the "
                "commands"
            )
        super().__init__()
        self.hardening = hardening
        self.in_image = in_image
        """Whether the image contains the hardening already."""
        self._signal: ResourceSignal | LifecycleSignal | None = None
        self._when_changed: Callable[[], None] | None = None
        # CDK's own class renders downloads and signals.
        self._commands = commands
        if commands is not None:
            self.render()  # refuses invalid commands here instead of at synth

    @property
    def signal(self) -> ResourceSignal | LifecycleSignal | None:
        """The signal with which the host reports the result of the hardening. None without one."""
        return self._signal

    @signal.setter
    def signal(self, signal: ResourceSignal | LifecycleSignal | None) -> None:
        self._signal = signal
        self._changes()

    def settled_until(self, changed: Callable[[], None]) -> bool:
        """Return whether user data is known before synth: no commands, and a signal without tokens.

        Args:
            changed: Called once, when this no longer holds.
        """
        settled = self._commands is None and (
            self._signal is None or not has_tokens(self._signal.arguments)
        )
        self._when_changed = changed if settled else None
        return settled

    @property
    def is_hardening_alone(self) -> bool:
        """Whether user data is the hardening alone, without commands and signal."""
        return self._commands is None and self._signal is None

    def _changes(self) -> None:
        changed, self._when_changed = self._when_changed, None
        if changed is not None:
            changed()

    def render(self) -> str:
        """Return the user data as text, with CDK tokens unresolved."""
        commands = "" if self._commands is None else self._commands.render()
        if self.hardening is None:
            return commands
        return self.hardening.render(commands, base64_at_deploy=Fn.base64, signal=self.signal)

    def deliver(self, scope: Construct) -> str | bytes:
        """Return user data as it is delivered: gzip, or text if it contains deploy-time values.

        Gzip leaves more room for commands. Only text can contain values that CloudFormation fills
        in at deployment. CDK tokens that resolve at synth, such as logical ids, allow gzip.

        Args:
            scope: The construct in whose stack the tokens are resolved.
        """
        if self.hardening is None:
            return self.render()
        commands = "" if self._commands is None else self._commands.render()
        signal = self.signal
        if has_tokens(commands):
            resolved = Stack.of(scope).resolve(commands)
            if not isinstance(resolved, str):
                return self.render()
            commands = resolved
        if signal is not None and has_tokens(signal.arguments):
            resolved = Stack.of(scope).resolve(
                {name: value for name, value in asdict(signal).items() if value is not None}
            )
            if not all(isinstance(value, str) for value in resolved.values()):
                return self.render()
            signal = replace(signal, **resolved)
        return self.hardening.compress(commands, signal=signal, in_image=self.in_image)

    @property
    def _linux(self) -> ec2.UserData:
        if self._commands is None:
            self._commands = ec2.UserData.for_linux()
            self._changes()
        return self._commands

    def add_commands(self, *commands: str) -> None:
        """Add shell commands.

        Args:
            commands: Lines of the shell script that runs after the hardening.
        """
        self._linux.add_commands(*commands)

    def add_on_exit_commands(self, *commands: str) -> None:
        """Add shell commands that run when the script exits, with success or failure.

        Args:
            commands: Lines of the shell script.
        """
        self._linux.add_on_exit_commands(*commands)

    def add_execute_file_command(self, *, file_path: str, arguments: str | None = None) -> None:
        """Add a command that runs a file.

        Args:
            file_path: The path of the file on the instance.
            arguments: Its arguments. Default: none.
        """
        self._linux.add_execute_file_command(file_path=file_path, arguments=arguments)

    def add_s3_download_command(
        self,
        *,
        bucket: cdk.interfaces.aws_s3.IBucketRef,
        bucket_key: str,
        local_file: str | None = None,
        region: str | None = None,
    ) -> str:
        """Add a command that downloads a file from S3.

        Args:
            bucket: The bucket; the instance needs a grant to read it.
            bucket_key: The key of the object.
            local_file: The path to download to. Default: a file in ``/tmp``.
            region: The bucket's Region. Default: the instance's.

        Returns:
            The path of the file on the instance.
        """
        return self._linux.add_s3_download_command(
            bucket=bucket, bucket_key=bucket_key, local_file=local_file, region=region
        )

    def add_signal_on_exit_command(self, resource: Resource) -> None:
        """Add a signal to CloudFormation when the script exits.

        Args:
            resource: The resource to signal.
        """
        self._linux.add_signal_on_exit_command(resource)


@jsii.implements(IStringProducer, IValidation)
class UserDataProperty:
    """The property UserData of an instance: base64 of gzip, or of text that contains tokens.

    Args:
        scope: The construct of the server.
        user_data: Its user data.

    Source: EC2 User Guide, "Run commands when you launch an EC2 instance"; CDK, "Lazy values".

    Example::

        UserDataProperty(instance, HardenedUserData(HostHardening())).write(
            lambda value: setattr(instance, "user_data", value), beside=self
        )
    """

    def __init__(self, scope: Construct, user_data: HardenedUserData) -> None:
        self._scope = scope
        self._user_data = user_data

    def write(self, write: Callable[[str], None], *, beside: Construct) -> None:
        """Write the property: its value if it is known now, otherwise a lazy value.

        CDK's node process calls back four times for each lazy value, the largest extra cost of a
        hardened server over a plain one.

        Args:
            write: Sets the property to a value.
            beside: The scope of the server and its siblings. Of those with user data of the same
                size, only the first states it.
        """
        sizes = _sizes_in(beside)

        def now_or_at_synth() -> None:
            if self._user_data.settled_until(now_or_at_synth):
                value, size = _delivered(self._user_data, self._scope)
                write(value)
                sizes.known(self._scope, size)
            else:
                write(Lazy.uncached_string(self))
                self._scope.node.add_validation(self)
                sizes.unknown(self._scope)

        now_or_at_synth()

    def produce(self, context: IResolveContext) -> str:  # noqa: ARG002 - CDK passes it
        """Return the property's value, for CDK to write into the template."""
        return _delivered(self._user_data, self._scope)[0]

    def validate(self) -> list[str]:
        """Return an error if user data is larger than EC2 allows.

        An allowed size is stated as an info annotation of the construct. Values that are known only
        at deployment count as empty, so that valid user data is accepted; the policy pack judges
        the rendered template again.

        Returns:
            The error, or an empty list.
        """
        delivered = self._user_data.deliver(self._scope)
        size = user_data_size(delivered)
        if size <= USER_DATA_LIMIT:
            _state(self._scope, size)
            return []
        hardening = self._user_data.hardening
        core = 0
        shorter = ""
        if hardening is not None:
            core = user_data_size(
                hardening.compress(in_image=self._user_data.in_image)
                if isinstance(delivered, bytes)
                else hardening.render()
            )
        if isinstance(delivered, str):
            shorter = (
                ", or keep values that are known only at deployment out of the commands, such as "
                "in SSM parameters: user data is then delivered as gzip"
            )
        complaint = (
            f"user data has {size:,} bytes ({core:,} of hardening, {size - core:,} of your "
            f"commands), and {USER_DATA_LIMIT:,} are allowed: bake the commands into the image, or "
            "keep them in S3 and download them with user_data.add_s3_download_command(...)"
        )
        return [complaint + shorter]


@jsii.implements(IValidation)
class _Sizes:
    """The user data sizes that are known before synth, each stated once in a scope."""

    def __init__(self) -> None:
        self._of: dict[Construct, int] = {}

    def known(self, server: Construct, size: int) -> None:
        self._of[server] = size

    def unknown(self, server: Construct) -> None:
        self._of.pop(server, None)

    def validate(self) -> list[str]:
        first = {size: server for server, size in reversed(self._of.items())}
        self._of = {}
        for size, server in first.items():
            _state(server, size)
        return []


def _sizes_in(scope: Construct) -> _Sizes:
    if scope not in _SIZES:
        _SIZES[scope] = _Sizes()
        scope.node.add_validation(_SIZES[scope])
    return _SIZES[scope]


def _state(server: Construct, size: int) -> None:
    Annotations.of(server).add_info_v2(
        _SIZE,
        f"user data: {size:,} of {USER_DATA_LIMIT:,} bytes, "
        f"{USER_DATA_LIMIT - size:,} left for your commands",
    )


def _delivered(user_data: HardenedUserData, scope: Construct) -> tuple[str, int]:
    """Return the value of the property, and the size that EC2 counts."""
    if user_data.is_hardening_alone:
        return _hardening_alone(user_data.hardening, user_data.in_image)
    return _as_value(user_data.deliver(scope))


@lru_cache
def _hardening_alone(hardening: HostHardening | None, in_image: bool) -> tuple[str, int]:  # noqa: FBT001 - a key of the cache
    return _as_value("" if hardening is None else hardening.compress(in_image=in_image))


def _as_value(delivered: str | bytes) -> tuple[str, int]:
    if isinstance(delivered, bytes):
        return base64.b64encode(delivered).decode(), user_data_size(delivered)
    return Fn.base64(delivered), user_data_size(delivered)
