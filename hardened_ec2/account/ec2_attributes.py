"""Ec2Attributes: account-level EC2 settings, for one account and Region or for an organization.

`AccountGuardrails` deploys them to an account and Region; `Ec2Attributes.declarative_policy`
returns them as a declarative policy for AWS Organizations, without CDK.
"""

from dataclasses import dataclass
from typing import Any, Self

NO_PREFERENCE = "no-preference"
"""EC2's value for a setting without an account-level default."""

MAX_HOPS = 64

_BLOCK_MODES = ("block-ingress", "block-bidirectional")
_EXCLUSION_MODES = ("allow-bidirectional", "allow-egress")
_SNAPSHOT_STATES = ("block-all-sharing", "block-new-sharing")
_CUT_OFF = {
    "block-ingress": "everything in the Region that is reachable from the internet: load "
    "balancers, bastions, servers with public addresses",
    "block-bidirectional": "everything in the Region that is reachable from the internet, and all "
    "access to the internet, NAT gateways included",
}


@dataclass(frozen=True, kw_only=True)
class PublicAccessExclusion:
    """A VPC or subnet that is excluded from VPC Block Public Access.

    Args:
        name: The exclusion's name, such as ``"Bastion"``, which is also its tag ``Name`` and part
            of its logical id.
        vpc_id: The VPC's id, instead of ``subnet_id``. Default: none.
        subnet_id: The subnet's id, instead of ``vpc_id``. Default: none.
        mode: ``allow-bidirectional`` allows internet traffic both ways; ``allow-egress`` allows
            only outbound traffic, and only with ``block-bidirectional``. Default:
            ``allow-bidirectional``.

    Raises:
        ValueError: If the name is empty, both or neither of the ids are given, an id has another
            form, or the mode is unknown.

    Source: AWS, "Create and delete exclusions", Amazon VPC User Guide.

    Example:
        >>> PublicAccessExclusion(name="Bastion", subnet_id="subnet-1").mode
        'allow-bidirectional'
    """

    name: str
    vpc_id: str | None = None
    subnet_id: str | None = None
    mode: str = "allow-bidirectional"

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("PublicAccessExclusion has name='': write a name such as 'Bastion'")
        if (self.vpc_id is None) == (self.subnet_id is None):
            raise ValueError(
                f"PublicAccessExclusion {self.name!r} has vpc_id={self.vpc_id!r} and "
                f"subnet_id={self.subnet_id!r}: write exactly one of the two"
            )
        for prop, prefix in (("vpc_id", "vpc-"), ("subnet_id", "subnet-")):
            given = getattr(self, prop)
            if given is not None and not given.startswith((prefix, "${Token[")):
                raise ValueError(
                    f"PublicAccessExclusion {self.name!r} has {prop}={given!r}: write an id, "
                    f"'{prefix}...'"
                )
        if self.mode not in _EXCLUSION_MODES:
            raise ValueError(
                f"PublicAccessExclusion {self.name!r} has mode={self.mode!r}: write one of "
                f"{_either(_EXCLUSION_MODES)}"
            )


@dataclass(frozen=True, kw_only=True)
class VpcBlockPublicAccess:
    """VPC Block Public Access, which blocks internet gateways whatever the route tables say.

    It cuts off running workloads at once. So there is no default mode, and a mode that blocks
    needs ``exclusions``, even if there are none.

    Args:
        mode: ``off``, ``block-ingress`` (only NAT gateways and egress-only internet gateways
            work) or ``block-bidirectional`` (all internet access is blocked).
        exclusions: The VPCs and subnets that stay reachable, or ``()``. Required unless the mode
            is ``off``.

    Raises:
        ValueError: If the mode is unknown, a mode that blocks has no exclusions argument, ``off``
            has exclusions, two exclusions share a name, or an exclusion has no effect in the mode.

    Source: AWS, "Block public access to VPCs and subnets"; Security Hub EC2.172.

    Example:
        >>> bastion = PublicAccessExclusion(name="Bastion", subnet_id="subnet-0123456789abcdef0")
        >>> block = VpcBlockPublicAccess(mode="block-ingress", exclusions=(bastion,))
        >>> [exclusion.name for exclusion in block.exclusions]
        ['Bastion']
    """

    mode: str
    exclusions: tuple[PublicAccessExclusion, ...] | None = None

    def __post_init__(self) -> None:
        if self.mode not in ("off", *_BLOCK_MODES):
            raise ValueError(
                f"VpcBlockPublicAccess has mode={self.mode!r}: write one of "
                f"{_either(('off', *_BLOCK_MODES))}"
            )
        if self.mode == "off":
            if self.exclusions:
                raise ValueError(
                    f"VpcBlockPublicAccess has mode='off', which blocks nothing, and "
                    f"{len(self.exclusions)} exclusions: leave them out, or write "
                    f"mode={_BLOCK_MODES[0]!r}"
                )
            return
        if self.exclusions is None:
            raise ValueError(
                f"VpcBlockPublicAccess has mode={self.mode!r}, which cuts off "
                f"{_CUT_OFF[self.mode]}. Name what must stay reachable: write "
                "exclusions=(PublicAccessExclusion(name='Bastion', subnet_id='subnet-...'),), or "
                "exclusions=() if nothing must"
            )
        names = [each.name for each in self.exclusions]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two exclusions are called {twice[0]!r}: give each its own name")
        for each in self.exclusions:
            if each.mode == "allow-egress" and self.mode != "block-bidirectional":
                raise ValueError(
                    f"PublicAccessExclusion {each.name!r} has mode='allow-egress', but "
                    f"{self.mode!r} does not block egress: leave the exclusion out, or write "
                    "mode='allow-bidirectional' to allow internet traffic both ways"
                )

    @classmethod
    def off(cls) -> Self:
        """Return VPC Block Public Access that is disabled, for accounts that serve the internet.

        Example:
            >>> VpcBlockPublicAccess.off().mode
            'off'
        """
        return cls(mode="off")


@dataclass(frozen=True, kw_only=True)
class Ec2Attributes:
    """Account-level EC2 settings, for one account and Region or for an organization.

    IMDSv2 by default and blocked public sharing of new images are guarantees: no argument disables
    them.

    Args:
        http_tokens_enforced: Whether EC2 refuses to launch instances with IMDSv1, and to enable it
            on running ones. Launch templates that request IMDSv1 then fail; the metric
            ``MetadataNoToken`` shows which instances still use it. If Lambda's boto3 does not know
            this setting yet (EC2 has it since 2026), the deployment fails and says so. False makes
            IMDSv2 only a default that a launch can override. Default: True.
        http_put_response_hop_limit: Default IMDS hop limit of launches that set none, 1 to 64.
            Containers on a bridge network need 2. None leaves it to the image. Default: 1.
        instance_metadata_tags: Whether launches that do not set it expose instance tags in the
            metadata service. Default: False.
        snapshot_block_public_access: ``block-all-sharing``, which also makes public snapshots
            private, or ``block-new-sharing``. Default: ``block-all-sharing``.
        serial_console_access: Whether the EC2 serial console, which bypasses every network
            control, can be used. Default: False.
        vpc_block_public_access: VPC Block Public Access. Default: it stays as it is.

    Raises:
        ValueError: If the hop limit or ``snapshot_block_public_access`` is not a value of EC2's.

    Source: AWS, "EC2 policy syntax and examples", AWS Organizations User Guide; AWS, "Enforce
        IMDSv2 at the account level"; Security Hub EC2.172, EC2.182.

    Example:
        >>> policy = Ec2Attributes().declarative_policy()["ec2_attributes"]
        >>> policy["instance_metadata_defaults"]["http_tokens"]
        {'@@assign': 'required'}
        >>> policy["snapshot_block_public_access"]
        {'state': {'@@assign': 'block_all_sharing'}}
    """

    http_tokens_enforced: bool = True
    http_put_response_hop_limit: int | None = 1
    instance_metadata_tags: bool = False
    snapshot_block_public_access: str = "block-all-sharing"
    serial_console_access: bool = False
    vpc_block_public_access: VpcBlockPublicAccess | None = None

    def __post_init__(self) -> None:
        hops = self.http_put_response_hop_limit
        if hops is not None and not 1 <= hops <= MAX_HOPS:
            raise ValueError(
                f"http_put_response_hop_limit is {hops}: 1 to {MAX_HOPS} is allowed; write 1, 2 "
                "for container hosts, or None to leave it to the image"
            )
        if self.snapshot_block_public_access not in _SNAPSHOT_STATES:
            raise ValueError(
                f"snapshot_block_public_access is {self.snapshot_block_public_access!r}: write "
                f"one of {_either(_SNAPSHOT_STATES)}"
            )

    @property
    def instance_metadata_defaults(self) -> dict[str, str]:
        """The account's IMDS defaults, as parameters of ``ModifyInstanceMetadataDefaults``."""
        return {
            "HttpTokens": "required",
            "HttpTokensEnforced": "enabled" if self.http_tokens_enforced else NO_PREFERENCE,
            "HttpPutResponseHopLimit": str(self.http_put_response_hop_limit or -1),
            "InstanceMetadataTags": "enabled" if self.instance_metadata_tags else "disabled",
        }

    @property
    def image_block_public_access(self) -> str:
        """The state of block public access for AMIs. EC2 has only this one that blocks."""
        return "block-new-sharing"

    def declarative_policy(self, *, exception_message: str | None = None) -> dict[str, Any]:
        """Return the settings as a declarative policy for EC2, for AWS Organizations.

        The policy applies in every Region of every account it is attached to, including future
        accounts, and their administrators cannot change its settings. It has no attribute for EBS
        encryption by default, Default Host Management Configuration or the default VPC: deploy
        ``AccountGuardrails(..., ec2_attributes=None)`` for these.

        Exclusions from VPC Block Public Access are created in the accounts. The policy allows
        them if this value has any.

        Args:
            exception_message: The message of EC2's refusals. Everyone can see it, so it must not
                contain secrets or personal data. Default: EC2's own message.

        Returns:
            The policy's content, of type ``DECLARATIVE_POLICY_EC2``.

        Raises:
            ValueError: If the message is empty.

        Example:
            >>> policy = Ec2Attributes().declarative_policy(exception_message="See wiki/ec2")
            >>> policy["ec2_attributes"]["exception_message"]
            {'@@assign': 'See wiki/ec2'}
        """
        if exception_message is not None and not exception_message.strip():
            raise ValueError(
                f"exception_message is {exception_message!r}: write what users should do instead, "
                "or leave it out"
            )
        attributes: dict[str, Any] = {
            "instance_metadata_defaults": {
                **{
                    _snake(name): _assign(value)
                    for name, value in self.instance_metadata_defaults.items()
                },
                "http_endpoint": _assign(NO_PREFERENCE),
            },
            "image_block_public_access": {"state": _assign(self.image_block_public_access)},
            "snapshot_block_public_access": {"state": _assign(self.snapshot_block_public_access)},
            "serial_console_access": {
                "status": _assign("enabled" if self.serial_console_access else "disabled")
            },
        }
        block = self.vpc_block_public_access
        if block is not None:
            attributes["vpc_block_public_access"] = {
                "internet_gateway_block": {
                    "mode": _assign(block.mode),
                    "exclusions_allowed": _assign("enabled" if block.exclusions else "disabled"),
                }
            }
        if exception_message is not None:
            attributes["exception_message"] = {"@@assign": exception_message}
        return {"ec2_attributes": attributes}


def _assign(value: str) -> dict[str, str]:
    # Policies spell the API's values with underscores; numbers keep their minus sign.
    return {"@@assign": value if value.lstrip("-").isdigit() else value.replace("-", "_")}


def _snake(name: str) -> str:
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in name).lstrip("_")


def _either(allowed: tuple[str, ...]) -> str:
    return ", ".join(repr(each) for each in allowed)
