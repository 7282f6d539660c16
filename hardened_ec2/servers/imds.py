"""Imds: the instance metadata options of a server."""

from dataclasses import dataclass
from typing import Self

CONTAINER_METADATA = {"hardened-ec2": {"containers": True}}
"""Resource metadata that declares a container host: the policy then accepts hop limit 2."""


@dataclass(frozen=True, kw_only=True)
class Imds:
    """The options of the Instance Metadata Service (IMDS) of one instance.

    Session tokens (IMDSv2) are always required. The options are set on the instance or launch
    template itself, without an additional launch template, so that names never collide.

    Args:
        http_endpoint: Whether the service is enabled. Without it, an instance gets no user data,
            role credentials or key pair from EC2: see `disabled`. Default: True.
        containers: Whether the hop limit is 2, so that bridged containers can reach the service.
            The host still drops forwarded traffic unless `HostHardening.imds_containers` names its
            source. Default: False (hop limit 1).
        instance_metadata_tags: Whether the instance's tags can be read from the service.
            Tags often name owners, environments and systems. Default: False.
        http_protocol_ipv6: Whether the service also answers on ``fd00:ec2::254``. Default: False.

    Raises:
        ValueError: If the service is disabled and one of its options is given.

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
                f"Imds has http_endpoint=False and {asked[0]}=True, which needs the endpoint: "
                f"leave {asked[0]} out, or leave http_endpoint=True"
            )

    @classmethod
    def for_containers(cls) -> Self:
        """Return options with hop limit 2, so that bridged containers can reach the service.

        The template declares the instance a container host, which the policy requires for a hop
        limit above 1. Containers that share the host's network work with hop limit 1.

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
        """Return options that disable the metadata service.

        An instance without it never receives user data, so the image must contain the hardening.
        Session Manager then works only if SSM Agent gets credentials in another way.

        Returns:
            Options with the endpoint disabled.

        Source: AWS, "Turn off access to instance metadata".

        Example:
            >>> Imds.disabled().http_endpoint
            False
        """
        return cls(http_endpoint=False)

    @property
    def http_put_response_hop_limit(self) -> int:
        """The hop limit of the response with the session token: 1, or 2 for a container host."""
        return 2 if self.containers else 1
