"""Templates for tests: a sound server to change, and the findings on the result."""

from collections.abc import Mapping
from typing import Any

from hardened_ec2.policy import Finding, Settings, Template, judge

NO_VALUE = {"Ref": "AWS::NoValue"}


def ref(name: str) -> dict[str, Any]:
    return {"Ref": name}


def get_att(logical_id: str, attribute: str) -> dict[str, Any]:
    return {"Fn::GetAtt": [logical_id, attribute]}


def if_(condition: str, yes: object, no: object = NO_VALUE) -> dict[str, Any]:
    return {"Fn::If": [condition, yes, no]}


def resource(kind: str, **properties: object) -> dict[str, Any]:
    return {"Type": f"AWS::{kind}", "Properties": properties}


def template(
    resources: Mapping[str, Any],
    *,
    name: str = "app.template.json",
    **sections: Any,  # noqa: ANN401
) -> Template:
    return Template(name=name, document={**sections, "Resources": dict(resources)})


def judged(
    resources: Mapping[str, Any],
    *,
    settings: Settings | None = None,
    **sections: Any,  # noqa: ANN401
) -> list[Finding]:
    return judge([template(resources, **sections)], settings)


def found(
    rule: str,
    resources: Mapping[str, Any],
    *,
    settings: Settings | None = None,
    **sections: Any,  # noqa: ANN401
) -> list[Finding]:
    """Return the findings of one rule."""
    findings = judged(resources, settings=settings, **sections)
    return [finding for finding in findings if finding.rule == f"HardenedEc2-{rule}"]


def message(
    rule: str,
    resources: Mapping[str, Any],
    *,
    settings: Settings | None = None,
    **sections: Any,  # noqa: ANN401
) -> str:
    """Return the message of the only finding of one rule."""
    (finding,) = found(rule, resources, settings=settings, **sections)
    return finding.message


def rule(
    cidr: object = None,
    *,
    ports: tuple[object, object] = (22, 22),
    protocol: object = "tcp",
    **more: object,
) -> dict[str, Any]:
    """Return an ingress rule for IPv4 or IPv6."""
    source = {}
    if cidr is not None:
        source = {"CidrIpv6" if isinstance(cidr, str) and ":" in cidr else "CidrIp": cidr}
    return {
        "IpProtocol": protocol,
        "FromPort": ports[0],
        "ToPort": ports[1],
        "Description": "test",
        **source,
        **more,
    }


EGRESS = [
    {
        "IpProtocol": "udp",
        "FromPort": 123,
        "ToPort": 123,
        "CidrIp": "169.254.169.123/32",
        "Description": "Time",
    }
]


def group(*ingress: object, **properties: object) -> dict[str, Any]:
    given: dict[str, object] = {
        "GroupDescription": "test",
        "VpcId": ref("Vpc"),
        "SecurityGroupEgress": EGRESS,
        **({"SecurityGroupIngress": list(ingress)} if ingress else {}),
    }
    return resource("EC2::SecurityGroup", **(given | properties))


SOUND_SERVER: Mapping[str, object] = {
    "ImageId": "ami-0123456789abcdef0",
    "InstanceType": "t4g.micro",
    "SubnetId": ref("Subnet"),
    "SecurityGroupIds": [get_att("Group", "GroupId")],
    "IamInstanceProfile": ref("Profile"),
    "MetadataOptions": {
        "HttpEndpoint": "enabled",
        "HttpTokens": "required",
        "HttpPutResponseHopLimit": 1,
    },
    "BlockDeviceMappings": [
        {"DeviceName": "/dev/xvda", "Ebs": {"Encrypted": True, "VolumeType": "gp3"}}
    ],
    "UserData": {"Fn::Base64": "#!/bin/sh\necho hello\n"},
    "DisableApiTermination": True,
    "Monitoring": True,
}


def instance(**properties: object) -> dict[str, Any]:
    """Return a sound instance with some properties changed; ``None`` removes one."""
    merged = {**SOUND_SERVER, **properties}
    return resource("EC2::Instance", **{k: v for k, v in merged.items() if v is not None})


NETWORK: Mapping[str, Any] = {
    "Vpc": resource("EC2::VPC", CidrBlock="10.0.0.0/16"),
    "Subnet": resource("EC2::Subnet", VpcId=ref("Vpc"), CidrBlock="10.0.0.0/24"),
    "Table": resource("EC2::RouteTable", VpcId=ref("Vpc")),
    "Association": resource(
        "EC2::SubnetRouteTableAssociation", SubnetId=ref("Subnet"), RouteTableId=ref("Table")
    ),
    "FlowLog": resource(
        "EC2::FlowLog", ResourceId=ref("Vpc"), ResourceType="VPC", TrafficType="ALL"
    ),
    "EmptyDefault": {
        "Type": "Custom::VpcRestrictDefaultSG",
        "Properties": {"DefaultSecurityGroupId": get_att("Vpc", "DefaultSecurityGroup")},
    },
}

GATEWAY: Mapping[str, Any] = {
    "Gateway": resource("EC2::InternetGateway"),
    "Route": resource(
        "EC2::Route",
        RouteTableId=ref("Table"),
        DestinationCidrBlock="0.0.0.0/0",
        GatewayId=ref("Gateway"),
    ),
}

IDENTITY: Mapping[str, Any] = {
    "Role": resource("IAM::Role", AssumeRolePolicyDocument={"Statement": []}),
    "Profile": resource("IAM::InstanceProfile", Roles=[ref("Role")]),
}

SOUND: Mapping[str, Any] = {
    **NETWORK,
    **IDENTITY,
    "Group": group(rule("203.0.113.7/32")),
    "Server": instance(),
}
"""A private server without findings."""


def server(**properties: object) -> dict[str, Any]:
    """Return the sound template with properties of its server changed."""
    return {**SOUND, "Server": instance(**properties)}


def server_with(*ingress: object, **more: object) -> dict[str, Any]:
    """Return the sound template with its group's ingress replaced and resources added."""
    return {**SOUND, "Group": group(*ingress), **more}


def acl(*entries: dict[str, Any]) -> dict[str, Any]:
    """Return the sound template with a network ACL of these entries, in this order."""
    numbered = {
        f"Entry{n}": resource(
            "EC2::NetworkAclEntry",
            **({"NetworkAclId": ref("Acl"), "RuleNumber": 100 + n, "RuleAction": "allow"} | entry),
        )
        for n, entry in enumerate(entries)
    }
    return {**SOUND, "Acl": resource("EC2::NetworkAcl", VpcId=ref("Vpc")), **numbered}


def through(cidr: object, first: object = 22, last: object = 22, **more: object) -> dict[str, Any]:
    """Return an entry of a network ACL for these addresses and TCP ports."""
    key = "Ipv6CidrBlock" if isinstance(cidr, str) and ":" in cidr else "CidrBlock"
    return {"Protocol": 6, key: cidr, "PortRange": {"From": first, "To": last}, **more}
