"""The templates that checkers are measured with."""

import json
import shutil
from pathlib import Path
from typing import Any, Final

TEMPLATES: Final = Path(__file__).parent / "templates"
"""YAML as teams write it: short tags, conditions, mappings, scripts; no anchors, which cfn-guard
cannot read."""

TIERS: Final = 3
"""Servers per chain: each accepts traffic from the one before it, the first from addresses."""

RESOURCES_A_SERVER: Final = 5


def server(number: int, *, follows: bool) -> dict[str, Any]:
    """Return the resources of one server, some with common flaws.

    Args:
        number: The number of the server, from which names and flaws follow.
        follows: Whether the server before it is in the template, and may be its source.

    Returns:
        `RESOURCES_A_SERVER` resources by logical ID.
    """
    source: dict[str, Any] = {"CidrIp": f"10.0.{number % 256}.0/28"}
    if follows and number % TIERS:
        source = {"SourceSecurityGroupId": {"Fn::GetAtt": [f"Group{number - 1}", "GroupId"]}}
    return {
        f"Group{number}": {
            "Type": "AWS::EC2::SecurityGroup",
            "Properties": {
                "GroupDescription": f"Server {number}",
                "VpcId": {"Ref": "Vpc"},
                "SecurityGroupIngress": [
                    {
                        "Description": "From the tier before",
                        "IpProtocol": "tcp",
                        "FromPort": 8080,
                        "ToPort": 8080,
                        **source,
                    }
                ],
                "SecurityGroupEgress": [
                    {
                        "Description": "HTTPS",
                        "IpProtocol": "tcp",
                        "FromPort": 443,
                        "ToPort": 443,
                        "CidrIp": "10.0.0.0/8",
                    }
                ],
            },
        },
        f"Role{number}": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "AssumeRolePolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"Service": "ec2.amazonaws.com"},
                            "Action": "sts:AssumeRole",
                        }
                    ],
                }
            },
        },
        f"Policy{number}": {
            "Type": "AWS::IAM::ManagedPolicy",
            "Properties": {
                "Roles": [{"Ref": f"Role{number}"}],
                "PolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Action": ["s3:GetObject"],
                            "Resource": f"arn:aws:s3:::artifacts/{number}/*",
                        }
                    ],
                },
            },
        },
        f"Profile{number}": {
            "Type": "AWS::IAM::InstanceProfile",
            "Properties": {"Roles": [{"Ref": f"Role{number}"}]},
        },
        f"Server{number}": {
            "Type": "AWS::EC2::Instance",
            "Properties": {
                "ImageId": {"Ref": "Image"},
                "InstanceType": "m7g.large",
                "SubnetId": {"Ref": "Subnet"},
                "IamInstanceProfile": {"Ref": f"Profile{number}"},
                "SecurityGroupIds": [{"Fn::GetAtt": [f"Group{number}", "GroupId"]}],
                "MetadataOptions": {"HttpTokens": "optional" if number % 10 == 0 else "required"},
                "Monitoring": True,
                "BlockDeviceMappings": [
                    {
                        "DeviceName": "/dev/xvda",
                        "Ebs": {"Encrypted": number % 7 != 0, "VolumeSize": 16},
                    }
                ],
                "UserData": {
                    "Fn::Base64": {
                        "Fn::Sub": "#!/bin/bash\ndnf install --assumeyes nginx\n"
                        f"hostnamectl set-hostname server-{number}.${{AWS::Region}}\n"
                        "systemctl enable --now nginx\n"
                    }
                },
            },
        },
    }


def template(first: int, servers: int) -> str:
    """Return a JSON template of servers.

    Args:
        first: The number of the first server.
        servers: The number of servers.

    Returns:
        The template, indented as the CDK writes it.
    """
    resources: dict[str, Any] = {}
    for number in range(first, first + servers):
        resources |= server(number, follows=number > first)
    document = {
        "Parameters": {
            "Vpc": {"Type": "AWS::EC2::VPC::Id"},
            "Subnet": {"Type": "AWS::EC2::Subnet::Id"},
            "Image": {"Type": "AWS::EC2::Image::Id"},
        },
        "Resources": resources,
    }
    return json.dumps(document, indent=1)


def write_json(folder: Path, *, templates: int, servers: int) -> Path:
    """Write a folder of JSON templates.

    Args:
        folder: The folder to make.
        templates: The number of templates.
        servers: The number of servers in each.

    Returns:
        The folder.
    """
    folder.mkdir()
    for each in range(templates):
        (folder / f"{each:04}.json").write_text(template(each * servers, servers), "utf-8")
    return folder


def write_yaml(folder: Path, *, copies: int) -> Path:
    """Write a folder of YAML templates, copies of those in `TEMPLATES`.

    Args:
        folder: The folder to make.
        copies: The copies of each.

    Returns:
        The folder.
    """
    folder.mkdir()
    for source in sorted(TEMPLATES.glob("*.yaml")):
        for copy in range(copies):
            shutil.copy(source, folder / f"{source.stem}-{copy:02}.yaml")
    return folder
