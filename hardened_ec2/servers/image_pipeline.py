"""HardenedImage: an EC2 Image Builder pipeline that builds hardened AMIs."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from typing import Any

import aws_cdk as cdk
from aws_cdk import Names, RemovalPolicy, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_imagebuilder as imagebuilder
from aws_cdk import aws_s3_assets as assets
from constructs import Construct

from hardened_ec2.host import HostHardening
from hardened_ec2.host.image_component import build_component, check_component
from hardened_ec2.network.interface_endpoints import InterfaceEndpoints
from hardened_ec2.network.security_group import LockedSecurityGroup
from hardened_ec2.network.vpc import HardenedVpc, private_subnets
from hardened_ec2.policy.root_devices import AMAZON_LINUX, BY_DISTRIBUTION
from hardened_ec2.servers.machine_image import HardenedMachineImage
from hardened_ec2.servers.prepared import ROOT_VOLUME_SIZE, default_instance_type
from hardened_ec2.servers.role import session_manager_statement
from hardened_ec2.servers.subnets import selected_subnets, subnets_or_private
from hardened_ec2.support.acknowledgements import IMAGE_BUILD_ON_EVERY_RESOURCE
from hardened_ec2.support.acknowledging import acknowledge
from hardened_ec2.support.document_asset import document_asset
from hardened_ec2.support.log_group import encrypted_log_group
from hardened_ec2.support.signature import own_signature

_TOOLS = "ec2imagebuilder-managed-resources"

TEST_TIMEOUT = 60
"""The timeout of an image's test, in minutes."""

_ARCHITECTURES = {
    ec2.InstanceArchitecture.ARM_64: "arm64",
    ec2.InstanceArchitecture.X86_64: "x86",
}
_RELEASE = re.compile(r"\d{1,9}\.\d{1,9}\.\d{1,9}")


@own_signature
class HardenedImage(Construct):
    """An EC2 Image Builder pipeline, and the hardened AMI that it builds.

    The pipeline launches a server from the parent image, applies the hardening with the program
    that user data also carries, removes what is unique to one server (host keys, machine id,
    authorized keys, cloud-init's state, logs) and creates an AMI that has encrypted volumes and is
    private to this account. It then launches a server from this AMI and verifies every control
    with the checks of docs/CONTROLS.md. An image that fails is not released.

    ``machine_image`` is the AMI for servers: `HardenedInstance` and `HardenedLaunchTemplate`
    recognize it and adopt its hardening, which their user data then only verifies. A systemd unit
    of the image locks the metadata service before the network is up at every boot, with or without
    user data.

    The build and test servers accept no connection: IMDSv2 with a hop limit of 1, encrypted
    volumes, a closed security group, a role limited to what a build needs, and no key pair. They
    are terminated when the build fails.

    Costs: about an hour of two servers for each build, the snapshots of the AMIs that you keep,
    and $1 a month for the KMS key of the log.

    Source: EC2 Image Builder User Guide, "Security best practices for Image Builder"; EC2 User
        Guide, "Create a shared Linux AMI"; Security Hub EC2.8.

    Example::

        vpc = HardenedVpc(self, "Network", interface_endpoints=InterfaceEndpoints.IMAGE_BUILDER,
                          s3_prefix_list_id="pl-0123456789abcdef0")
        strict = HostHardening(profile="strict")
        image = HardenedImage(self, "Image", vpc=vpc, host_hardening=strict)
        HardenedInstance(self, "Server", vpc=vpc, machine_image=image.machine_image)
    """

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 - CDK's own name for it
        *,
        vpc: ec2.IVpc,
        host_hardening: HostHardening = HostHardening(),
        parent_image: str | None = None,
        root_device_name: str | None = None,
        root_volume_size: int = ROOT_VOLUME_SIZE,
        components: Sequence[str] = (),
        release: str = "1.0.0",
        schedule: cdk.aws_events.Schedule | None = None,
        instance_type: ec2.InstanceType | None = None,
        vpc_subnets: ec2.SubnetSelection | None = None,
        security_group: ec2.ISecurityGroup | None = None,
        encryption_key: cdk.aws_kms.IKey | None = None,
        log_encryption_key: cdk.aws_kms.IKey | None = None,
        log_retention: cdk.aws_logs.RetentionDays | None = None,
    ) -> None:
        """Create the pipeline and the resources that it builds with.

        Args:
            scope: The parent construct.
            id: The pipeline's id in it.
            vpc: The VPC to build in. A `HardenedVpc` without a NAT gateway needs the interface
                endpoints `InterfaceEndpoints.IMAGE_BUILDER`, and ``s3_prefix_list_id`` for S3.
            host_hardening: The hardening to build in. Default: `HostHardening()`.
            parent_image: The image to build on: the ARN of an Image Builder image, an AMI id, or
                ``ssm:`` and the name of a parameter. Default: the latest Amazon Linux 2023 for the
                architecture of ``instance_type``.
            root_device_name: The root device name of the parent image. Default: ``/dev/xvda`` for
                the default parent image; required with another one.
            root_volume_size: Size of the root volume, in GiB. Default: 16.
            components: ARNs of components that run before the hardening: your installations and
                their tests. Default: none.
            release: The version of the image, three numbers. A new version builds a new AMI from
                the latest parent image, and servers launched from ``machine_image`` follow.
                Default: "1.0.0".
            schedule: When the pipeline builds further AMIs, if the parent image or a component has
                changed. Their names differ by the date, and ``machine_image`` stays the same.
                Default: never.
            instance_type: The instance type of the build and test servers. Default: t4g.small.
            vpc_subnets: The subnets to build in, of which the first is used. Default: the VPC's
                private subnets.
            security_group: The security group of the build and test servers. Default: a new
                `LockedSecurityGroup` with egress to the endpoints of a `HardenedVpc`; in another
                VPC, allow it egress to port 443.
            encryption_key: The KMS key of the volumes and the AMI. Principals that launch servers
                need permission to use it; pass it to a fleet's launch template too. Default: the
                account's key for EBS.
            log_encryption_key: The KMS key of the log. Its policy must allow CloudWatch Logs to use
                it. Default: a new key with rotation.
            log_retention: How long log events are kept. Default: one year.

        Raises:
            ValueError: If an argument is invalid, or the VPC is a `HardenedVpc` in which a build
                would fail; the message says what to write.
        """
        _refuse_other_kinds(host_hardening, release, components)
        if parent_image is not None and root_device_name is None:
            raise ValueError(
                f"parent_image={parent_image!r} is given without its root device name: write "
                f"root_device_name={BY_DISTRIBUTION}"
            )
        _refuse_unreachable(vpc)
        vpc_subnets = subnets_or_private(vpc, vpc_subnets)
        if instance_type is None:
            instance_type = default_instance_type()
        super().__init__(scope, id)
        stack = Stack.of(self)
        self.host_hardening = host_hardening
        """The hardening of the image."""
        self.root_device_name = root_device_name or AMAZON_LINUX
        """The root device name of the image."""
        name = Names.unique_resource_name(self, max_length=64, separator="-")
        if parent_image is None:
            architecture = _ARCHITECTURES[instance_type.architecture]
            parent_image = stack.format_arn(
                service="imagebuilder",
                account="aws",
                resource="image",
                resource_name=f"amazon-linux-2023-{architecture}/x.x.x",
            )
        own = [
            self._component("Build", name, build_component(host_hardening)),
            self._component("Test", name, check_component(host_hardening)),
        ]
        volume: dict[str, Any] = {
            "delete_on_termination": True,
            "encrypted": True,
            "volume_size": root_volume_size,
            "volume_type": "gp3",
        }
        if encryption_key is not None:
            volume["kms_key_id"] = encryption_key.key_arn
        arns = [*components, *(each.attr_arn for each in own)]
        # Recipes are immutable, and unique by name and version: a changed recipe gets a new name.
        parts = [parent_image, self.root_device_name, volume, [*components]]
        recipe = imagebuilder.CfnImageRecipe(
            self,
            "Recipe",
            name=f"{name}-{_digest(stack.resolve([parts, [each.name for each in own]]))}",
            version=release,
            description=f"Host hardening, profile {host_hardening.profile}",
            parent_image=parent_image,
            components=[
                imagebuilder.CfnImageRecipe.ComponentConfigurationProperty(component_arn=arn)
                for arn in arns
            ],
            block_device_mappings=[
                imagebuilder.CfnImageRecipe.InstanceBlockDeviceMappingProperty(
                    device_name=self.root_device_name,
                    ebs=imagebuilder.CfnImageRecipe.EbsInstanceBlockDeviceSpecificationProperty(
                        **volume
                    ),
                )
            ],
        )
        self.security_group = security_group or LockedSecurityGroup(
            self, "SecurityGroup", vpc=vpc, description="Builds and tests an image"
        )
        """The security group of the build and test servers."""
        if isinstance(vpc, HardenedVpc):
            vpc.allow_endpoints_from(self.security_group)
        log_group = encrypted_log_group(
            self,
            "Log",
            key_id="LogKey",
            key_description="Log of an image's builds",
            encryption_key=log_encryption_key,
            retention=log_retention,
            # Image Builder's service-linked role can write only to log groups with this prefix.
            log_group_name=f"/aws/imagebuilder/{name}",
        )
        self.role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"),
            description="Builds and tests a hardened image",
        )
        """The IAM role of the build and test servers."""
        permissions = self._permissions(log_group, arns)
        profile = iam.InstanceProfile(self, "InstanceProfile", role=self.role)
        infrastructure = imagebuilder.CfnInfrastructureConfiguration(
            self,
            "Infrastructure",
            name=name,
            description="Servers that build and test a hardened image",
            instance_profile_name=profile.instance_profile_name,
            instance_types=[instance_type.to_string()],
            instance_metadata_options=(
                imagebuilder.CfnInfrastructureConfiguration.InstanceMetadataOptionsProperty(
                    http_tokens="required", http_put_response_hop_limit=1
                )
            ),
            security_group_ids=[self.security_group.security_group_id],
            subnet_id=selected_subnets(vpc, vpc_subnets).subnet_ids[0],
            terminate_instance_on_failure=True,
        )
        distribution = imagebuilder.CfnDistributionConfiguration(
            self,
            "Distribution",
            name=name,
            description="This Region and account, and nobody else",
            distributions=[
                imagebuilder.CfnDistributionConfiguration.DistributionProperty(
                    region=stack.region,
                    ami_distribution_configuration=_ami(name, host_hardening, encryption_key),
                )
            ],
        )
        self._settings: dict[str, Any] = {
            "image_recipe_arn": recipe.attr_arn,
            "infrastructure_configuration_arn": infrastructure.attr_arn,
            "distribution_configuration_arn": distribution.attr_arn,
            # An inventory of packages would need more permissions.
            "enhanced_image_metadata_enabled": False,
        }
        self._log_group_name = log_group.log_group_name
        # A deployment waits for the build, which needs both.
        self._needed = (permissions, vpc)
        self.pipeline = imagebuilder.CfnImagePipeline(
            self,
            "Pipeline",
            name=name,
            description=f"Host hardening, profile {host_hardening.profile}",
            status="ENABLED",
            schedule=_schedule(schedule),
            image_tests_configuration=(
                imagebuilder.CfnImagePipeline.ImageTestsConfigurationProperty(
                    image_tests_enabled=True, timeout_minutes=TEST_TIMEOUT
                )
            ),
            logging_configuration=(
                imagebuilder.CfnImagePipeline.PipelineLoggingConfigurationProperty(
                    image_log_group_name=self._log_group_name,
                    pipeline_log_group_name=self._log_group_name,
                )
            ),
            **self._settings,
        )
        """The pipeline, which starts manually or on a schedule."""
        self._machine_image: HardenedMachineImage | None = None

    @property
    def machine_image(self) -> HardenedMachineImage:
        """The AMI, which the stack's deployment builds.

        The first access adds the build to the stack. A deployment that changes the image waits
        for it, about half an hour, and fails if it fails. The old AMI is kept for rollbacks.
        """
        if self._machine_image is None:
            image = imagebuilder.CfnImage(
                self,
                "Image",
                image_tests_configuration=imagebuilder.CfnImage.ImageTestsConfigurationProperty(
                    image_tests_enabled=True, timeout_minutes=TEST_TIMEOUT
                ),
                logging_configuration=imagebuilder.CfnImage.ImageLoggingConfigurationProperty(
                    log_group_name=self._log_group_name
                ),
                **self._settings,
            )
            image.apply_removal_policy(RemovalPolicy.RETAIN)
            image.node.add_dependency(*self._needed)
            self._machine_image = HardenedMachineImage(
                image_id=image.attr_image_id,
                host_hardening=self.host_hardening,
                root_device_name=self.root_device_name,
            )
        return self._machine_image

    def _component(
        self, kind: str, name: str, document: dict[str, Any]
    ) -> imagebuilder.CfnComponent:
        asset: assets.Asset = document_asset(self, f"{kind}Document", document)
        # Components are immutable: changed content gets a new name.
        return imagebuilder.CfnComponent(
            self,
            f"{kind}Component",
            name=f"{name}-{kind.lower()}-{_digest(document)}",
            version="1.0.0",
            platform="Linux",
            description=document["description"],
            uri=asset.s3_object_url,
        )

    def _permissions(
        self, log_group: cdk.aws_logs.ILogGroup, components: Sequence[str]
    ) -> iam.ManagedPolicy:
        stack = Stack.of(self)
        permissions = iam.ManagedPolicy(
            self,
            "Permissions",
            description="What building and testing an image takes",
            roles=[self.role],
            statements=[
                session_manager_statement(),
                iam.PolicyStatement(actions=["imagebuilder:GetComponent"], resources=[*components]),
                # Each server downloads AWSTOE, which runs components, from this bucket.
                iam.PolicyStatement(
                    actions=["s3:GetObject"],
                    resources=[f"arn:{stack.partition}:s3:::{_TOOLS}-{stack.region}-prod/*"],
                ),
                iam.PolicyStatement(
                    actions=["logs:CreateLogStream", "logs:PutLogEvents"],
                    resources=[log_group.log_group_arn],
                ),
            ],
        )
        acknowledge(permissions, *IMAGE_BUILD_ON_EVERY_RESOURCE)
        return permissions


def _refuse_other_kinds(hardening: object, release: object, components: object) -> None:
    if not isinstance(hardening, HostHardening):
        raise ValueError(
            f"host_hardening is {hardening!r}, and a HardenedImage requires a hardening: write "
            "host_hardening=HostHardening(...)"
        )
    if not isinstance(release, str) or not _RELEASE.fullmatch(release):
        raise ValueError(
            f"release is {release!r}: write three numbers, such as release='1.0.1' or "
            "release='2026.11.1'"
        )
    if isinstance(components, str):
        raise ValueError(
            f"components is the text {components!r}: write a list of ARNs, "
            f"components=[{components!r}]"
        )


def _refuse_unreachable(vpc: ec2.IVpc) -> None:
    if (
        not isinstance(vpc, HardenedVpc)
        or private_subnets(vpc) is not ec2.SubnetType.PRIVATE_ISOLATED
    ):
        return
    needed = InterfaceEndpoints.IMAGE_BUILDER
    missing = [each for each in needed if each not in vpc.interface_endpoints]
    if missing:
        raise ValueError(
            f"vpc is {vpc.node.path}, where builds would fail: it has no endpoint for "
            f"{', '.join(missing)}: write HardenedVpc(..., interface_endpoints="
            f"{(*vpc.interface_endpoints, *missing)!r}), or nat_gateways=1"
        )
    if not vpc.reaches_s3:
        raise ValueError(
            f"vpc is {vpc.node.path}, where builds would fail: its servers cannot reach S3: write "
            "HardenedVpc(..., s3_prefix_list_id='pl-...'), or nat_gateways=1"
        )


def _ami(name: str, hardening: HostHardening, key: cdk.aws_kms.IKey | None) -> dict[str, Any]:
    # Image Builder replaces the expression in double braces.
    ami: dict[str, Any] = {
        "Name": f"{name}-{{{{ imagebuilder:buildDate }}}}",
        "AmiTags": {"HostHardening": hardening.profile},
    }
    if key is not None:
        ami["KmsKeyId"] = key.key_arn
    return ami


def _schedule(
    schedule: cdk.aws_events.Schedule | None,
) -> imagebuilder.CfnImagePipeline.ScheduleProperty | None:
    if schedule is None:
        return None
    return imagebuilder.CfnImagePipeline.ScheduleProperty(
        schedule_expression=schedule.expression_string,
        pipeline_execution_start_condition="EXPRESSION_MATCH_AND_DEPENDENCY_UPDATES_AVAILABLE",
    )


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]
