"""Where the result of a host's hardening is awaited: ResourceSignal and LifecycleSignal."""

import re
from dataclasses import dataclass
from typing import ClassVar

_TOKEN = r"\$\{Token\[[^\]']*\]\}"  # noqa: S105 - how CDK writes a value that only the deployment knows
# What CloudFormation allows in these names; or CDK tokens, which stand for such a name.
_NAME = re.compile(rf"[A-Za-z][A-Za-z0-9-]*|({_TOKEN})+")
# What EC2 Auto Scaling allows, but for what a shell would read as something else.
_GROUP = re.compile(rf"([A-Za-z0-9_./-]|{_TOKEN})+")
_HOOK = re.compile(r"[A-Za-z0-9_/-]+")


@dataclass(frozen=True, kw_only=True)
class ResourceSignal:
    """A resource of a CloudFormation stack that waits for the host to say how it went.

    The host says it once, at the end of its first boot: success if every step of the hardening
    and cloud-init itself, with the user's own commands, went well, and otherwise failure.

    It is said by cfn-signal, which Amazon Linux brings. It proves by the instance's identity
    document that it belongs to the stack, so the role needs no permission, but it has to reach
    CloudFormation: from a subnet without a way out that takes an interface endpoint. Where it is
    missing or does not get through, nothing is said, and the stack fails at its timeout.

    Args:
        stack: the stack's name.
        resource: the resource's logical id.
        region: the stack's region. Default: the one that the host finds itself in.

    Raises:
        ValueError: one of them is no name and no CDK token that stands for one.

    Source:
        CloudFormation Template Reference, "cfn-signal", "CreationPolicy attribute".

    Example:
        >>> ResourceSignal(stack="Shop", resource="Server1", region="eu-west-1").arguments
        '--stack Shop --resource Server1 --region eu-west-1'

    """

    program: ClassVar[str] = "signal.sh"
    """The file of the payload that gives the signal."""

    stack: str
    resource: str
    region: str | None = None

    def __post_init__(self) -> None:
        _check_name("stack", self.stack)
        _check_name("resource", self.resource)
        _check_region(self.region)

    @property
    def arguments(self) -> str:
        """The options of cfn-signal that name the resource."""
        return f"--stack {self.stack} --resource {self.resource}{_region_option(self.region)}"


@dataclass(frozen=True, kw_only=True)
class LifecycleSignal:
    """A lifecycle hook of an Auto Scaling group that waits for the host to say that it is well.

    The host says so at the end of a boot in which every step of the hardening and cloud-init
    itself, with the user's own commands, went well; the group then takes it into service. Nothing
    else is ever said: whoever fails, hangs or cannot get through is ended by the group when the
    hook times out, whose default result has to be ABANDON.

    It is said with the AWS CLI, which Amazon Linux brings (but its minimal images do not). The role
    needs ``autoscaling:CompleteLifecycleAction`` on the group, and the host a way to EC2 Auto
    Scaling: from a subnet without a way out that takes an interface endpoint.

    Args:
        group: the group's name.
        hook: the hook's name.
        region: the group's region. Default: the one that the host finds itself in.

    Raises:
        ValueError: one of them is no such name. A CDK token may stand for the group's name, or for
            a part of it, and for the region.

    Source:
        EC2 Auto Scaling User Guide, "Complete a lifecycle action"; AWS CLI Reference, "autoscaling
        complete-lifecycle-action".

    Example:
        >>> LifecycleSignal(group="Shop-Web", hook="hardening").arguments
        '--auto-scaling-group-name Shop-Web --lifecycle-hook-name hardening'

    """

    program: ClassVar[str] = "lifecycle.sh"
    """The file of the payload that gives the signal."""

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
        """The options of complete-lifecycle-action that name the group and its hook."""
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
