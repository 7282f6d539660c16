"""What is sound, unknown or none of a rule's business hides nothing that stands behind it."""

from typing import Any

import pytest

from tests.unit.policy.templates import (
    EGRESS,
    GATEWAY,
    IDENTITY,
    NETWORK,
    NO_VALUE,
    SOUND,
    acl,
    found,
    group,
    if_,
    instance,
    ref,
    resource,
    rule,
    server,
    server_with,
    through,
)

SECTIONS: dict[str, Any] = {
    "Parameters": {"Unset": {"Type": "String"}, "Hidden": {"Type": "String", "NoEcho": True}},
    "Conditions": {
        "C": {"Fn::Equals": [ref("AWS::Region"), "x"]},
        "D": {"Fn::Not": [{"Condition": "C"}]},
    },
}
EVERYONE = "0.0.0.0/0"
OFFICE = "203.0.113.0/28"
HTTPS = rule(EVERYONE, ports=(443, 443))
PING = rule(EVERYONE, protocol="icmp", ports=(-1, -1))
DATABASE = rule(EVERYONE, ports=(5432, 5432))
ALL_OF_IT = {"PolicyDocument": {"Statement": {"Effect": "Allow", "Action": "a:B", "Resource": "x"}}}


def then(bad: object, first: object = NO_VALUE) -> dict[str, Any]:
    """Return two values for one place: one to pass over, then a bad one."""
    return if_("C", first, bad)


UNKNOWN_THEN = {"first": ref("Unset")}


def first(made: dict[str, Any], resources: dict[str, Any]) -> dict[str, Any]:
    """Put a server before all others."""
    return {"First": made, **resources}


def endpoint(groups: object, egress: object = EGRESS) -> dict[str, Any]:
    return {
        **NETWORK,
        "Group": group(SecurityGroupEgress=egress),
        "Endpoint": resource("EC2::InstanceConnectEndpoint", SecurityGroupIds=groups),
    }


def document(content: object) -> dict[str, Any]:
    return resource("SSM::Document", DocumentType="Session", Content=content)


def role(*statements: object) -> dict[str, Any]:
    policies = [{"PolicyName": "p", "PolicyDocument": {"Statement": list(statements)}}]
    return {**IDENTITY, "Role": resource("IAM::Role", Policies=policies)}


def trusting(*principals: object) -> dict[str, Any]:
    statements = [
        each
        if each == ref("Unset")
        else {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": each}
        for each in principals
    ]
    trust = {"Statement": statements}
    return {**IDENTITY, "Role": resource("IAM::Role", AssumeRolePolicyDocument=trust)}


def baseline(rules: object) -> dict[str, Any]:
    return {"Baseline": resource("SSM::PatchBaseline", ApprovalRules={"PatchRules": rules})}


def writing(name: object, **bucket: object) -> dict[str, Any]:
    location = {"S3Location": {"OutputS3BucketName": name}}
    return {
        "Upkeep": resource("SSM::Association", Name="Harden", OutputLocation=location),
        "Bucket": resource("S3::Bucket", **bucket),
    }


BLOCKS = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
SHARING = "/ssm/documents/console/public-sharing-permission"
SESSION = {"sessionType": "Standard_Stream", "inputs": {"kmsKeyId": "x"}}
INSIDE: dict[str, Any] = {
    "Inside": resource("EC2::Subnet", VpcId=ref("Vpc")),
    "InsideWay": resource(
        "EC2::SubnetRouteTableAssociation", SubnetId=ref("Inside"), RouteTableId=ref("InsideTable")
    ),
    "InsideTable": resource("EC2::RouteTable", VpcId=ref("Vpc")),
}
BEHIND: dict[str, Any] = {
    **SOUND,
    "Web": group(HTTPS),
    "Front": instance(SecurityGroupIds=[ref("Web")]),
}
FROM_WEB: dict[str, Any] = {"SourceSecurityGroupId": ref("Web")}

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "groups of an endpoint": (
        "InstanceConnectEndpointReach",
        endpoint(then([], **UNKNOWN_THEN)),
    ),
    "ports that an endpoint reaches": (
        "InstanceConnectEndpointReach",
        endpoint(
            [ref("Group")],
            [rule("10.0.0.0/16", ports=(then(22, first=443), then(22, first=443)))],
        ),
    ),
    "documents": (
        "SessionRecording",
        {
            "A": resource("SSM::Document", DocumentType="Command", Content={}),
            "B": document(SESSION),
        },
    ),
    "contents of a document": (
        "SessionRecording",
        {"Document": document(then(SESSION, **UNKNOWN_THEN))},
    ),
    "egress of a group": (
        "ImplicitEgress",
        {**NETWORK, "Out": group(SecurityGroupEgress=then([], **UNKNOWN_THEN))},
    ),
    "ports that a group lets out": (
        "WideEgress",
        {
            **NETWORK,
            "Out": group(
                SecurityGroupEgress=[rule("10.0.0.0/8"), rule(EVERYONE, ports=(1024, 9999))]
            ),
        },
    ),
    "rules for all ports": (
        "AllPortsOpen",
        server_with(rule(OFFICE, ports=(443, 443)), rule(OFFICE, ports=(0, 65535))),
    ),
    "trust in everyone": ("RoleTrustOpen", trusting(ref("Unset"), "*")),
    "trust in others": (
        "RoleTrustWide",
        trusting(ref("Unset"), {"Service": "lambda.amazonaws.com"}),
    ),
    "principals": ("RoleTrustWide", trusting({"AWS": ["*", "123456789012"]})),
    "statements": (
        "RoleNotAction",
        role(ref("Unset"), {"Effect": "Allow", "NotAction": "a:B", "Resource": "x"}),
    ),
    "metadata options of a build": (
        "ImageBuildMetadata",
        {
            "Build": resource(
                "ImageBuilder::InfrastructureConfiguration",
                InstanceMetadataOptions=then({}, **UNKNOWN_THEN),
            )
        },
    ),
    "public addresses of a subnet": (
        "SubnetAutoAssign",
        {"Subnet": resource("EC2::Subnet", MapPublicIpOnLaunch=then(bad=True, first=False))},
    ),
    "directions of a network ACL": (
        "NetworkAclOpen",
        acl(through(EVERYONE, Egress=True), through(EVERYONE)),
    ),
    "directions of an entry": (
        "NetworkAclOpen",
        acl(through(EVERYONE, Egress=then(bad=False, first=True))),
    ),
    "ports of a network ACL": ("NetworkAclOpen", acl(through(EVERYONE, 1, 1), through(EVERYONE))),
    "readings of a network ACL": (
        "NetworkAclOpen",
        acl(through(EVERYONE, if_("C", 9, 22), Protocol=if_("C", 17, 6))),
    ),
    "volumes of two deployments": (
        "VolumeEncryption",
        server(
            BlockDeviceMappings=[
                if_("C", NO_VALUE, {"DeviceName": "/dev/xvda", "Ebs": {"Encrypted": True}})
            ]
        ),
    ),
    "buckets": ("AssociationOutput", writing(then(ref("Bucket")), AccessControl="PublicRead")),
    "blocks of a bucket": (
        "AssociationOutput",
        writing(ref("Bucket"), PublicAccessBlockConfiguration=then({})),
    ),
    "one block of a bucket": (
        "AssociationOutput",
        writing(
            ref("Bucket"),
            PublicAccessBlockConfiguration={
                key: then(bad=False, **UNKNOWN_THEN) if key == BLOCKS[0] else True for key in BLOCKS
            },
        ),
    ),
    "service settings": (
        "DocumentSharing",
        {
            "Setting": resource(
                "SSM::ServiceSetting", SettingId=then(SHARING, first="x"), SettingValue="Enable"
            )
        },
    ),
    "rules of a baseline": ("PatchBaselineEmpty", baseline(then([], **UNKNOWN_THEN))),
    "delays of a baseline": ("PatchDelay", baseline([ref("Unset"), {"ApproveAfterDays": 90}])),
    "delays of a rule": ("PatchDelay", baseline([{"ApproveAfterDays": then(90)}])),
    "data of a launch template": (
        "UserDataSecret",
        {
            "Template": resource(
                "EC2::LaunchTemplate",
                LaunchTemplateData=then({"UserData": ref("Hidden")}, **UNKNOWN_THEN),
            )
        },
    ),
    "secrets of user data": (
        "UserDataSecret",
        server(UserData={"Fn::Base64": {"Fn::Sub": "PASSWORD=${AWS::Region}\nPASSWORD=hunter2"}}),
    ),
    "servers without an opening": (
        "PrivateServerOpenToWorld",
        first(
            instance(SecurityGroupIds=[ref("Closed")]),
            server_with(HTTPS, Closed=group(rule(**FROM_WEB))),
        ),
    ),
    "public deployments of a server": (
        "PrivateServerOpenToWorld",
        {
            **server_with(HTTPS),
            **GATEWAY,
            **INSIDE,
            "Server": instance(SubnetId=if_("C", ref("Inside"), ref("Subnet"))),
        },
    ),
    "openings that are not known": (
        "PrivateServerOpenToWorld",
        server_with(rule(ref("Unset"), ports=(443, 443)), HTTPS),
    ),
    "direct paths": (
        "SteppingStone",
        {**BEHIND, "Group": group(rule("203.0.113.7/32"), rule(**FROM_WEB))},
    ),
    "paths to other ports": (
        "SteppingStone",
        {**BEHIND, "Group": group(rule(ports=(5432, 5432), **FROM_WEB), rule(**FROM_WEB))},
    ),
    "paths that are never deployed": (
        "SteppingStone",
        {
            **BEHIND,
            "Group": group(if_("D", rule(**FROM_WEB)), rule(**FROM_WEB)),
            "Server": instance(SecurityGroupIds=if_("C", [ref("Group")], ["sg-1"])),
        },
    ),
    "entrances that are never deployed": (
        "SteppingStone",
        {
            **BEHIND,
            "Middle": group(if_("D", rule(**FROM_WEB)), HTTPS),
            "Second": instance(SecurityGroupIds=[ref("Middle")]),
            "Group": group(if_("C", rule(SourceSecurityGroupId=ref("Middle")))),
        },
    ),
    "rules on the way that are never deployed": (
        "SteppingStone",
        {
            **BEHIND,
            "Group": group(rule(SourceSecurityGroupId=ref("Middle"))),
            "Middle": group(if_("C", rule(ports=(9000, 9000), **FROM_WEB))),
            "Second": instance(SecurityGroupIds=[ref("Middle")]),
            "Web": group(if_("D", DATABASE), HTTPS),
        },
    ),
    "private servers that answer": (
        "IcmpOpenToWorld",
        first(instance(SubnetId=ref("Inside")), {**server_with(PING), **GATEWAY, **INSIDE}),
    ),
    "openings that are no ICMP": (
        "IcmpOpenToWorld",
        {**server_with(rule("203.0.113.7/32"), PING), **GATEWAY},
    ),
    "profiles": (
        "PublicServerWithRole",
        {
            **server(IamInstanceProfile=then(ref("Profile"))),
            **GATEWAY,
            "Role": resource("IAM::Role", Policies=[ALL_OF_IT]),
            "Address": resource("EC2::EIP", InstanceId=ref("Server")),
        },
    ),
    "public addresses": (
        "PublicServerWithRole",
        {
            **server(IamInstanceProfile=if_("D", ref("Profile"))),
            **GATEWAY,
            "Role": resource("IAM::Role", Policies=[ALL_OF_IT]),
            "Address": resource("EC2::EIP", InstanceId=if_("C", ref("Server"))),
            "Another": resource("EC2::EIP", InstanceId=if_("D", ref("Server"))),
        },
    ),
    "subnets of a fleet": (
        "FleetZones",
        {
            "Fleet": resource(
                "AutoScaling::AutoScalingGroup",
                VPCZoneIdentifier=then(["subnet-1"], **UNKNOWN_THEN),
            )
        },
    ),
    "one subnet of a fleet": (
        "FleetZones",
        {
            "Fleet": resource(
                "AutoScaling::AutoScalingGroup",
                VPCZoneIdentifier=[if_("C", ref("Unset")), "subnet-1"],
            )
        },
    ),
    "readings of a rule": (
        "AdminPortOpenToWorld",
        server_with(
            rule(EVERYONE, protocol=if_("C", "udp", "tcp"), ports=(if_("C", 9, 22), 22)),
        ),
    ),
}


@pytest.mark.parametrize(("name", "resources"), CASES.values(), ids=CASES)
def test_what_comes_after_what_is_passed_over_is_found(
    name: str, resources: dict[str, Any]
) -> None:
    assert found(name, resources, **SECTIONS)


def test_what_comes_after_a_group_that_is_held_is_doubted() -> None:
    resources = {**SOUND, "Lonely": group(DATABASE)}
    assert "in group Lonely" in "".join(f.message for f in found("CannotVerify", resources))


def test_a_route_of_a_table_that_is_known_in_one_deployment_leads_in() -> None:
    table = if_("C", "rtb-1", ref("Table"))
    route = resource("EC2::Route", **{**GATEWAY["Route"]["Properties"], "RouteTableId": table})
    (finding,) = found(
        "PublicAddress",
        {**server(Ipv6AddressCount=1), **GATEWAY, "Route": route},
        **SECTIONS,
    )
    assert finding.logical_id == "Server"


@pytest.mark.parametrize("table", ["rtb-1", ref("Elsewhere")])
def test_what_comes_after_a_route_table_that_is_not_known_is_a_way_in(table: object) -> None:
    way = {"SubnetId": ref("Subnet"), "RouteTableId": table}
    route = {**GATEWAY["Route"]["Properties"], "RouteTableId": table}
    for unknown in (
        resource("EC2::SubnetRouteTableAssociation", **way),
        resource("EC2::Route", **route),
    ):
        resources = {"Above": unknown, **server_with(HTTPS), **GATEWAY}
        doubts = [each.message for each in found("CannotVerify", resources)]
        assert not any("PrivateServerOpenToWorld" in each for each in doubts)
        assert found("PrivateServerOpenToWorld", resources) == []
