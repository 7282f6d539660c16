"""HardenedUserData: the hardening first, then the user's own commands."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import asdict, replace
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

_SIZE = "hardened-ec2:user-data-size"
_STATED: WeakKeyDictionary[Construct, set[int]] = WeakKeyDictionary()
"""Sizes that were stated, by where the servers stand."""


class HardenedUserData(ec2.UserData):
    """User data that hardens the host before it runs anything else.

    It renders as multipart: the host core as a ``#cloud-boothook`` part, which runs at every boot
    before sshd accepts anyone, then the user's commands as a shell script, which cloud-init runs
    once, at the end of the first boot. Every method of `ec2.UserData` adds to that script.

    Args:
        hardening: What to do on the host. None where the image carries it already: the user data
            then are the commands alone.
        commands: Commands of your own, made with ``ec2.UserData.for_linux()``. Default: none yet.
        in_image: Whether the image has this hardening in it already, so that it is only verified.
            Values that only the deployment knows make it text, which applies it again; on such an
            image that changes nothing. Default: False.

    Raises:
        ValueError: If ``commands`` are multipart already, or no script of Linux's: without an
            interpreter line cloud-init would not run them.

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
        if isinstance(commands, ec2.MultipartUserData):
            raise ValueError(
                "user_data is ec2.MultipartUserData, but the hardening has to be the first part of "
                "the only multipart: pass the commands as ec2.UserData.for_linux()"
            )
        super().__init__()
        self.hardening = hardening
        self.in_image = in_image
        """Whether the image has the hardening in it already."""
        self._signal: ResourceSignal | LifecycleSignal | None = None
        self._when_changed: Callable[[], None] | None = None
        # Kept in CDK's own class, so that its downloads and signals render as anywhere else.
        self._commands = commands
        if commands is not None:
            self.render()  # refuses now, where the mistake is, what it would refuse at synth

    @property
    def signal(self) -> ResourceSignal | LifecycleSignal | None:
        """What waits for the host to say how the hardening went."""
        return self._signal

    @signal.setter
    def signal(self, signal: ResourceSignal | LifecycleSignal | None) -> None:
        self._signal = signal
        self._changes()

    def settled_until(self, changed: Callable[[], None]) -> bool:
        """Tell whether it is all known now: the hardening alone, and whom to signal to by name.

        Args:
            changed: Called once, when that is so no more.
        """
        settled = self._commands is None and (
            self._signal is None or not has_tokens(self._signal.arguments)
        )
        self._when_changed = changed if settled else None
        return settled

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
        """Return what the instance gets: gzip, or text where the template has tokens in it.

        Gzip leaves more room to the commands; values that CloudFormation fills in at deployment
        can stand in a text only. CDK tokens that are resolved at synth, such as logical ids, are
        no reason for text.

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
            commands: Lines of the script that runs after the hardening.
        """
        self._linux.add_commands(*commands)

    def add_on_exit_commands(self, *commands: str) -> None:
        """Add shell commands that run when the script ends, however it ends.

        Args:
            commands: Lines of shell.
        """
        self._linux.add_on_exit_commands(*commands)

    def add_execute_file_command(self, *, file_path: str, arguments: str | None = None) -> None:
        """Add a command that runs a file.

        Args:
            file_path: The file, on the instance.
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
            local_file: Where to put it. Default: a file in ``/tmp``.
            region: The bucket's region. Default: the instance's.

        Returns:
            The path of the file on the instance.
        """
        return self._linux.add_s3_download_command(
            bucket=bucket, bucket_key=bucket_key, local_file=local_file, region=region
        )

    def add_signal_on_exit_command(self, resource: Resource) -> None:
        """Add a signal to CloudFormation when the script ends.

        Args:
            resource: The resource to signal.
        """
        self._linux.add_signal_on_exit_command(resource)


@jsii.implements(IStringProducer, IValidation)
class UserDataProperty:
    """The property UserData of an instance: base64 of gzip, or of text with tokens in it.

    Args:
        scope: The construct that has the user data.
        user_data: Them.

    Source: EC2 User Guide, "Run commands when you launch an EC2 instance"; CDK, "Lazy values".

    Example::

        UserDataProperty(instance, HardenedUserData(HostHardening())).write(
            lambda value: setattr(instance, "user_data", value), beside=self
        )
    """

    def __init__(self, scope: Construct, user_data: HardenedUserData) -> None:
        self._scope = scope
        self._user_data = user_data
        self._size_stated: int | None = None
        self._times_written = 0

    def write(self, write: Callable[[str], None], *, beside: Construct) -> None:
        """Write the property: at once where it is known, and as what CDK asks for at synth if not.

        Asking crosses from CDK's own process four times for each server, which takes longer than
        all else that a server is more than one made by hand.

        Args:
            write: Writes a value into the property.
            beside: Where the construct stands, with others that have the same user data: their size
                is stated for the first of them.
        """
        sizes = _STATED.setdefault(beside, set())

        def now_or_at_synth() -> None:
            self._withdraw(sizes)
            if self._user_data.settled_until(now_or_at_synth):
                delivered = self._user_data.deliver(self._scope)
                write(self._value(delivered))
                self._state_once(user_data_size(delivered), sizes)
            else:
                write(Lazy.uncached_string(self))
                self._scope.node.add_validation(self)

        now_or_at_synth()

    def produce(self, context: IResolveContext) -> str:  # noqa: ARG002 - CDK passes it
        """Return the property's value, when CDK writes the template."""
        return self._value(self._user_data.deliver(self._scope))

    def _value(self, delivered: str | bytes) -> str:
        if isinstance(delivered, bytes):
            return base64.b64encode(delivered).decode()
        return Fn.base64(delivered)

    def _state_once(self, size: int, sizes: set[int]) -> None:
        self._times_written += 1
        if size not in sizes:
            sizes.add(size)
            self._size_stated = size
            self._state(self._name_now, size)

    def _withdraw(self, sizes: set[int]) -> None:
        """Take back what was stated: it is this server's size no more, maybe the next one's."""
        if self._size_stated is not None:
            Annotations.of(self._scope).acknowledge_info(self._name_now)
            sizes.discard(self._size_stated)
            self._size_stated = None

    @property
    def _name_now(self) -> str:
        # A name that was acknowledged cannot be used again.
        return f"{_SIZE}-{self._times_written}"

    def _state(self, name: str, size: int) -> None:
        Annotations.of(self._scope).add_info_v2(
            name,
            f"user data: {size:,} of {USER_DATA_LIMIT:,} bytes, "
            f"{USER_DATA_LIMIT - size:,} left for your commands",
        )

    def validate(self) -> list[str]:
        """Return what is wrong at synth: a size that EC2 would refuse at deployment.

        A size that EC2 takes is stated, as an info of the construct. Values that are only known at
        deployment count as nothing, so that nothing sound is refused; the policy pack judges the
        rendered template again.

        Returns:
            The complaint, or nothing.
        """
        delivered = self._user_data.deliver(self._scope)
        size = user_data_size(delivered)
        if size <= USER_DATA_LIMIT:
            self._state(_SIZE, size)
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
                ", or keep values that are only known at deployment out of the commands (in SSM "
                "parameters, say): user data without them travel as gzip"
            )
        complaint = (
            f"user data has {size:,} bytes ({core:,} of hardening, {size - core:,} of your "
            f"commands) where EC2 takes {USER_DATA_LIMIT:,}: bake the commands into the image, or "
            "keep them in S3 and fetch them with user_data.add_s3_download_command(...)"
        )
        return [complaint + shorter]
