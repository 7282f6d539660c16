"""Ec2Attributes: what an account lets its EC2 do, as values that an account or organization takes.

One value, two doors: `AccountGuardrails` deploys it to an account and Region, and
`Ec2Attributes.declarative_policy` says the same to AWS Organizations. No CDK is needed for the
second.
"""

from dataclasses import dataclass
from typing import Any, Self

NO_PREFERENCE = "no-preference"
"""How EC2 says that an account has no default of its own."""

MAX_HOPS = 64

_BLOCK_MODES = ("block-ingress", "block-bidirectional")
_EXCLUSION_MODES = ("allow-bidirectional", "allow-egress")
_SNAPSHOT_STATES = ("block-all-sharing", "block-new-sharing")
_CUT_OFF = {
    "block-ingress": "everything in the Region that the internet reaches: load balancers, "
    "bastions, servers with public addresses",
    "block-bidirectional": "everything in the Region that the internet reaches, and everything "
    "that reaches the internet, NAT gateways included",
}


@dataclass(frozen=True, kw_only=True)
class PublicAccessExclusion:
    """A VPC or subnet that VPC Block Public Access leaves alone.

    Args:
        name: What it is called, such as ``"Bastion"``: its name among the exclusions, its tag
            ``Name``, and part of its logical id.
        vpc_id: The VPC. Default: none, and then a subnet.
        subnet_id: The subnet. Default: none, and then a VPC.
        mode: ``allow-bidirectional``, which lets all internet traffic through, or
            ``allow-egress``, which lets it out and is only for block-bidirectional. Default:
            allow-bidirectional.

    Raises:
        ValueError: If there is no name, not exactly one of VPC and subnet, or no such mode.

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
            raise ValueError("a PublicAccessExclusion has name='': write one, such as 'Bastion'")
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
    """VPC Block Public Access: whether an internet gateway works at all, whatever routes say.

    It cuts off what is running, at once. So there is no mode by default, and a mode does not go
    without its exclusions: what must stay reachable is named, or it is said that there is
    nothing.

    Args:
        mode: ``off``; ``block-ingress``, where only NAT gateways and egress-only internet
            gateways still work; or ``block-bidirectional``, where nothing does.
        exclusions: The VPCs and subnets that are left alone; ``()`` where nothing is. Must be
            given, but for ``off``.

    Raises:
        ValueError: If there is no such mode, a mode goes without exclusions or ``off`` with
            them, two exclusions share a name, or one of them has no effect in the mode.

    Source: AWS, "Block public access to VPCs and subnets"; Security Hub EC2.172.

    Example:
        >>> VpcBlockPublicAccess(mode="block-bidirectional", exclusions=()).exclusions
        ()
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
                    f"VpcBlockPublicAccess has mode='off' with {len(self.exclusions)} exclusions, "
                    f"but nothing is blocked: leave them out, or write mode={_BLOCK_MODES[0]!r}"
                )
            return
        if self.exclusions is None:
            raise ValueError(
                f"VpcBlockPublicAccess has mode={self.mode!r}, which cuts off "
                f"{_CUT_OFF[self.mode]}. Say what must stay: exclusions=(PublicAccessExclusion("
                "name='Bastion', subnet_id='subnet-...'),), or exclusions=() if nothing must"
            )
        names = [each.name for each in self.exclusions]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two exclusions are called {twice[0]!r}: give each a name of its own")
        for each in self.exclusions:
            if each.mode == "allow-egress" and self.mode != "block-bidirectional":
                raise ValueError(
                    f"PublicAccessExclusion {each.name!r} has mode='allow-egress', but "
                    f"{self.mode!r} blocks no egress: leave the exclusion out, or write "
                    "mode='allow-bidirectional' to let the internet in there"
                )

    @classmethod
    def off(cls) -> Self:
        """Say that this account's workloads face the internet, and nothing is blocked.

        Example:
            >>> VpcBlockPublicAccess.off().mode
            'off'
        """
        return cls(mode="off")


@dataclass(frozen=True, kw_only=True)
class Ec2Attributes:
    """What EC2 is set to in an account and Region, or in all accounts of an organization.

    IMDSv2 and no public sharing of new images are guarantees: no argument gives them up.

    Args:
        http_tokens_enforced: Whether EC2 refuses to launch an instance with IMDSv1, and to bring
            it back on one that is running. Default: True. Without it, IMDSv2 is only what an
            instance gets that asks for nothing else. Templates of fleets that ask for IMDSv1
            launch nothing any more: the metric ``MetadataNoToken`` says who still uses it.
            EC2 has this since 2026: where Lambda's boto3 is older, the deployment fails and says
            so, rather than leave it out.
        http_put_response_hop_limit: Network hops that a session token may travel, 1 to 64, on
            instances that ask for nothing else. Default: 1. Bridged containers need 2. None
            leaves it to the image.
        instance_metadata_tags: Whether tags can be read from the metadata service of instances
            that ask for nothing else. Default: False.
        snapshot_block_public_access: ``block-all-sharing``, where snapshots that are public
            already are not reachable either, or ``block-new-sharing``. Default:
            block-all-sharing.
        serial_console_access: Whether the EC2 serial console can be used. Default: False: it
            reaches a server past every network control.
        vpc_block_public_access: Whether internet gateways work. Default: not touched.

    Raises:
        ValueError: If the hop limit or the snapshots' state is none that EC2 knows.

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
                f"http_put_response_hop_limit is {hops}: write 1 (or 2 for container hosts), at "
                f"most {MAX_HOPS}, or None to leave it to the image"
            )
        if self.snapshot_block_public_access not in _SNAPSHOT_STATES:
            raise ValueError(
                f"snapshot_block_public_access is {self.snapshot_block_public_access!r}: write "
                f"one of {_either(_SNAPSHOT_STATES)}"
            )

    @property
    def instance_metadata_defaults(self) -> dict[str, str]:
        """The account's IMDS defaults, in the words of ``ModifyInstanceMetadataDefaults``."""
        return {
            "HttpTokens": "required",
            "HttpTokensEnforced": "enabled" if self.http_tokens_enforced else NO_PREFERENCE,
            "HttpPutResponseHopLimit": str(self.http_put_response_hop_limit or -1),
            "InstanceMetadataTags": "enabled" if self.instance_metadata_tags else "disabled",
        }

    @property
    def image_block_public_access(self) -> str:
        """The state of block public access for images: the only one that blocks."""
        return "block-new-sharing"

    def declarative_policy(self, *, exception_message: str | None = None) -> dict[str, Any]:
        """Say the same as a declarative policy of AWS Organizations, for EC2.

        Such a policy holds in every Region of every account it is attached to, also in those
        that are yet to come, and no administrator there can change what it sets. It has no
        attribute for EBS encryption by default, Default Host Management Configuration or the
        default VPC: deploy ``AccountGuardrails(..., ec2_attributes=None)`` for these.

        Exclusions from VPC Block Public Access are made in the accounts. The policy only says
        whether there may be any: yes where this value has some.

        Args:
            exception_message: What EC2 tells whoever tries something else. Default: EC2's own
                words. It is shown to everyone: nothing secret or personal belongs there.

        Returns:
            The policy's content, of the type ``DECLARATIVE_POLICY_EC2``.

        Raises:
            ValueError: If the message is empty.

        Example:
            >>> policy = Ec2Attributes().declarative_policy(exception_message="See wiki/ec2")
            >>> policy["ec2_attributes"]["exception_message"]
            {'@@assign': 'See wiki/ec2'}
        """
        if exception_message is not None and not exception_message.strip():
            raise ValueError(
                f"exception_message is {exception_message!r}: write what to do instead, or leave "
                "it out"
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
    # Policies write the API's values with underscores; numbers keep their sign.
    return {"@@assign": value if value.lstrip("-").isdigit() else value.replace("-", "_")}


def _snake(name: str) -> str:
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in name).lstrip("_")


def _either(allowed: tuple[str, ...]) -> str:
    return ", ".join(repr(each) for each in allowed)
