"""InterfaceEndpoints: the interface VPC endpoints that each feature needs."""

from typing import Final


class InterfaceEndpoints:
    """The interface VPC endpoints that each feature needs in a VPC without internet access.

    Each is a tuple of service names for the ``interface_endpoints`` of a `HardenedVpc`, which
    creates one endpoint for a name that is repeated.

    Source: AWS PrivateLink Guide, "AWS services that integrate with AWS PrivateLink".

    Example::

        HardenedVpc(
            self,
            "Network",
            interface_endpoints=(
                *InterfaceEndpoints.SESSION_MANAGER,
                *InterfaceEndpoints.LIFECYCLE_HOOK,
            ),
        )
    """

    SESSION_MANAGER: Final = ("ssm", "ssmmessages")
    """Sessions without an open port. SSM Agent before 3.3.40 (2024) also needs ``ec2messages``.

    Source: Systems Manager User Guide, "Improve the security of EC2 instances by using VPC
        endpoints for Systems Manager".
    """

    SESSION_RECORDING: Final = (*SESSION_MANAGER, "kms", "logs")
    """Sessions that `SessionRecording` records: also their KMS key and their log group.

    Source: as `SESSION_MANAGER`.
    """

    STATE_MANAGER: Final = SESSION_MANAGER
    """Associations on running servers, such as `HardeningAssociation`: Run Command by SSM Agent.

    Source: as `SESSION_MANAGER`.
    """

    PATCH_MANAGER: Final = (*STATE_MANAGER, "logs")
    """The maintenance window of a `PatchSchedule`, whose output goes to CloudWatch Logs.

    Source: as `SESSION_MANAGER`.
    """

    LIFECYCLE_HOOK: Final = ("autoscaling",)
    """Servers of a `HardenedAutoScalingGroup` that report whether they are hardened.

    Source: EC2 Auto Scaling User Guide, "Amazon EC2 Auto Scaling and interface VPC endpoints".
    """

    RESOURCE_SIGNAL: Final = ("cloudformation",)
    """Servers that CloudFormation waits for, by the ``resource_signal_timeout`` of an instance.

    Source: CloudFormation User Guide, "Access CloudFormation using an interface endpoint".
    """

    IMAGE_BUILDER: Final = (*SESSION_MANAGER, "imagebuilder", "logs")
    """The builds of a `HardenedImage`, which need S3 too (``s3_prefix_list_id``).

    Source: EC2 Image Builder User Guide, "EC2 Image Builder and AWS PrivateLink interface VPC
        endpoints".
    """
