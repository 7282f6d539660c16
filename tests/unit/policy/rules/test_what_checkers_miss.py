"""Designs that public template checkers pass or refuse wrongly, each with its sound twin.

The comments name what was seen of checkov 3.3, cdk-nag 3.0, the Control Tower and registry rules
for cfn-guard, cfn_nag, KICS, Trivy and the CDK's own validation.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from hardened_ec2.policy import Finding, Severity
from tests.unit.policy.templates import (
    GATEWAY,
    SOUND,
    get_att,
    group,
    if_,
    instance,
    judged,
    ref,
    resource,
    rule,
    server,
    server_with,
)

SECTIONS: dict[str, Any] = {
    "Parameters": {
        "Unset": {"Type": "String"},
        "Secret": {"Type": "String", "NoEcho": True},
    },
    "Conditions": {
        "C": {"Fn::Equals": [ref("Unset"), "x"]},
        "D": {"Fn::Not": [{"Condition": "C"}]},
    },
}
KEY = "AKIA" + "IOSFODNN7EXAMPLQ"
HTTPS = (443, 443)
OFFICE = "203.0.113.7/32"


@dataclass(frozen=True, kw_only=True)
class Case:
    """A design.

    Args:
        rule: The error it is.
        bad: Its resources.
        good: The sound twin: the same design with what is wrong put right.
    """

    rule: str
    bad: Mapping[str, Any]
    good: Mapping[str, Any]


def world(*ingress: object, good: tuple[object, ...] = (rule(OFFICE),), **more: object) -> Case:
    """Return a group whose rules let the internet in to SSH."""
    return Case(
        rule="AdminPortOpenToWorld",
        bad=server_with(*ingress, **more),
        good=server_with(*good, **more),
    )


def two_groups(first: object, second: object) -> dict[str, Any]:
    return {
        **SOUND,
        "Group": group(first),
        "Second": group(second),
        "Server": instance(SecurityGroupIds=[ref("Group"), ref("Second")]),
    }


def listed(*cidrs: str) -> dict[str, Any]:
    entries = [{"Cidr": cidr} for cidr in cidrs]
    return {**FROM_LIST, "List": resource("EC2::PrefixList", Entries=entries)}


FROM_LIST = server_with(rule(SourcePrefixListId=ref("List")))

NETWORK_CASES = {
    # Private subnet and a world rule on a port that is public elsewhere: nobody joins the two.
    "a web rule on a private server": Case(
        rule="PrivateServerOpenToWorld",
        bad=server_with(rule("0.0.0.0/0", ports=HTTPS)),
        good=server_with(rule("10.0.0.0/24", ports=HTTPS)),
    ),
    "a route to the internet in two halves": Case(
        rule="PublicAddress",
        bad={
            **SOUND,
            **GATEWAY,
            **{
                f"Half{first}": resource(
                    "EC2::Route",
                    RouteTableId=ref("Table"),
                    DestinationCidrBlock=f"{first}.0.0.0/1",
                    GatewayId=ref("Gateway"),
                )
                for first in (0, 128)
            },
            "Route": resource("EC2::EIP", Domain="vpc"),
            "Subnet": resource("EC2::Subnet", VpcId=ref("Vpc"), AssignIpv6AddressOnCreation=True),
        },
        good={
            **SOUND,
            "Nat": resource(
                "EC2::Route",
                RouteTableId=ref("Table"),
                DestinationCidrBlock="0.0.0.0/0",
                NatGatewayId="nat-1",
            ),
            "Subnet": resource("EC2::Subnet", VpcId=ref("Vpc"), AssignIpv6AddressOnCreation=True),
        },
    ),
    "two halves of the internet": world(rule("0.0.0.0/1"), rule("128.0.0.0/1")),
    "two halves in two groups of one server": Case(
        rule="AdminPortOpenToWorld",
        bad=two_groups(rule("0.0.0.0/1"), rule("128.0.0.0/1")),
        good=two_groups(rule("198.51.100.7/32"), rule(OFFICE)),
    ),
    "all IPv6 that was given out": world(rule("2000::/3"), good=(rule("2001:db8::7/128"),)),
    "a large part of the internet": world(rule("8.0.0.0/6")),
    "a union of three": world(rule("0.0.0.0/2"), rule("64.0.0.0/2"), rule("128.0.0.0/3")),
    "a rule behind a condition": world(if_("C", rule("0.0.0.0/0"), rule(OFFICE))),
    "a block behind a condition": world(
        rule(if_("C", OFFICE, "0.0.0.0/0")), good=(rule(if_("C", OFFICE, "198.51.100.7/32")),)
    ),
    "all rules behind a condition": Case(
        rule="AdminPortOpenToWorld",
        bad={**SOUND, "Group": group(SecurityGroupIngress=if_("C", [rule("0.0.0.0/0")]))},
        good={**SOUND, "Group": group(SecurityGroupIngress=if_("C", [rule(OFFICE)]))},
    ),
    "IPv6 written in full": world(rule("0:0:0:0:0:0:0:0/0"), good=(rule("2001:db8::7/128"),)),
    "a prefix list that holds the internet": Case(
        rule="AdminPortOpenToWorld", bad=listed("0.0.0.0/0"), good=listed(OFFICE)
    ),
    "a prefix list that holds it in two halves": Case(
        rule="AdminPortOpenToWorld",
        bad=listed("0.0.0.0/1", "128.0.0.0/1"),
        good=listed(OFFICE, "198.51.100.7/32"),
    ),
    "a whole provider in a whitelist": Case(
        rule="AdminPortTooWide",
        bad=server_with(rule("203.0.0.0/16")),
        good=server_with(rule("203.0.113.0/24")),
    ),
    "a protocol by its number": world(
        rule("0.0.0.0/0", protocol="6"), good=(rule(OFFICE, protocol="6"),)
    ),
    # A peer group with all protocols is no range of addresses, yet cdk-nag refuses it.
    "every protocol": world(
        rule("0.0.0.0/0", protocol="-1"), good=(rule(protocol="-1", SourceSecurityGroupId="sg-1"),)
    ),
    "a database": Case(
        rule="ServerPortOpenToWorld",
        bad={**server_with(rule("0.0.0.0/0", ports=(5432, 5432))), **GATEWAY},
        good={**server_with(rule("0.0.0.0/0", ports=HTTPS)), **GATEWAY},
    ),
    "UDP on the port of a desktop": Case(
        rule="ServerPortOpenToWorld",
        bad={**server_with(rule("::/0", ports=(3389, 3389), protocol="udp")), **GATEWAY},
        good={**server_with(rule("2001:db8::7/128", ports=(51820, 51820), protocol="udp"))},
    ),
    "SSH on another port": Case(
        rule="ServerPortOpenToWorld",
        bad={**server_with(rule("0.0.0.0/0", ports=(2222, 2222))), **GATEWAY},
        good={**server_with(rule(OFFICE, ports=(2222, 2222))), **GATEWAY},
    ),
    "an elastic address on a private server": Case(
        rule="PublicAddress",
        bad={**SOUND, "Address": resource("EC2::EIP", InstanceId=ref("Server"))},
        good={**SOUND, "Address": resource("EC2::EIP", Domain="vpc")},
    ),
    "a carrier's address": Case(
        rule="PublicAddress",
        bad=server(
            SecurityGroupIds=None,
            SubnetId=None,
            NetworkInterfaces=[
                {
                    "DeviceIndex": "0",
                    "GroupSet": [ref("Group")],
                    "SubnetId": ref("Subnet"),
                    "AssociateCarrierIpAddress": True,
                }
            ],
        ),
        good=server(
            SecurityGroupIds=None,
            SubnetId=None,
            NetworkInterfaces=[
                {
                    "DeviceIndex": "0",
                    "GroupSet": [ref("Group")],
                    "SubnetId": ref("Subnet"),
                    "AssociateCarrierIpAddress": False,
                }
            ],
        ),
    ),
    "the default group by attribute": Case(
        rule="OwnSecurityGroup",
        bad=server(SecurityGroupIds=[get_att("Vpc", "DefaultSecurityGroup")]),
        good=server(SecurityGroupIds=[get_att("Group", "GroupId")]),
    ),
    "an interface without a group": Case(
        rule="OwnSecurityGroup",
        bad=server(
            SecurityGroupIds=None,
            NetworkInterfaces=[{"DeviceIndex": "0", "SubnetId": ref("Subnet")}],
        ),
        good=server(
            SecurityGroupIds=None,
            NetworkInterfaces=[
                {"DeviceIndex": "0", "SubnetId": ref("Subnet"), "GroupSet": [ref("Group")]}
            ],
        ),
    ),
}

DATA: dict[str, Any] = instance(SubnetId=None)["Properties"]
OPTIONS: dict[str, Any] = DATA["MetadataOptions"]


def with_data(**changes: object) -> dict[str, Any]:
    """Return the launch template of a sound fleet, changed."""
    resources = {name: each for name, each in SOUND.items() if name != "Server"}
    data = {key: value for key, value in (DATA | changes).items() if value is not None}
    chosen = {"LaunchTemplateId": ref("Template"), "Version": "1"}
    return {
        **resources,
        "Template": resource("EC2::LaunchTemplate", LaunchTemplateData=data),
        "Fleet": resource(
            "AutoScaling::AutoScalingGroup",
            VPCZoneIdentifier=[ref("Subnet")],
            MixedInstancesPolicy={"LaunchTemplate": {"LaunchTemplateSpecification": chosen}},
        ),
    }


def on_template(options: dict[str, Any] | None) -> dict[str, Any]:
    """Return an instance with options of its own, or none, on a sound launch template."""
    return {
        **SOUND,
        "Server": instance(
            MetadataOptions=options, LaunchTemplate={"LaunchTemplateId": ref("Template")}
        ),
        "Template": resource(
            "EC2::LaunchTemplate", LaunchTemplateData={"MetadataOptions": OPTIONS}
        ),
    }


METADATA_CASES = {
    # checkov and Control Tower look at launch templates only.
    "an instance that answers without a token": Case(
        rule="ImdsV2",
        bad=server(MetadataOptions={**OPTIONS, "HttpTokens": "optional"}),
        good=server(MetadataOptions={"HttpEndpoint": "disabled"}),
    ),
    "an instance with a long way": Case(
        rule="ImdsHopLimit",
        bad=server(MetadataOptions={**OPTIONS, "HttpPutResponseHopLimit": 3}),
        good=server(MetadataOptions=OPTIONS),
    ),
    "an instance that overrides a good launch template": Case(
        rule="ImdsV2", bad=on_template({"HttpTokens": "optional"}), good=on_template(None)
    ),
    "a template of a mixed instances policy": Case(
        rule="ImdsV2", bad=with_data(MetadataOptions=None), good=with_data()
    ),
    "options behind a condition": Case(
        rule="ImdsV2",
        bad=server(MetadataOptions=if_("C", OPTIONS)),
        good=server(MetadataOptions=if_("C", OPTIONS, {"HttpEndpoint": "disabled"})),
    ),
}


def administrator(service: str) -> dict[str, Any]:
    """Return a role without a profile that may do everything, and that a service may assume."""
    trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return {
        "Role": resource(
            "IAM::Role",
            AssumeRolePolicyDocument={"Statement": [trust]},
            ManagedPolicyArns=["arn:aws:iam::aws:policy/AdministratorAccess"],
        )
    }


def role(*statements: object, **properties: object) -> dict[str, Any]:
    document = {"Version": "2012-10-17", "Statement": list(statements)}
    policies = [{"PolicyName": "p", "PolicyDocument": document}]
    made = resource("IAM::Role", **({"Policies": policies} if statements else {}), **properties)
    return {**SOUND, "Role": made}


def allow(action: object, on: object = "*", **more: object) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": on, **more}


def trusted(principal: object) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return role(AssumeRolePolicyDocument={"Statement": [statement]})


def attached(*statements: object) -> dict[str, Any]:
    document = {"Statement": list(statements)}
    policy = resource("IAM::ManagedPolicy", PolicyDocument=document, Roles=[ref("Role")])
    return {**SOUND, "Managed": policy}


READ = allow("s3:GetObject", "arn:aws:s3:::bucket/*")

IDENTITY_CASES = {
    # checkov's CKV_AWS_63 returns after the first statement.
    "administration in the second statement": Case(
        rule="RoleAdministrator", bad=role(READ, allow("*")), good=role(READ, READ)
    ),
    # CKV_AWS_62 and CKV_AWS_63 leave managed policies out.
    "administration in a managed policy": Case(
        rule="RoleAdministrator", bad=attached(allow("*")), good=attached(READ)
    ),
    # checkov and Control Tower compare with "*" alone.
    "administration as *:*": Case(
        rule="RoleAdministrator",
        bad=role(allow("*:*")),
        good=role(allow("s3:List*", "arn:aws:s3:::b")),
    ),
    "administration over two statements": Case(
        rule="RoleAdministrator",
        bad=role(allow("iam:*"), allow(["ec2:*", "s3:*"])),
        good=role(allow("iam:GetRole", "arn:aws:iam::123456789012:role/worker")),
    ),
    "all actions but some": Case(
        rule="RoleAdministrator",
        bad=role({"Effect": "Allow", "NotAction": ["iam:*"], "Resource": "*"}),
        good=role({"Effect": "Deny", "NotAction": ["s3:GetObject"], "Resource": "*"}, READ),
    ),
    "a policy of AWS in another partition": Case(
        rule="RoleAdministrator",
        bad=role(
            ManagedPolicyArns=[
                {"Fn::Sub": "arn:${AWS::Partition}:iam::aws:policy/AdministratorAccess"}
            ]
        ),
        good=role(
            ManagedPolicyArns=[
                {"Fn::Sub": "arn:${AWS::Partition}:iam::aws:policy/AmazonSSMManagedInstanceCore"}
            ]
        ),
    ),
    # Nobody but cfn_nag takes the string for what {"AWS": "*"} is.
    "everyone as a string": Case(
        rule="RoleTrustOpen", bad=trusted("*"), good=trusted({"Service": "ec2.amazonaws.com"})
    ),
    "everyone in a list": Case(
        rule="RoleTrustOpen",
        bad=trusted({"AWS": ["arn:aws:iam::123456789012:root", "*"]}),
        good=trusted({"Service": ["ec2.amazonaws.com"]}),
    ),
    "any role passed on": Case(
        rule="RolePassRole",
        bad=role(allow(["ec2:RunInstances", "iam:PassRole"])),
        good=role(allow("iam:PassRole", "arn:aws:iam::123456789012:role/worker")),
    ),
    "its own metadata options": Case(
        rule="RoleOwnHardening",
        bad=role(allow("ec2:ModifyInstanceMetadataOptions")),
        good=role(allow("ec2:DescribeInstances")),
    ),
    "a role for servers whose profile is made elsewhere": Case(
        rule="RoleAdministrator",
        bad=administrator("ec2.amazonaws.com"),
        good=administrator("lambda.amazonaws.com"),
    ),
}


def user_data(text: object) -> dict[str, Any]:
    return server(UserData={"Fn::Base64": text})


def init(**config: object) -> dict[str, Any]:
    made = instance()
    return {**SOUND, "Server": {**made, "Metadata": {"AWS::CloudFormation::Init": config}}}


SECRET_CASES = {
    "a key split by Fn::Join": Case(
        rule="UserDataSecret",
        bad=user_data({"Fn::Join": ["", [f"export K={KEY[:10]}", KEY[10:]]]}),
        good=user_data({"Fn::Join": ["", ["export K=", ref("AWS::Region")]]}),
    ),
    "a key split by Fn::Sub": Case(
        rule="UserDataSecret",
        bad=user_data({"Fn::Sub": [f"K={KEY[:7]}${{rest}}", {"rest": KEY[7:]}]}),
        good=user_data({"Fn::Sub": ["K=${rest}", {"rest": ref("AWS::StackName")}]}),
    ),
    # checkov's CKV_AWS_46 skips launch templates.
    "a key in a launch template": Case(
        rule="UserDataSecret",
        bad=with_data(UserData={"Fn::Base64": f"K={KEY}"}),
        good=with_data(UserData={"Fn::Base64": "K=$(aws secretsmanager get-secret-value)"}),
    ),
    # Its expression is anchored to the whole text.
    "a private key inside a script": Case(
        rule="UserDataSecret",
        bad=user_data("#!/bin/sh\ncat >k <<E\n-----BEGIN RSA " + "PRIVATE KEY-----\nMII\nE\n"),
        good=user_data("#!/bin/sh\ncat >k <<E\n-----BEGIN PUBLIC KEY-----\nMII\nE\n"),
    ),
    "a password on a command line": Case(
        rule="UserDataSecret",
        bad=user_data("mysql -u root -phunter2x app"),
        good=user_data("mysql -u root -p$PASSWORD app"),
    ),
    "a secret that CloudFormation fetches": Case(
        rule="UserDataSecret",
        bad=user_data({"Fn::Sub": "P={{resolve:secretsmanager:app:SecretString:p}}"}),
        good=user_data("P=$(aws secretsmanager get-secret-value --secret-id app --output text)"),
    ),
    "a hidden parameter": Case(
        rule="UserDataSecret",
        bad=user_data({"Fn::Sub": "echo ${Secret} >/etc/app"}),
        good=user_data({"Fn::Sub": "echo ${AWS::Region} >/etc/app"}),
    ),
    "a secret for cfn-init": Case(
        rule="MetadataSecret",
        bad=init(config={"files": {"/etc/app": {"content": f"K={KEY}"}}}),
        good=init(config={"files": {"/etc/app": {"content": "K=1"}}}),
    ),
    "passwords for SSH": Case(
        rule="UserDataOpensLogin",
        bad=user_data("sed -i 's/^PasswordAuthentication no/PasswordAuthentication yes/' x"),
        good=user_data("echo 'PasswordAuthentication no' >/etc/ssh/sshd_config.d/00-x.conf"),
    ),
    "passwords for SSH by cfn-init": Case(
        rule="UserDataOpensLogin",
        bad=init(
            config={"files": {"/etc/ssh/x.conf": {"content": "PasswordAuthentication yes\n"}}}
        ),
        good=init(
            config={"files": {"/etc/ssh/x.conf": {"content": "PasswordAuthentication no\n"}}}
        ),
    ),
    "more than EC2 takes": Case(
        rule="UserDataSize", bad=user_data("#" * 16385), good=user_data("#" * 16384)
    ),
}

STORAGE_CASES = {
    "no block device mapping": Case(
        rule="VolumeEncryption", bad=server(BlockDeviceMappings=None), good=server()
    ),
    "a launch template's volume": Case(
        rule="VolumeEncryption",
        bad=with_data(BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 8}}]),
        good=with_data(
            BlockDeviceMappings=[
                {"DeviceName": "/dev/xvda", "Ebs": {"Encrypted": "true"}},
                {"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"},
            ]
        ),
    ),
    "a second volume": Case(
        rule="VolumeEncryption",
        bad=server(
            BlockDeviceMappings=[
                {"DeviceName": "/dev/xvda", "Ebs": {"Encrypted": True}},
                {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 8}},
            ]
        ),
        good=server(
            BlockDeviceMappings=[
                {"DeviceName": "/dev/xvda", "Ebs": {"Encrypted": True}},
                {"DeviceName": "/dev/sdf", "Ebs": {"VolumeSize": 8, "Encrypted": True}},
            ]
        ),
    ),
}

CASES = {
    **NETWORK_CASES,
    **METADATA_CASES,
    **IDENTITY_CASES,
    **SECRET_CASES,
    **STORAGE_CASES,
}


def errors(findings: list[Finding]) -> list[str]:
    return [f"{f.rule} {f.message}" for f in findings if f.severity is Severity.ERROR]


@pytest.mark.parametrize("name", CASES)
def test_what_others_miss_is_an_error(name: str) -> None:
    case = CASES[name]
    found = errors(judged(case.bad, **SECTIONS))
    assert any(each.startswith(f"HardenedEc2-{case.rule} ") for each in found), found


@pytest.mark.parametrize("name", CASES)
def test_its_sound_twin_is_none(name: str) -> None:
    assert errors(judged(CASES[name].good, **SECTIONS)) == []
