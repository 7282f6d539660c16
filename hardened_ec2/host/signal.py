"""ResourceSignal and LifecycleSignal: who waits for the result of a host's first boot."""

import re
from dataclasses import dataclass
from typing import ClassVar

_TOKEN = r"\$\{Token\[[^\]']*\]\}"  # noqa: S105 - how CDK writes a value that is known at deployment
# A stack's name, logical id or region as CloudFormation allows it, or CDK tokens for one.
_NAME = re.compile(rf"[A-Za-z][A-Za-z0-9-]*|({_TOKEN})+")
# The subset of EC2 Auto Scaling's names that a shell needs no quotes for.
_GROUP = re.compile(rf"([A-Za-z0-9_./-]|{_TOKEN})+")
_HOOK = re.compile(r"[A-Za-z0-9_/-]+")


@dataclass(frozen=True, kw_only=True)
class ResourceSignal:
    """A CloudFormation resource whose creation waits for a signal from the host.

    The host signals once, at the end of its first boot: success if every step of the hardening and
    cloud-init, including the user's commands, succeeded, otherwise failure.

    It uses cfn-signal, which Amazon Linux includes. cfn-signal authenticates with the instance
    identity document, so the role needs no permission, but it must reach CloudFormation: a subnet
    without internet access needs an interface endpoint. If cfn-signal is missing or cannot reach
    CloudFormation, no signal is sent, and the stack fails at its timeout.

    Args:
        stack: the stack's name, or a CDK token.
        resource: the resource's logical id, or a CDK token.
        region: the stack's Region, or a CDK token. Default: the host's own.

    Raises:
        ValueError: an argument is neither a name nor a CDK token.

    Source:
        CloudFormation Template Reference, "cfn-signal", "CreationPolicy attribute".

    Example:
        >>> ResourceSignal(stack="Shop", resource="Server1", region="eu-west-1").arguments
        '--stack Shop --resource Server1 --region eu-west-1'

    """

    program: ClassVar[str] = "signal.sh"
    """The payload file that sends the signal."""

    stack: str
    resource: str
    region: str | None = None

    def __post_init__(self) -> None:
        _check_name("stack", self.stack)
        _check_name("resource", self.resource)
        _check_region(self.region)

    @property
    def arguments(self) -> str:
        """cfn-signal's options that name the resource."""
        return f"--stack {self.stack} --resource {self.resource}{_region_option(self.region)}"


@dataclass(frozen=True, kw_only=True)
class LifecycleSignal:
    """A lifecycle hook that keeps a new server out of service until the host completes it.

    The host completes the hook with CONTINUE at the end of a boot in which every step of the
    hardening and cloud-init, including the user's commands, succeeded. It sends nothing else: the
    hook's default result must be ABANDON, so that the group terminates a server that fails, hangs
    or cannot reach EC2 Auto Scaling when the hook times out.

    It uses the AWS CLI, which Amazon Linux includes, except in its minimal images. The role needs
    ``autoscaling:CompleteLifecycleAction`` on the group, and a subnet without internet access needs
    an interface endpoint for EC2 Auto Scaling.

    Args:
        group: the group's name; it may be or contain a CDK token.
        hook: the hook's name.
        region: the group's Region, or a CDK token. Default: the host's own.

    Raises:
        ValueError: an argument is neither such a name nor a CDK token.

    Source:
        EC2 Auto Scaling User Guide, "Complete a lifecycle action"; AWS CLI Reference, "autoscaling
        complete-lifecycle-action".

    Example:
        >>> LifecycleSignal(group="Shop-Web", hook="hardening").arguments
        '--auto-scaling-group-name Shop-Web --lifecycle-hook-name hardening'

    """

    program: ClassVar[str] = "lifecycle.sh"
    """The payload file that completes the hook."""

    group: str
    hook: str
    region: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.group, str) or not _GROUP.fullmatch(self.group):
            raise ValueError(
                f"group is {self.group!r}: letters, digits, '-', '_', '.' and '/' are allowed, or "
                "a CDK token; write group='Shop-Web'"
            )
        if not isinstance(self.hook, str) or not _HOOK.fullmatch(self.hook):
            raise ValueError(
                f"hook is {self.hook!r}: letters, digits, '-', '_' and '/' are allowed; write "
                "hook='hardening'"
            )
        _check_region(self.region)

    @property
    def arguments(self) -> str:
        """The options of ``aws autoscaling complete-lifecycle-action`` that name the hook."""
        return (
            f"--auto-scaling-group-name {self.group} --lifecycle-hook-name {self.hook}"
            f"{_region_option(self.region)}"
        )


def _check_region(region: object) -> None:
    if region is not None:
        _check_name("region", region)


def _check_name(field: str, value: object) -> None:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError(
            f"{field} is {value!r}: letters, digits and '-' are allowed, or a CDK token; "
            f"write {field}='Shop'"
        )


def _region_option(region: str | None) -> str:
    return "" if region is None else f" --region {region}"
