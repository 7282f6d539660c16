"""PrependedUserData: the hardening in front of existing user data, if that is safe."""

import base64
import binascii
import gzip

import jsii
from aws_cdk import Annotations, CfnResource, IResolveContext, IStringProducer, Stack, Token
from aws_cdk import aws_ec2 as ec2
from constructs import IValidation

from hardened_ec2.host import HostHardening
from hardened_ec2.host.multipart import BOUNDARY
from hardened_ec2.servers.user_data import HardenedUserData, UserDataProperty

NOT_PREPENDED = "hardened-ec2:user-data-not-prepended"
"""The id of the warning about user data that stays as it is."""

_ABSENT = "\0"
"""Marks absent user data, as opposed to user data that somebody left empty."""


@jsii.implements(IStringProducer, IValidation)
class PrependedUserData:
    """A server's UserData property: the hardening, followed by the existing script.

    The existing user data is read when CDK writes the template, so commands that are added later
    are included. Only a shell script can follow the hardening. Other user data (``#cloud-config``,
    multipart, PowerShell, Bottlerocket's TOML, a value known only at deployment) stays as it is,
    with a warning.

    Args:
        construct: The L1 construct with the user data.
        existing: Its UserData property, which is base64, or None if it has none.
        hardening: The host hardening.

    Source: cloud-init, "User-Data Formats"; EC2 User Guide, "Run commands when you launch an EC2
        instance".

    Example::

        value = PrependedUserData(instance, instance.user_data, HostHardening())
        instance.user_data = Lazy.uncached_string(value)
        instance.node.add_validation(value)
    """

    def __init__(
        self, construct: CfnResource, existing: str | None, hardening: HostHardening
    ) -> None:
        self._construct = construct
        self._existing = existing
        self._hardening = hardening

    def produce(self, context: IResolveContext) -> str:
        """Return the property's value. CDK calls it when it writes the template."""
        text = self._text()
        if self._reason_against(text) is None:
            return self._property(text).produce(context)
        return self._existing or ""

    def validate(self) -> list[str]:
        """Return an error if the user data is too large for EC2. CDK calls it at synth.

        Returns:
            The error, or nothing. User data that stays as it is gets a warning instead.
        """
        text = self._text()
        reason = self._reason_against(text)
        if reason is None:
            return self._property(text).validate()
        if reason:
            Annotations.of(self._construct).add_warning_v2(
                NOT_PREPENDED,
                f"this host is not hardened at boot: its user data {reason}. Write the user data "
                "as a shell script (#!/bin/bash), or bake the hardening into the image and write "
                "host_hardening=None for this scope",
            )
        return []

    def _property(self, script: str | None) -> UserDataProperty:
        commands = None if script in (None, _ABSENT) else ec2.UserData.custom(str(script))
        return UserDataProperty(self._construct, HardenedUserData(self._hardening, commands))

    def _text(self) -> str | None:
        """Return the existing text with tokens, `_ABSENT`, or None if it cannot be read."""
        # CDK's launch template has a token here that can resolve to nothing.
        value = Stack.of(self._construct).resolve(self._existing)
        if value is None:
            return _ABSENT
        if isinstance(value, str):
            return _decoded(value)
        text = value.get("Fn::Base64") if isinstance(value, dict) else None
        if isinstance(text, dict) and text.get("Fn::Join", [None])[0] == "":
            parts = text["Fn::Join"][1]
            text = "".join(p if isinstance(p, str) else Token.as_string(p) for p in parts)
        return text if isinstance(text, str) else None

    def _reason_against(self, text: str | None) -> str | None:
        """Return why the hardening cannot go in front, or "" if it is already there."""
        if text is None:
            return "cannot be read at synth"
        if BOUNDARY in text:
            return ""
        if text == _ABSENT or text.startswith("#!"):
            return None
        if not text.strip():
            return "is empty, which images without cloud-init may need"
        return f"begins with {text.lstrip().splitlines()[0][:40]!r} and is not a shell script"


def _decoded(value: str) -> str | None:
    try:
        content = base64.b64decode(value, validate=True)
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
        return content.decode()
    except (binascii.Error, OSError, EOFError, UnicodeDecodeError):
        return None
