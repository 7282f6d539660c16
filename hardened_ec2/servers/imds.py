"""Imds: what an instance's metadata service answers, and to whom."""

from dataclasses import dataclass
from typing import Self

CONTAINER_METADATA = {"hardened-ec2": {"containers": True}}
"""Resource metadata that declares a container host: the policy then accepts hop limit 2."""


@dataclass(frozen=True, kw_only=True)
class Imds:
    """The options of the Instance Metadata Service (IMDS) of one instance.

    Session tokens (IMDSv2) are always required and cannot be given up here. The options are
    written on the instance itself, never in a launch template of their own, so instances and
    stacks never collide over a template's name.

    Args:
        http_endpoint: Whether the service answers at all. Default: True. Without it an instance
            has no user data, no role credentials and no key from EC2: see `disabled`.
        containers: Whether bridged containers may reach the service, which takes a second
            network hop. Default: False (hop limit 1). The host's own lock still refuses
            forwarded traffic; this only lifts the limit that EC2 sets.
        instance_metadata_tags: Whether the instance's tags can be read from the service.
            Default: False, since tags often name owners, environments and systems.
        http_protocol_ipv6: Whether the service also answers on ``fd00:ec2::254``. Default: False.

    Raises:
        ValueError: If the service is disabled and an option of it is asked for as well.

    Source: AWS, "Configure the Instance Metadata Service options"; Security Hub EC2.8;
        CIS AWS Foundations 5.7.

    Example:
        >>> Imds().http_put_response_hop_limit, Imds.for_containers().http_put_response_hop_limit
        (1, 2)
    """

    http_endpoint: bool = True
    containers: bool = False
    instance_metadata_tags: bool = False
    http_protocol_ipv6: bool = False

    def __post_init__(self) -> None:
        asked = [
            name
            for name in ("containers", "instance_metadata_tags", "http_protocol_ipv6")
            if getattr(self, name)
        ]
        if asked and not self.http_endpoint:
            raise ValueError(
                f"Imds has http_endpoint=False and {asked[0]}=True, but a disabled endpoint serves "
                f"nothing: leave {asked[0]} out, or leave http_endpoint=True"
            )

    @classmethod
    def for_containers(cls) -> Self:
        """Let bridged containers reach the metadata service: hop limit 2.

        The template declares the instance a container host, which is what the policy asks for
        before it accepts a hop limit above 1. Containers that share the host's network
        need none of this.

        Returns:
            Options with hop limit 2.

        Source: AWS, "Instance metadata access considerations".

        Example:
            >>> Imds.for_containers().containers
            True
        """
        return cls(containers=True)

    @classmethod
    def disabled(cls) -> Self:
        """Switch the metadata service off.

        An instance without it never receives user data, so the image must carry its hardening.
        Session Manager then works only where the agent gets credentials in another way.

        Returns:
            Options with the endpoint off.

        Source: AWS, "Turn off access to instance metadata".

        Example:
            >>> Imds.disabled().http_endpoint
            False
        """
        return cls(http_endpoint=False)

    @property
    def http_put_response_hop_limit(self) -> int:
        """Network hops that a session token may travel: 1, or 2 for a container host."""
        return 2 if self.containers else 1
