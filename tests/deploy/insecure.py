"""A stack with every lock open, to show that the read-back sees it."""

from typing import Any

NAME = "Insecure"

ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"


def ref(logical_id: str) -> dict[str, str]:
    return {"Ref": logical_id}


def attribute(logical_id: str, name: str) -> dict[str, list[str]]:
    return {"Fn::GetAtt": [logical_id, name]}


def resource(kind: str, **properties: Any) -> dict[str, Any]:  # noqa: ANN401 - any property
    return {"Type": f"AWS::{kind}", "Properties": properties}


TEMPLATE: dict[str, Any] = {
    "Resources": {
        "Vpc": resource("EC2::VPC", CidrBlock="10.1.0.0/16"),
        "Subnet": resource(
            "EC2::Subnet", VpcId=ref("Vpc"), CidrBlock="10.1.0.0/24", MapPublicIpOnLaunch=True
        ),
        "Group": resource(
            "EC2::SecurityGroup",
            GroupDescription="Open to the world",
            VpcId=ref("Vpc"),
            SecurityGroupIngress=[
                {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIp": "0.0.0.0/0"},
                {"IpProtocol": "tcp", "FromPort": 3389, "ToPort": 3389, "CidrIpv6": "::/0"},
            ],
        ),
        "OpenEndpoint": resource(
            "EC2::VPCEndpoint",
            VpcId=ref("Vpc"),
            ServiceName="com.amazonaws.us-east-1.ssm",
            VpcEndpointType="Interface",
            SubnetIds=[ref("Subnet")],
            SecurityGroupIds=[attribute("Group", "GroupId")],
        ),
        "OpenDoor": resource(
            "EC2::InstanceConnectEndpoint",
            SubnetId=ref("Subnet"),
            SecurityGroupIds=[attribute("Group", "GroupId")],
        ),
        "Role": resource(
            "IAM::Role",
            AssumeRolePolicyDocument={
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"Service": "ec2.amazonaws.com"},
                        "Action": "sts:AssumeRole",
                    }
                ],
            },
            ManagedPolicyArns=[ADMINISTRATOR],
        ),
        "Profile": resource("IAM::InstanceProfile", Roles=[ref("Role")]),
        "Server": resource(
            "EC2::Instance",
            ImageId="ami-12c6146b",
            InstanceType="t3.micro",
            SubnetId=ref("Subnet"),
            SecurityGroupIds=[
                attribute("Group", "GroupId"),
                attribute("Vpc", "DefaultSecurityGroup"),
            ],
            MetadataOptions={
                "HttpPutResponseHopLimit": 2,
                "HttpProtocolIpv6": "enabled",
                "InstanceMetadataTags": "enabled",
            },
            KeyName="everyone",
            IamInstanceProfile=ref("Profile"),
            UserData={"Fn::Base64": "#!/bin/sh\necho PASSWORD=hunter2 >/etc/app\n"},
            BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 8}}],
        ),
    }
}
