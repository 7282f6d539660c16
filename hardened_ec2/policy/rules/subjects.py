"""What policy rules examine, so that reports can say how much each of them examined."""

from enum import StrEnum


class Subject(StrEnum):
    """The resources that a rule examines, in words.

    Example:
        >>> Subject.FLEETS.value
        'Auto Scaling groups'
    """

    SERVERS = "servers and network interfaces"
    MACHINES = "servers"
    INSTANCES = "instances"
    FLEETS = "Auto Scaling groups"
    GROUPS = "security groups"
    ROLES = "instance roles"
    NETWORKS = "VPCs"
    SUBNETS = "subnets"
    NETWORK_ACLS = "network ACL entries"
    VOLUMES = "servers and volumes"
    SNAPSHOT_SETTINGS = "snapshot sharing settings"
    ENDPOINTS = "EC2 Instance Connect Endpoints"
    DOCUMENTS = "Systems Manager documents"
    ASSOCIATIONS = "State Manager associations"
    PATCH_BASELINES = "patch baselines"
    DOCUMENT_SETTINGS = "Systems Manager settings"
    IMAGE_INFRASTRUCTURES = "Image Builder infrastructure configurations"
    IMAGE_RECIPES = "Image Builder recipes"
    IMAGE_DISTRIBUTIONS = "Image Builder distribution configurations"
    IMAGE_BUILDS = "Image Builder images and pipelines"
    ACCESS_SCOPES = "Network Access Scopes"
    PUBLIC_ACCESS_BLOCKS = "VPC Block Public Access settings"
    TRANSIT_GATEWAYS = "transit gateways"
    KEYS = "KMS keys"
    RESOURCES = "resources"
    TEMPLATES = "templates"
