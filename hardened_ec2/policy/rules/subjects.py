"""What policy rules examine, so that reports can say how much each of them examined."""

from dataclasses import dataclass
from enum import StrEnum


class Subject(StrEnum):
    """What a rule examines, where the resource type alone does not tell.

    Example:
        >>> Subject.ROLES.value
        'instance roles'
    """

    SERVERS = "servers and network interfaces"
    MACHINES = "servers"
    GROUPS = "security groups"
    ROLES = "instance roles"
    VOLUMES = "servers and volumes"
    RESOURCES = "resources"
    TEMPLATES = "templates"


@dataclass(frozen=True, slots=True)
class Resources:
    """What a rule examines: all resources of one or more types.

    Args:
        value: Their name in reports, in the plural.
        types: The resource types.

    Example:
        >>> Resources("KMS keys", ("AWS::KMS::Key",)).value
        'KMS keys'
    """

    value: str
    types: tuple[str, ...]
