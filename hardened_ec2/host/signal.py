"""ResourceSignal: where the result of a host's hardening is awaited."""

import re
from dataclasses import dataclass

# What CloudFormation allows in these names; or one CDK token, which stands for such a name.
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]*|(\$\{Token\[[^\]']*\]\})+")


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

    stack: str
    resource: str
    region: str | None = None

    def __post_init__(self) -> None:
        for field in ("stack", "resource", "region"):
            value = getattr(self, field)
            if field == "region" and value is None:
                continue
            if not isinstance(value, str) or not _NAME.fullmatch(value):
                raise ValueError(
                    f"{field} is {value!r}: letters, digits and '-' are allowed, or a CDK token; "
                    f"write {field}='Shop'"
                )

    @property
    def arguments(self) -> str:
        """The options of cfn-signal that name the resource."""
        region = "" if self.region is None else f" --region {self.region}"
        return f"--stack {self.stack} --resource {self.resource}{region}"
