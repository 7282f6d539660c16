"""What a rule looks at, so that a pass can say of how much: none of nothing is no evidence."""

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from hardened_ec2.policy.servers import AUTO_SCALING_GROUP, Kind
from hardened_ec2.policy.values import Place

if TYPE_CHECKING:
    from hardened_ec2.policy.rule import Case


class Subject(StrEnum):
    """What a rule looks at, in words.

    Example:
        >>> Subject.FLEETS.value
        'Auto Scaling groups'
    """

    SERVERS = "servers and network interfaces"
    MACHINES = "servers"
    INSTANCES = "instances"
    FLEETS = "Auto Scaling groups"
    GROUPS = "security groups"
    ROLES = "roles of servers"
    NETWORKS = "VPCs"
    SUBNETS = "subnets"
    NETWORK_ACLS = "network ACL entries"
    VOLUMES = "servers and volumes"
    SNAPSHOT_SETTINGS = "settings of snapshot sharing"
    ENDPOINTS = "EC2 Instance Connect Endpoints"
    DOCUMENTS = "documents of Systems Manager"
    ASSOCIATIONS = "associations of State Manager"
    PATCH_BASELINES = "patch baselines"
    DOCUMENT_SETTINGS = "settings of Systems Manager"
    IMAGE_INFRASTRUCTURES = "infrastructures of image builds"
    IMAGE_RECIPES = "recipes of images"
    IMAGE_DISTRIBUTIONS = "distributions of images"
    IMAGE_BUILDS = "images and their pipelines"
    ACCESS_SCOPES = "Network Access Scopes"
    PUBLIC_ACCESS_BLOCKS = "settings of VPC Block Public Access"
    TRANSIT_GATEWAYS = "transit gateways"
    KEYS = "KMS keys"
    RESOURCES = "resources"
    TEMPLATES = "templates"


_TYPES: Final = {
    Subject.INSTANCES: (Kind.INSTANCE.value,),
    Subject.FLEETS: (AUTO_SCALING_GROUP,),
    Subject.NETWORKS: ("AWS::EC2::VPC",),
    Subject.SUBNETS: ("AWS::EC2::Subnet",),
    Subject.NETWORK_ACLS: ("AWS::EC2::NetworkAclEntry",),
    Subject.SNAPSHOT_SETTINGS: ("AWS::EC2::SnapshotBlockPublicAccess",),
    Subject.ENDPOINTS: ("AWS::EC2::InstanceConnectEndpoint",),
    Subject.DOCUMENTS: ("AWS::SSM::Document",),
    Subject.ASSOCIATIONS: ("AWS::SSM::Association",),
    Subject.PATCH_BASELINES: ("AWS::SSM::PatchBaseline",),
    Subject.DOCUMENT_SETTINGS: ("AWS::SSM::ServiceSetting",),
    Subject.IMAGE_INFRASTRUCTURES: ("AWS::ImageBuilder::InfrastructureConfiguration",),
    Subject.IMAGE_RECIPES: ("AWS::ImageBuilder::ImageRecipe",),
    Subject.IMAGE_DISTRIBUTIONS: ("AWS::ImageBuilder::DistributionConfiguration",),
    Subject.IMAGE_BUILDS: ("AWS::ImageBuilder::ImagePipeline", "AWS::ImageBuilder::Image"),
    Subject.ACCESS_SCOPES: ("AWS::EC2::NetworkInsightsAccessScope",),
    Subject.PUBLIC_ACCESS_BLOCKS: (
        "AWS::EC2::VPCBlockPublicAccessOptions",
        "AWS::EC2::VPCBlockPublicAccessExclusion",
    ),
    Subject.TRANSIT_GATEWAYS: ("AWS::EC2::TransitGateway",),
    Subject.KEYS: ("AWS::KMS::Key",),
}


def examined(case: "Case", subject: Subject) -> tuple[Place, ...]:
    """List what a rule looked at.

    Args:
        case: The deployment.
        subject: What it looks at.

    Returns:
        The resources, each once; for `Subject.TEMPLATES` the templates.

    Example:
        >>> [place.logical_id for place in examined(case, Subject.MACHINES)]
        ['Server']
    """
    if subject in _TYPES:
        return tuple(each.place for each in case.deployment.resources(*_TYPES[subject]))
    return tuple(dict.fromkeys(_FINDERS[subject](case)))


def _machines(case: "Case") -> Iterable[Place]:
    return [s.place for s in case.servers if s.kind is not Kind.NETWORK_INTERFACE]


def _volumes(case: "Case") -> Iterable[Place]:
    alone = [volume.place for volume in case.deployment.resources("AWS::EC2::Volume")]
    return [*_machines(case), *alone]


_FINDERS: Final[dict[Subject, Callable[["Case"], Iterable[Place]]]] = {
    Subject.SERVERS: lambda case: [server.place for server in case.servers],
    Subject.MACHINES: _machines,
    # With the groups outside the templates that these add rules to.
    Subject.GROUPS: lambda case: [Place(*group) for group in case.exposure.groups],
    Subject.ROLES: lambda case: [role.place for role in case.roles.of_instances()],
    Subject.VOLUMES: _volumes,
    Subject.RESOURCES: lambda case: [each.place for each in case.deployment.everything()],
    Subject.TEMPLATES: lambda case: [Place(each.name, "") for each in case.deployment.templates],
}
