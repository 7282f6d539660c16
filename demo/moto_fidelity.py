"""Corrections to moto's CloudFormation where it differs from AWS in what the read-back judges.

moto creates most of a stack faithfully, but leaves out the very properties that harden a server, so
a read-back of plain moto shows an unlocked server whatever the template says. Each function below
says what AWS does and what moto does instead. `tests/deploy/test_moto_fidelity.py` deploys the same
template with and without them, and fails when moto no longer needs one, so that it is removed here.

A deploy to this emulator proves that the real CDK CLI accepts and executes the assembly, and that
its references and properties arrive. It does not prove that AWS behaves the same.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from moto.cloudformation import parsing
from moto.cloudformation.exceptions import ValidationError
from moto.core.responses import ActionResult
from moto.ec2.models import EC2Backend, ec2_backends
from moto.ec2.models.instances import Instance
from moto.ec2.models.security_groups import SecurityGroup
from moto.ec2.models.subnets import Subnet
from moto.ec2.models.vpcs import VPC
from moto.ec2.responses import EC2Response
from moto.iam.models import Role, iam_backends
from moto.logs.models import LogGroup
from moto.moto_api._internal import mock_random

Properties = dict[str, Any]
"""A resource's properties, with every reference already resolved."""


def apply_patches() -> None:
    """Patch moto in this process, permanently: for a process that is only the emulator."""
    models: dict[str, Any] = parsing.get_model_map()
    models["AWS::EC2::Instance"] = Creation(_run_instance)
    models["AWS::EC2::InstanceConnectEndpoint"] = Creation(_create_instance_connect_endpoint)
    models["AWS::EC2::SecurityGroup"] = Creation(_create_security_group)
    models["AWS::EC2::SecurityGroupEgress"] = Creation(_create_egress)
    models["AWS::EC2::SecurityGroupIngress"] = Creation(_create_ingress)
    models["AWS::EC2::Subnet"] = Completion(models["AWS::EC2::Subnet"], _set_public_addressing)
    models["AWS::EC2::VPC"] = Completion(models["AWS::EC2::VPC"], _open_default_security_group)
    models["AWS::KMS::Key"] = Preparation(models["AWS::KMS::Key"], _spell_key_tags)
    models["AWS::Logs::LogGroup"] = Completion(models["AWS::Logs::LogGroup"], _encrypt_log_group)
    models["AWS::IAM::Role"] = Completion(models["AWS::IAM::Role"], _attach_managed_policies)
    parsing.CustomModel = CustomResources()  # type: ignore[assignment,attr-defined]
    EC2Response.describe_instance_connect_endpoints = (  # type: ignore[attr-defined]
        _describe_instance_connect_endpoints
    )


@dataclass(frozen=True)
class Creation:
    """How CloudFormation creates a type: stands in for moto's model of it."""

    create: Callable[[str, Properties, EC2Backend], object]

    def create_from_cloudformation_json(
        self, name: str, resource: Properties, account_id: str, region_name: str, **_: object
    ) -> object:
        """Create the resource; the parser calls this as it calls a model's class method."""
        return self.create(name, resource["Properties"], ec2_backends[account_id][region_name])

    def has_cfn_attr(self, _attribute: str) -> bool:
        """Let an output name any attribute: one that does not exist fails when it is read."""
        return True


@dataclass(frozen=True)
class Completion:
    """Completion of a resource after moto created it."""

    model: Any
    complete: Callable[[Any, Properties], None]

    def create_from_cloudformation_json(
        self, name: str, resource: Properties, *context: str, **more: str
    ) -> object:
        """Have moto create the resource, then complete it."""
        created: object = self.model.create_from_cloudformation_json(
            name, resource, *context, **more
        )
        self.complete(created, resource["Properties"])
        return created

    def has_cfn_attr(self, attribute: str) -> bool:
        """As moto's model answers."""
        return bool(self.model.has_cfn_attr(attribute))


@dataclass(frozen=True)
class Preparation:
    """Translation of properties into moto's spelling before it creates a resource."""

    model: Any
    prepare: Callable[[Properties], Properties]

    def create_from_cloudformation_json(
        self, name: str, resource: Properties, *context: str, **more: str
    ) -> object:
        """Have moto create the resource from the properties as it spells them."""
        prepared = {**resource, "Properties": self.prepare(resource["Properties"])}
        created: object = self.model.create_from_cloudformation_json(
            name, prepared, *context, **more
        )
        return created

    def has_cfn_attr(self, attribute: str) -> bool:
        """As moto's model answers."""
        return bool(self.model.has_cfn_attr(attribute))


@dataclass
class Created:
    """A resource that nothing but CloudFormation asks for later."""

    physical_resource_id: str
    attributes: Properties = field(default_factory=dict)

    def get_cfn_attribute(self, name: str) -> object:
        """Value of an attribute, for Fn::GetAtt."""
        return self.attributes[name]

    def is_created(self) -> bool:
        """At once."""
        return True


def _run_instance(_name: str, properties: Properties, ec2: EC2Backend) -> Instance:
    """An instance gets everything its template says.

    AWS: as written. moto: drops MetadataOptions, SecurityGroupIds, NetworkInterfaces, Monitoring,
    DisableApiTermination, EbsOptimized and the subnet's public addressing, so that the server reads
    back with IMDSv1, without groups, and private even in a subnet that hands out public addresses.
    """
    interfaces = [
        {**interface, "Groups": interface.get("GroupSet", [])}
        for interface in properties.get("NetworkInterfaces", [])
    ]
    devices = properties.get("BlockDeviceMappings")
    reservation = ec2.run_instances(
        image_id=properties.get("ImageId", ""),
        count=1,
        user_data=properties.get("UserData"),
        security_group_names=properties.get("SecurityGroups", []),
        security_group_ids=properties.get("SecurityGroupIds", []),
        nics=interfaces,
        subnet_id=properties.get("SubnetId"),
        # None lets the subnet decide, as EC2 does.
        associate_public_ip=None,
        instance_type=properties.get("InstanceType", "m1.small"),
        is_instance_type_default="InstanceType" not in properties,
        key_name=properties.get("KeyName"),
        private_ip=properties.get("PrivateIpAddress"),
        launch_template=properties.get("LaunchTemplate", {}),
        metadata_options=properties.get("MetadataOptions", {}),
        monitoring_state="enabled" if _is_true(properties.get("Monitoring")) else "disabled",
        disable_api_termination=_is_true(properties.get("DisableApiTermination")),
        ebs_optimized=_is_true(properties.get("EbsOptimized")),
        instance_initiated_shutdown_behavior=properties.get("InstanceInitiatedShutdownBehavior"),
        **({"block_device_mappings": devices} if devices else {}),
    )
    instance: Instance = reservation.instances[0]
    for tag in properties.get("Tags", []):
        instance.add_tag(tag["Key"], tag["Value"])
    if "IamInstanceProfile" in properties:
        ec2.associate_iam_instance_profile(
            instance_id=instance.id, iam_instance_profile_name=properties["IamInstanceProfile"]
        )
    return instance


def _create_security_group(name: str, properties: Properties, ec2: EC2Backend) -> SecurityGroup:
    """A group holds its inline rules, and loses the allow-all egress when it has egress of its own.

    AWS: as written; a group without inline egress allows all. moto: ignores inline egress, and of
    inline ingress all but IPv4 blocks and groups; it stops at a rule without ports.
    """
    group: SecurityGroup = ec2.create_security_group(
        name=properties.get("GroupName", name),
        description=properties["GroupDescription"],
        vpc_id=properties.get("VpcId"),
    )
    for tag in properties.get("Tags", []):
        group.add_tag(tag["Key"], tag["Value"])
    for rule in properties.get("SecurityGroupIngress", []):
        ec2.authorize_security_group_ingress(**_authorization(group.id, rule, "Source"))
    if properties.get("SecurityGroupEgress"):
        group.egress_rules.clear()
    for rule in properties.get("SecurityGroupEgress", []):
        ec2.authorize_security_group_egress(**_authorization(group.id, rule, "Destination"))
    return group


def _create_ingress(_name: str, properties: Properties, ec2: EC2Backend) -> Created:
    """An ingress rule that is a resource of its own.

    AWS: as written. moto: fails on prefix lists, and drops the descriptions of IPv6 blocks and of
    groups.
    """
    rules, _group = ec2.authorize_security_group_ingress(
        **_authorization(properties["GroupId"], properties, "Source")
    )
    return Created(rules[0].id)


def _create_egress(_name: str, properties: Properties, ec2: EC2Backend) -> Created:
    """An egress rule that is a resource of its own: adds to what the group allows already.

    AWS: as written. moto: skips the type, with a line in its log.
    """
    rules, _group = ec2.authorize_security_group_egress(
        **_authorization(properties["GroupId"], properties, "Destination")
    )
    return Created(rules[0].id)


def _authorization(group_id: str, rule: Properties, peer: str) -> dict[str, Any]:
    """A template's rule in the words of the EC2 API."""
    described = {"Description": rule["Description"]} if "Description" in rule else {}
    peer_group = rule.get(f"{peer}SecurityGroupId")
    peer_list = rule.get(f"{peer}PrefixListId")
    return {
        "group_name_or_id": group_id,
        "ip_protocol": str(rule["IpProtocol"]),
        "from_port": rule.get("FromPort", -1),
        "to_port": rule.get("ToPort", -1),
        "ip_ranges": [
            {family: rule[family], **described}
            for family in ("CidrIp", "CidrIpv6")
            if family in rule
        ],
        "source_groups": [{"GroupId": peer_group, **described}] if peer_group else [],
        "prefix_list_ids": [{"PrefixListId": peer_list, **described}] if peer_list else [],
    }


def _open_default_security_group(vpc: VPC, _properties: Properties) -> None:
    """A new VPC's default group lets its members reach each other.

    AWS: one ingress rule, from the group itself. moto: none, so closing the group would seem to
    work without closing anything.
    """
    group = vpc.ec2_backend.get_default_security_group(vpc.id)
    vpc.ec2_backend.authorize_security_group_ingress(
        **_authorization(
            group.id, {"IpProtocol": "-1", "SourceSecurityGroupId": group.id}, "Source"
        )
    )


class CustomResources:
    """The CDK's own custom resource closes a VPC's default group.

    AWS: calls the resource's Lambda function, which revokes the two rules of a new default group.
    moto: waits forever for a function that would need Docker. This class does the work of that one
    function; any other custom resource fails the deployment at once.
    """

    def create_from_cloudformation_json(
        self, name: str, resource: Properties, account_id: str, region_name: str, **context: str
    ) -> Created:
        """Do what the function would do."""
        if context["ResourceType"] != "Custom::VpcRestrictDefaultSG":
            raise ValidationError(
                message=f"The local emulator has no {context['ResourceType']}: "
                f"{context['LogicalId']} runs a Lambda function, which needs a real account"
            )
        group_id = resource["Properties"]["DefaultSecurityGroupId"]
        ec2 = ec2_backends[account_id][region_name]
        ec2.revoke_security_group_ingress(
            **_authorization(
                group_id, {"IpProtocol": "-1", "SourceSecurityGroupId": group_id}, "Source"
            )
        )
        ec2.revoke_security_group_egress(
            **_authorization(group_id, {"IpProtocol": "-1", "CidrIp": "0.0.0.0/0"}, "Destination")
        )
        return Created(name)

    def has_cfn_attr(self, _attribute: str) -> bool:
        """Any attribute exists: a custom resource's function may return any."""
        return True


def _create_instance_connect_endpoint(
    _name: str, properties: Properties, ec2: EC2Backend
) -> Created:
    """An EC2 Instance Connect Endpoint, as its description only.

    AWS: creates it within minutes and describes it. moto: skips the type, and refuses a stack whose
    output reads one of its attributes.
    """
    subnet = ec2.get_subnet(properties["SubnetId"])
    endpoint_id = f"eice-{mock_random.get_random_hex(17)}"
    # EC2 takes the VPC's default group when a template names none.
    default_group = ec2.get_default_security_group(subnet.vpc_id)
    description = {
        "InstanceConnectEndpointId": endpoint_id,
        "InstanceConnectEndpointArn": f"arn:{ec2.partition}:ec2:{ec2.region_name}:"
        f"{ec2.account_id}:instance-connect-endpoint/{endpoint_id}",
        "OwnerId": ec2.account_id,
        "State": "create-complete",
        "SubnetId": subnet.id,
        "VpcId": subnet.vpc_id,
        "AvailabilityZone": subnet.availability_zone,
        "SecurityGroupIds": properties.get("SecurityGroupIds")
        or ([default_group.id] if default_group else []),
        "PreserveClientIp": _is_true(properties.get("PreserveClientIp")),
    }
    ec2.__dict__.setdefault("instance_connect_endpoints", []).append(description)
    return Created(endpoint_id, {"Id": endpoint_id, **description})


def _describe_instance_connect_endpoints(self: EC2Response) -> ActionResult:
    """The API action that reads the endpoints back; takes no filter."""
    endpoints = self.ec2_backend.__dict__.get("instance_connect_endpoints", [])
    return ActionResult({"InstanceConnectEndpoints": endpoints})


def _set_public_addressing(subnet: Subnet, properties: Properties) -> None:
    """A subnet assigns public addresses by default as its template says.

    AWS: MapPublicIpOnLaunch and AssignIpv6AddressOnCreation as written. moto: ignores both, and
    lets the first subnet of a zone hand out public addresses.
    """
    subnet.map_public_ip_on_launch = _is_true(properties.get("MapPublicIpOnLaunch"))
    subnet.assign_ipv6_address_on_creation = _is_true(properties.get("AssignIpv6AddressOnCreation"))


def _attach_managed_policies(role: Role, properties: Properties) -> None:
    """A role has the managed policies that its template names.

    AWS: attaches them. moto: ignores ManagedPolicyArns, so an administrator reads back powerless.
    """
    iam = iam_backends[role.account_id][role.partition]
    for arn in properties.get("ManagedPolicyArns", []):
        iam.attach_role_policy(arn, role.name)


def _spell_key_tags(properties: Properties) -> Properties:
    """A KMS key has the tags that its template gives it.

    AWS: takes Key and Value in a template, as everywhere, though the API of KMS says TagKey and
    TagValue. moto: wants the API's spelling in templates too, and fails on a tagged key.
    """
    tags = [{"TagKey": tag["Key"], "TagValue": tag["Value"]} for tag in properties.get("Tags", [])]
    return {**properties, "Tags": tags}


def _encrypt_log_group(log_group: LogGroup, properties: Properties) -> None:
    """A log group is encrypted with the key that its template names.

    AWS: KmsKeyId as written. moto: looks for it in another spelling and leaves it out.
    """
    log_group.kms_key_id = properties.get("KmsKeyId")


def _is_true(value: object) -> bool:
    """Read a boolean, which CloudFormation takes from JSON or as a word."""
    return value is True or str(value).lower() == "true"
