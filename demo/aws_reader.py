"""Reader of deployed resources: boto3 answers as the plain values of `deployed`.

It reads the resources that CloudFormation lists for a stack, never by names or outputs, and judges
nothing.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import boto3

from demo.deployed import (
    Deployment,
    FlowLog,
    Group,
    LogGroup,
    Network,
    Rule,
    Server,
    Statement,
    Subnet,
    Volume,
)

if TYPE_CHECKING:
    # Importing them takes a second, and only the type checker needs them.
    from mypy_boto3_ec2.type_defs import (
        FilterTypeDef,
        IpPermissionOutputTypeDef,
        SecurityGroupTypeDef,
    )

Template = Mapping[str, Any]
"""A CloudFormation template as deployed by the CLI."""


def read_deployment(
    session: boto3.Session, endpoint: str, templates: Mapping[str, Template]
) -> Deployment:
    """Read every instance and VPC of some stacks.

    Args:
        session: Credentials and region.
        endpoint: Where the AWS services are.
        templates: The template of each stack, by the stack's name.

    Returns:
        What AWS says is there.
    """
    reader = _Reader(session, endpoint, templates)
    return Deployment(
        servers=tuple(reader.servers()),
        networks=tuple(reader.networks()),
        groups=reader.paths_of("AWS::EC2::SecurityGroup"),
        missing=tuple(reader.missing()),
    )


class _Reader:
    def __init__(
        self, session: boto3.Session, endpoint: str, templates: Mapping[str, Template]
    ) -> None:
        self._ec2 = session.client("ec2", endpoint_url=endpoint)
        self._iam = session.client("iam", endpoint_url=endpoint)
        self._logs = session.client("logs", endpoint_url=endpoint)
        cloudformation = session.client("cloudformation", endpoint_url=endpoint)
        self._region = session.region_name
        self._templates = templates
        self._resources = {
            stack: {
                resource["LogicalResourceId"]: resource["PhysicalResourceId"]
                for page in cloudformation.get_paginator("list_stack_resources").paginate(
                    StackName=stack
                )
                for resource in page["StackResourceSummaries"]
                if resource.get("PhysicalResourceId")
            }
            for stack in templates
        }

    def servers(self) -> Iterator[Server]:
        for path, stack, logical_id, instance_id in self._of_type("AWS::EC2::Instance"):
            found = self._ec2.describe_instances(InstanceIds=[instance_id])["Reservations"]
            description = found[0]["Instances"][0]
            protection = self._ec2.describe_instance_attribute(
                InstanceId=instance_id, Attribute="disableApiTermination"
            )
            user_data = self._ec2.describe_instance_attribute(
                InstanceId=instance_id, Attribute="userData"
            )
            options = description["MetadataOptions"]
            addresses = [description.get("PublicIpAddress"), description.get("Ipv6Address")]
            yield Server(
                path=path,
                http_endpoint=options["HttpEndpoint"],
                http_tokens=options["HttpTokens"],
                http_put_response_hop_limit=options["HttpPutResponseHopLimit"],
                http_protocol_ipv6=options["HttpProtocolIpv6"],
                instance_metadata_tags=options["InstanceMetadataTags"],
                groups=self._groups(
                    [
                        group["GroupId"]
                        for interface in description["NetworkInterfaces"]
                        for group in interface["Groups"]
                    ]
                ),
                public_addresses=tuple(address for address in addresses if address),
                volumes=tuple(
                    Volume(volume_id=volume["VolumeId"], encrypted=volume["Encrypted"])
                    for volume in self._ec2.describe_volumes(
                        Filters=[{"Name": "attachment.instance-id", "Values": [instance_id]}]
                    )["Volumes"]
                ),
                termination_protected=protection["DisableApiTermination"].get("Value", False),
                monitoring=description["Monitoring"]["State"],
                key_name=description.get("KeyName", ""),
                user_data=base64.b64decode(user_data.get("UserData", {}).get("Value", "")),
                template_user_data=self._template_user_data(stack, logical_id),
                statements=self._role_statements(
                    description.get("IamInstanceProfile", {}).get("Arn")
                ),
            )

    def networks(self) -> Iterator[Network]:
        for path, _stack, _logical_id, vpc_id in self._of_type("AWS::EC2::VPC"):
            in_vpc: list[FilterTypeDef] = [{"Name": "vpc-id", "Values": [vpc_id]}]
            flow_logs = self._ec2.describe_flow_logs(
                Filters=[{"Name": "resource-id", "Values": [vpc_id]}]
            )["FlowLogs"]
            default = self._ec2.describe_security_groups(
                Filters=[*in_vpc, {"Name": "group-name", "Values": ["default"]}]
            )["SecurityGroups"][0]
            endpoints = self._ec2.describe_vpc_endpoints(Filters=in_vpc)["VpcEndpoints"]
            ssh_endpoints = self._ec2.describe_instance_connect_endpoints()[
                "InstanceConnectEndpoints"
            ]
            yield Network(
                path=path,
                default_group=_group(default),
                subnets=tuple(
                    Subnet(
                        subnet_id=subnet["SubnetId"],
                        gives_public_addresses=subnet["MapPublicIpOnLaunch"]
                        or subnet["AssignIpv6AddressOnCreation"],
                    )
                    for subnet in self._ec2.describe_subnets(Filters=in_vpc)["Subnets"]
                ),
                flow_logs=tuple(
                    FlowLog(traffic_type=each["TrafficType"], status=each["FlowLogStatus"])
                    for each in flow_logs
                ),
                log_groups=tuple(
                    LogGroup(
                        kms_key_id=log_group.get("kmsKeyId", ""),
                        retention_in_days=log_group.get("retentionInDays", 0),
                    )
                    for flow_log in flow_logs
                    if flow_log.get("LogGroupName")
                    for log_group in self._logs.describe_log_groups(
                        logGroupNamePrefix=flow_log["LogGroupName"]
                    )["logGroups"]
                    if log_group["logGroupName"] == flow_log["LogGroupName"]
                ),
                endpoint_groups=self._groups(
                    [group["GroupId"] for each in endpoints for group in each.get("Groups", [])]
                ),
                ssh_endpoint_groups=self._groups(
                    [
                        group
                        for each in ssh_endpoints
                        if each["VpcId"] == vpc_id
                        for group in each["SecurityGroupIds"]
                    ]
                ),
            )

    def paths_of(self, resource_type: str) -> dict[str, str]:
        return {physical_id: path for path, _, _, physical_id in self._of_type(resource_type)}

    def missing(self) -> Iterator[str]:
        for stack, template in self._templates.items():
            for logical_id, resource in template["Resources"].items():
                if logical_id not in self._resources[stack]:
                    yield f"{stack}/{logical_id} ({resource['Type']})"

    def _of_type(self, resource_type: str) -> Iterator[tuple[str, str, str, str]]:
        for stack, template in self._templates.items():
            for logical_id, resource in template["Resources"].items():
                if resource["Type"] == resource_type and logical_id in self._resources[stack]:
                    physical_id = self._resources[stack][logical_id]
                    # Where the construct is, if the CDK wrote the template.
                    path = resource.get("Metadata", {}).get("aws:cdk:path", "")
                    yield (
                        path.removesuffix("/Resource") or f"{stack}/{logical_id}",
                        stack,
                        logical_id,
                        physical_id,
                    )

    def _groups(self, group_ids: Sequence[str]) -> tuple[Group, ...]:
        if not group_ids:
            return ()
        found = self._ec2.describe_security_groups(GroupIds=sorted(set(group_ids)))
        return tuple(_group(each) for each in found["SecurityGroups"])

    def _template_user_data(self, stack: str, logical_id: str) -> bytes | None:
        value = self._templates[stack]["Resources"][logical_id]["Properties"].get("UserData")
        if value is None:
            return None
        if isinstance(value, str):
            return base64.b64decode(value)
        return self._resolve(stack, value["Fn::Base64"]).encode()

    def _resolve(self, stack: str, value: object) -> str:
        """Resolve user data: text, references and their concatenation."""
        match value:
            case str():
                return value
            case {"Fn::Join": [separator, parts]}:
                return str(separator).join(self._resolve(stack, part) for part in parts)
            case {"Ref": "AWS::Region"}:
                return self._region
            case {"Ref": "AWS::StackName"}:
                return stack
            case {"Ref": name} if name in self._resources[stack]:
                return self._resources[stack][name]
        raise ValueError(
            f"user data in {stack} holds {value!r}, which the read-back cannot resolve: it knows "
            "text, Fn::Join, and Ref to a resource, AWS::Region or AWS::StackName"
        )

    def _role_statements(self, profile_arn: str | None) -> tuple[Statement, ...]:
        if profile_arn is None:
            return ()
        profile = self._iam.get_instance_profile(
            InstanceProfileName=profile_arn.rpartition("/")[2]
        )["InstanceProfile"]
        return tuple(
            statement
            for role in profile["Roles"]
            for document in self._role_policies(role["RoleName"])
            for statement in _listed(document["Statement"])
        )

    def _role_policies(self, role_name: str) -> Iterator[Mapping[str, Any]]:
        for name in self._iam.list_role_policies(RoleName=role_name)["PolicyNames"]:
            inline = self._iam.get_role_policy(RoleName=role_name, PolicyName=name)
            yield _document(inline["PolicyDocument"])
        attached = self._iam.list_attached_role_policies(RoleName=role_name)
        for policy in attached["AttachedPolicies"]:
            arn = policy["PolicyArn"]
            version = self._iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
            managed = self._iam.get_policy_version(PolicyArn=arn, VersionId=version)
            yield _document(managed["PolicyVersion"]["Document"])


def _group(description: SecurityGroupTypeDef) -> Group:
    return Group(
        group_id=description["GroupId"],
        name=description["GroupName"],
        ingress=tuple(_rules(description["IpPermissions"])),
        egress=tuple(_rules(description["IpPermissionsEgress"])),
    )


def _rules(permissions: Sequence[IpPermissionOutputTypeDef]) -> Iterator[Rule]:
    for permission in permissions:
        peers = [
            *(each["CidrIp"] for each in permission.get("IpRanges", [])),
            *(each["CidrIpv6"] for each in permission.get("Ipv6Ranges", [])),
            *(each["GroupId"] for each in permission.get("UserIdGroupPairs", [])),
            *(each["PrefixListId"] for each in permission.get("PrefixListIds", [])),
        ]
        for peer in peers:
            yield Rule(
                protocol=permission["IpProtocol"],
                first_port=permission.get("FromPort", -1),
                last_port=permission.get("ToPort", -1),
                peer=peer,
            )


def _document(document: object) -> Mapping[str, Any]:
    """A policy, which botocore has decoded unless the server sent it in another encoding."""
    if not isinstance(document, Mapping):
        raise TypeError(f"IAM sent a policy as {type(document).__name__}: {document!r}")
    return document


def _listed(value: Statement | list[Statement]) -> list[Statement]:
    return value if isinstance(value, list) else [value]
