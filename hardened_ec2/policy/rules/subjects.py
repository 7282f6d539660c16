"""What a rule looks at, so that a pass can say of how much: none of nothing is no evidence."""

from enum import StrEnum


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
