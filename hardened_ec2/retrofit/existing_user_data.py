"""User data that somebody else wrote: the hardening goes in front where that is safe."""

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
"""The id of the warning where user data was left as it is."""

_ABSENT = "\0"
"""Stands for user data that nobody gave: empty ones are somebody's choice."""


@jsii.implements(IStringProducer, IValidation)
class PrependedUserData:
    """The property UserData of a server: the hardening, then what was there.

    It is looked at when the template is written, so commands that are added after this was made
    are in it. Only a shell script can follow the hardening: anything else (``#cloud-config``,
    multipart, PowerShell, Bottlerocket's TOML, a value that only CloudFormation knows) is left as
    it is, with a warning that says so.

    Args:
        construct: The L1 construct that has the user data.
        existing: Its property UserData, which is base64. None where it has none.
        hardening: What to do on the host.

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
        """Return the property's value, when CDK writes the template."""
        text = self._text()
        if self._reason_against(text) is None:
            return self._property(text).produce(context)
        return self._existing or ""

    def validate(self) -> list[str]:
        """Return what is wrong at synth: user data that EC2 would refuse for its size.

        Returns:
            The complaint, or nothing. User data that were left as they are get a warning instead.
        """
        text = self._text()
        reason = self._reason_against(text)
        if reason is None:
            return self._property(text).validate()
        if reason:
            Annotations.of(self._construct).add_warning_v2(
                NOT_PREPENDED,
                f"the hardening is not in the user data, which {reason}: nothing hardens this host "
                "at boot. Write the user data as a shell script (#!/bin/bash), or bake the "
                "hardening into the image and write host_hardening=None for this scope",
            )
        return []

    def _property(self, script: str | None) -> UserDataProperty:
        commands = None if script in (None, _ABSENT) else ec2.UserData.custom(str(script))
        return UserDataProperty(self._construct, HardenedUserData(self._hardening, commands))

    def _text(self) -> str | None:
        """Read what is there: text with tokens, nothing, or None where it cannot be read."""
        # CDK's launch template has a token there that turns out to be nothing.
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
        """Say why the hardening cannot go in front; an empty text where it is there already."""
        if text is None:
            return "is only known at deployment"
        if BOUNDARY in text:
            return ""
        if text == _ABSENT or text.startswith("#!"):
            return None
        if not text.strip():
            return "is empty, as it is for images that read none of cloud-init's"
        return f"begins with {text.lstrip().splitlines()[0][:40]!r} and is no shell script"


def _decoded(value: str) -> str | None:
    try:
        content = base64.b64decode(value, validate=True)
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
        return content.decode()
    except (binascii.Error, OSError, EOFError, UnicodeDecodeError):
        return None
