"""The warnings: each with what breaks it, what keeps it, what cannot be told, and a disguise."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from hardened_ec2.policy import RULES, Settings, Severity
from tests.unit.policy.templates import (
    EGRESS,
    GATEWAY,
    IDENTITY,
    NETWORK,
    NO_VALUE,
    SOUND,
    acl,
    found,
    get_att,
    group,
    if_,
    ref,
    resource,
    rule,
    server,
    server_with,
    through,
)

SECTIONS: dict[str, Any] = {
    "Parameters": {"Unset": {"Type": "String"}, "No": {"Type": "String", "Default": "false"}},
    "Conditions": {"C": {"Fn::Equals": [ref("AWS::Region"), "x"]}},
}


@dataclass(frozen=True, kw_only=True)
class Examples:
    """What a rule says of templates.

    Args:
        bad: Plainly wrong.
        message: What the finding says of it.
        evasive: Wrong, but not at first sight.
        good: Right, though it may look wrong.
        unresolvable: Nobody can tell; empty where the template always tells.
    """

    bad: dict[str, Any]
    message: str
    evasive: dict[str, Any]
    good: dict[str, Any]
    unresolvable: dict[str, Any] = field(default_factory=dict)


def out(*egress: object) -> dict[str, Any]:
    return server_with(Other=group(SecurityGroupEgress=list(egress)))


def standalone_out(**egress: Any) -> dict[str, Any]:  # noqa: ANN401
    added = resource("EC2::SecurityGroupEgress", GroupId=ref("Group"), **egress)
    return {**SOUND, "Out": added}


def subnet(**properties: object) -> dict[str, Any]:
    made = resource("EC2::Subnet", VpcId=ref("Vpc"), **properties)
    return {**SOUND, "Other": made}


def fleet(**properties: object) -> dict[str, Any]:
    given: dict[str, object] = {
        "VPCZoneIdentifier": [ref("Subnet"), ref("Second")],
        "MaxInstanceLifetime": 2592000,
    }
    made = resource("AutoScaling::AutoScalingGroup", **(given | properties))
    return {**SOUND, "Second": resource("EC2::Subnet", VpcId=ref("Vpc")), "Fleet": made}


def template(**data: object) -> dict[str, Any]:
    return {**SOUND, "Template": resource("EC2::LaunchTemplate", LaunchTemplateData=data)}


def made(kind: str, **properties: object) -> dict[str, Any]:
    return {**SOUND, "Made": resource(kind, **properties)}


def encrypted_by(key: dict[str, Any]) -> dict[str, Any]:
    ebs = {"Encrypted": True, "KmsKeyId": get_att("Key", "Arn")}
    return {
        **server(BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": ebs}]),
        "Key": key,
        "Other": resource("KMS::Key"),
    }


def reading(action: object, on: object, **more: object) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": action, "Resource": on, **more}
    policy = resource("IAM::Policy", Roles=[ref("Role")], PolicyDocument={"Statement": [statement]})
    return {**SOUND, "Policy": policy}


def without(name: str, resources: Any = SOUND) -> dict[str, Any]:  # noqa: ANN401
    return {key: value for key, value in resources.items() if key != name}


def interfaces(*entries: object) -> dict[str, Any]:
    return server(SecurityGroupIds=None, SubnetId=None, NetworkInterfaces=list(entries))


FIRST = {"DeviceIndex": "0", "GroupSet": [ref("Group")], "SubnetId": ref("Subnet")}
SECOND = {**FIRST, "DeviceIndex": "1"}
OPTIONS = {"HttpTokens": "required", "HttpPutResponseHopLimit": 1}
MADE = resource("EC2::NetworkInterface", GroupSet=[ref("Group")], SubnetId=ref("Subnet"))
TIE = resource(
    "EC2::NetworkInterfaceAttachment",
    InstanceId=ref("Server"),
    NetworkInterfaceId=ref("Interface"),
    DeviceIndex="1",
)
READS = {"PolicyDocument": {"Statement": {"Effect": "Allow", "Action": "s3:Get", "Resource": "x"}}}
ADDRESS = {"Address": resource("EC2::EIP", InstanceId=ref("Server"))}
DEFAULT = get_att("Vpc", "DefaultSecurityGroup")

EXAMPLES: dict[str, Examples] = {
    "WideEgress": Examples(
        bad=out({"IpProtocol": "-1", "CidrIp": "0.0.0.0/0"}),
        message="all protocols open towards 0.0.0.0/0",
        evasive=out(
            rule("0.0.0.0/1", ports=(1, 65535)),
            rule("128.0.0.0/1", ports=(0, 32767)),
            rule("128.0.0.0/1", ports=(32768, 65535)),
        ),
        good=out(rule("0.0.0.0/0", ports=(443, 443)), rule("10.0.0.0/8", protocol="-1")),
        unresolvable=out(rule(ref("Unset"), protocol="-1")),
    ),
    "AllPortsOpen": Examples(
        bad=server_with(rule("203.0.113.7/32", protocol="-1")),
        message="all protocols open to 203.0.113.7/32",
        evasive=server_with(rule("203.0.113.7/32", protocol="6", ports=("1", 65535))),
        good=server_with(
            rule("203.0.113.7/32", ports=(20, 25)), rule(protocol="-1", SourceSecurityGroupId="x")
        ),
        unresolvable=server_with(rule("203.0.113.7/32", protocol=ref("Unset"))),
    ),
    "RuleDescription": Examples(
        bad=server_with(rule("203.0.113.7/32", Description=NO_VALUE)),
        message="the rule has no Description",
        evasive=standalone_out(**{**EGRESS[0], "Description": if_("C", "x")}),
        good=server_with(rule("203.0.113.7/32", Description=ref("Unset"))),
        unresolvable=server_with(ref("Unset")),
    ),
    "DefaultGroup": Examples(
        bad=without("EmptyDefault"),
        message="the default group of Vpc keeps its rules",
        evasive={
            **SOUND,
            "Rule": resource("EC2::SecurityGroupIngress", GroupId=DEFAULT, **rule("10.0.0.1/32")),
        },
        good={
            **SOUND,
            "Rule": resource(
                "EC2::SecurityGroupIngress", GroupId=ref("Group"), **rule("10.0.0.1/32")
            ),
        },
    ),
    "SubnetAutoAssign": Examples(
        bad=subnet(MapPublicIpOnLaunch=True),
        message="MapPublicIpOnLaunch of Other is true",
        evasive={
            **SOUND,
            **GATEWAY,
            "Subnet": resource(
                "EC2::Subnet", VpcId=ref("Vpc"), AssignIpv6AddressOnCreation=if_("C", "true")
            ),
        },
        good=subnet(MapPublicIpOnLaunch=ref("No"), AssignIpv6AddressOnCreation=True),
        unresolvable=subnet(MapPublicIpOnLaunch=ref("Unset")),
    ),
    "FlowLog": Examples(
        bad=without("FlowLog"),
        message="Vpc has no flow log",
        evasive={
            **SOUND,
            "FlowLog": resource("EC2::FlowLog", ResourceId=ref("Vpc"), TrafficType="ACCEPT"),
        },
        good={**SOUND, "Extra": resource("EC2::FlowLog", ResourceId=ref("Subnet"))},
    ),
    "NetworkAclOpen": Examples(
        bad=acl(through("0.0.0.0/0")),
        message="the network ACL allows 0.0.0.0/0 to reach port 22 (SSH)",
        evasive=acl(
            through("10.0.0.0/8", RuleAction="deny"),
            through("0.0.0.0/1", 0, 65535),
            through("128.0.0.0/1", 3389, 3389),
            {"Protocol": "-1", "Ipv6CidrBlock": "2000::/3"},
        ),
        good=acl(
            through("0.0.0.0/0", RuleAction="deny"),
            through("0.0.0.0/0", 22, 22),
            through("0.0.0.0/0", 22, 22, Egress=True),
            through("0.0.0.0/0", 443, 443),
        ),
        unresolvable=acl(through(ref("Unset"))),
    ),
    "PublicServerWithRole": Examples(
        bad={
            **SOUND,
            **ADDRESS,
            "Policy": resource("IAM::Policy", Roles=[ref("Role")], **READS),
        },
        message="Server has a public address and a role with permissions",
        evasive={
            **SOUND,
            **ADDRESS,
            "Role": resource(
                "IAM::Role", ManagedPolicyArns=[if_("C", "arn:aws:iam::aws:policy/X")]
            ),
        },
        good={**SOUND, **ADDRESS},
        unresolvable={**server(IamInstanceProfile=ref("Unset")), **ADDRESS},
    ),
    "ImdsTags": Examples(
        bad=server(MetadataOptions={**OPTIONS, "InstanceMetadataTags": "enabled"}),
        message="InstanceMetadataTags is 'enabled'",
        evasive=template(
            MetadataOptions={**OPTIONS, "InstanceMetadataTags": if_("C", "enabled", "disabled")}
        ),
        good=server(MetadataOptions={**OPTIONS, "InstanceMetadataTags": "disabled"}),
        unresolvable=server(MetadataOptions={**OPTIONS, "InstanceMetadataTags": ref("Unset")}),
    ),
    "InstanceProfile": Examples(
        bad=server(IamInstanceProfile=None),
        message="Server has no instance profile",
        evasive=server(IamInstanceProfile=if_("C", ref("Profile"))),
        good=server(IamInstanceProfile=ref("Unset")),
        unresolvable=server(IamInstanceProfile=ref("Unset")),
    ),
    "SourceDestCheck": Examples(
        bad=server(SourceDestCheck=False),
        message="SourceDestCheck is false",
        evasive={
            **SOUND,
            "Interface": resource("EC2::NetworkInterface", SourceDestCheck=ref("No")),
        },
        good=server(SourceDestCheck="true"),
        unresolvable=server(SourceDestCheck=ref("Unset")),
    ),
    "OneInterface": Examples(
        bad=interfaces(FIRST, SECOND),
        message="Server has 2 network interfaces",
        evasive={**SOUND, "Interface": MADE, "Tie": TIE},
        good={**interfaces({"NetworkInterfaceId": ref("Interface")}), "Interface": MADE},
    ),
    "InstanceType": Examples(
        bad=server(InstanceType="m3.large"),
        message="InstanceType is m3.large",
        evasive=server(InstanceType={"Fn::Join": [".", ["T2", "micro"]]}),
        good=server(InstanceType="r6id.32xlarge"),
        unresolvable=server(InstanceType=ref("Unset")),
    ),
    "DetailedMonitoring": Examples(
        bad=server(Monitoring=None),
        message="Monitoring is not given",
        evasive=template(Monitoring={"Enabled": ref("No")}),
        good=server(Monitoring="true"),
        unresolvable=server(Monitoring=ref("Unset")),
    ),
    "TerminationProtection": Examples(
        bad=server(DisableApiTermination=False),
        message="DisableApiTermination is false",
        evasive=server(DisableApiTermination=if_("C", yes=True)),
        good={
            **server(DisableApiTermination=None, LaunchTemplate={"LaunchTemplateId": ref("T")}),
            "T": resource(
                "EC2::LaunchTemplate", LaunchTemplateData={"DisableApiTermination": True}
            ),
        },
        unresolvable=server(DisableApiTermination=ref("Unset")),
    ),
    "LaunchConfiguration": Examples(
        bad={**SOUND, "Old": resource("AutoScaling::LaunchConfiguration")},
        message="Old is a launch configuration",
        evasive={
            **SOUND,
            "Old": resource(
                "EC2::SpotFleet", SpotFleetRequestConfigData={"LaunchSpecifications": [{}]}
            ),
        },
        good=template(),
    ),
    "FleetLifetime": Examples(
        bad=fleet(MaxInstanceLifetime=NO_VALUE),
        message="MaxInstanceLifetime is not given, so servers are never replaced",
        evasive=fleet(MaxInstanceLifetime=str(365 * 86400)),
        good=fleet(),
        unresolvable=fleet(MaxInstanceLifetime=ref("Unset")),
    ),
    "FleetZones": Examples(
        bad=fleet(VPCZoneIdentifier=[ref("Subnet")]),
        message="VPCZoneIdentifier names only one: ${Subnet}",
        evasive=fleet(VPCZoneIdentifier=[ref("Subnet"), if_("C", ref("Second"), NO_VALUE)]),
        good=fleet(VPCZoneIdentifier=ref("Unset")),
    ),
    "FleetHealthCheck": Examples(
        bad=fleet(TargetGroupARNs=[ref("Targets")], HealthCheckType="EC2"),
        message="HealthCheckType is 'EC2', and the group is behind a load balancer",
        evasive=fleet(TrafficSources=[{"Identifier": ref("Targets")}]),
        good=fleet(TargetGroupARNs=[ref("Targets")], HealthCheckType="ELB,EBS"),
        unresolvable=fleet(TargetGroupARNs=[ref("Targets")], HealthCheckType=ref("Unset")),
    ),
    "SnapshotSharing": Examples(
        bad={**SOUND, "Block": resource("EC2::SnapshotBlockPublicAccess", State="unblocked")},
        message="State is 'unblocked'",
        evasive={
            **SOUND,
            "Block": resource(
                "EC2::SnapshotBlockPublicAccess",
                State=if_("C", "block-all-sharing", "block-new-sharing"),
            ),
        },
        good={
            **SOUND,
            "Block": resource("EC2::SnapshotBlockPublicAccess", State="block-all-sharing"),
        },
        unresolvable={
            **SOUND,
            "Block": resource("EC2::SnapshotBlockPublicAccess", State=ref("Unset")),
        },
    ),
    "BlockPublicAccess": Examples(
        bad=made("EC2::VPCBlockPublicAccessOptions", InternetGatewayBlockMode="off"),
        message="InternetGatewayBlockMode is 'off'",
        evasive=made(
            "EC2::VPCBlockPublicAccessExclusion",
            InternetGatewayExclusionMode=if_("C", "allow-egress", "allow-bidirectional"),
        ),
        good={
            **made("EC2::VPCBlockPublicAccessOptions", InternetGatewayBlockMode="block-ingress"),
            "Other": resource(
                "EC2::VPCBlockPublicAccessExclusion", InternetGatewayExclusionMode="allow-egress"
            ),
        },
        unresolvable=made(
            "EC2::VPCBlockPublicAccessOptions", InternetGatewayBlockMode=ref("Unset")
        ),
    ),
    "TransitGateway": Examples(
        bad=made("EC2::TransitGateway", AutoAcceptSharedAttachments="enable"),
        message="AutoAcceptSharedAttachments is 'enable'",
        evasive=made("EC2::TransitGateway", AutoAcceptSharedAttachments=if_("C", "enable")),
        good=made("EC2::TransitGateway"),
        unresolvable=made("EC2::TransitGateway", AutoAcceptSharedAttachments=ref("Unset")),
    ),
    "KeyRotation": Examples(
        bad=encrypted_by(resource("KMS::Key")),
        message="the key Key, which encrypts a volume, is not rotated",
        evasive=encrypted_by(resource("KMS::Key", EnableKeyRotation=ref("No"))),
        good=encrypted_by(resource("KMS::Key", EnableKeyRotation="true")),
        unresolvable=encrypted_by(resource("KMS::Key", EnableKeyRotation=ref("Unset"))),
    ),
    "RoleReadsEverything": Examples(
        bad=reading("secretsmanager:GetSecretValue", "*"),
        message="role Role allows secretsmanager:GetSecretValue, so it can read data that is not "
        "its own",
        evasive=reading("ssm:Get*", "arn:aws:ssm:*:123456789012:parameter/*"),
        good=reading(
            ["s3:GetObject", "secretsmanager:GetSecretValue", "ssm:GetParameter"],
            [
                "arn:aws:s3:::bucket/*",
                "arn:aws:secretsmanager:eu-west-1:123456789012:secret:app-*",
                "arn:aws:ssm:eu-west-1:123456789012:parameter/app/*",
            ],
        ),
        unresolvable=reading("s3:GetObject", "arn:aws:s3:::*/*", Condition={"Bool": {"a": "b"}}),
    ),
    "ServerPortTooWide": Examples(
        bad=server_with(rule("203.0.0.0/16", ports=(5432, 5432))),
        message="tcp port 5432 of Server open to 203.0.0.0/16, 65536 public addresses where 256 "
        "are allowed",
        evasive=server_with(
            rule("198.51.100.0/25", ports=(5000, 6000)),
            rule("203.0.113.0/24", ports=("5432", 5432)),
        ),
        good=server_with(
            rule("203.0.0.0/16", ports=(80, 80)),
            rule("203.0.113.0/24", ports=(5432, 5432)),
            rule("10.0.0.0/8", ports=(6379, 6379)),
            rule(ports=(5433, 5433), SourceSecurityGroupId=ref("Group")),
        ),
        unresolvable=server_with(rule(ref("Unset"), ports=(22, 22))),
    ),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_is_wrong_is_found(name: str) -> None:
    findings = found(name, EXAMPLES[name].bad, **SECTIONS)
    assert EXAMPLES[name].message in [finding.message.split(" (when")[0] for finding in findings]
    (each,) = (rule for rule in RULES if rule.id == f"HardenedEc2-{name}")
    assert {finding.severity for finding in findings} == {each.severity}
    assert (each.severity is Severity.ERROR) == (name == "SnapshotSharing")


@pytest.mark.parametrize("name", EXAMPLES)
def test_it_is_found_in_disguise(name: str) -> None:
    assert found(name, EXAMPLES[name].evasive, **SECTIONS)


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_is_right_is_not(name: str) -> None:
    assert found(name, EXAMPLES[name].good, **SECTIONS) == []


@pytest.mark.parametrize("name", [name for name in EXAMPLES if EXAMPLES[name].unresolvable])
def test_what_cannot_be_told_is_said_and_is_no_finding(name: str) -> None:
    resources = EXAMPLES[name].unresolvable
    quiet = name == "PublicServerWithRole"
    assert bool(found(name, resources, **SECTIONS)) == quiet
    if not quiet:
        assert found("CannotVerify", resources, **SECTIONS)


def test_egress_and_lifetime_are_settings() -> None:
    wide = out(rule("0.0.0.0/0", ports=(1024, 3024)))
    assert found("WideEgress", wide)
    assert found("WideEgress", wide, settings=Settings(egress_ports=2001)) == []
    old = fleet(MaxInstanceLifetime=91 * 86400)
    assert found("FleetLifetime", old)
    assert found("FleetLifetime", old, settings=Settings(fleet_lifetime_days=91)) == []


def test_egress_of_two_arms_is_not_added_up() -> None:
    half = {"ports": (0, 700)}
    arms = if_("C", rule("0.0.0.0/0", **half), rule("0.0.0.0/0", ports=(1000, 1700)))
    assert found("WideEgress", out(arms), **SECTIONS) == []
    both = (rule("0.0.0.0/0", **half), rule("0.0.0.0/0", ports=(1000, 1700)))
    assert found("WideEgress", out(*both), **SECTIONS)


def test_a_prefix_list_of_aws_is_no_doubt_in_egress() -> None:
    listed = {**EGRESS[0], "CidrIp": NO_VALUE, "DestinationPrefixListId": "pl-1"}
    assert found("CannotVerify", out(listed), **SECTIONS) == []


def test_monitoring_of_a_launch_configuration_is_on_by_default() -> None:
    old = resource("AutoScaling::LaunchConfiguration")
    assert found("DetailedMonitoring", {"Old": old}) == []
    off = resource("AutoScaling::LaunchConfiguration", InstanceMonitoring=False)
    assert found("DetailedMonitoring", {"Old": off})


def test_monitoring_of_a_launch_template_is_an_object() -> None:
    assert found("DetailedMonitoring", template(Monitoring={"Enabled": True})) == []
    (finding,) = found("DetailedMonitoring", template(Monitoring={"Enabled": "false"}))
    assert finding.path == "Properties.LaunchTemplateData.Monitoring.Enabled"
    assert finding.message == "Monitoring is false"


def test_the_second_interface_is_told_where_it_stands() -> None:
    (finding,) = found("OneInterface", interfaces(FIRST, SECOND))
    assert finding.path == "Properties.NetworkInterfaces.1"
    tied = {**interfaces(FIRST), "Interface": MADE, "Tie": TIE}
    (finding,) = found("OneInterface", tied)
    assert (finding.logical_id, finding.path) == ("Server", "")


def test_an_interface_that_is_made_in_one_deployment_is_one() -> None:
    either = {"DeviceIndex": "0", "NetworkInterfaceId": if_("C", ref("Interface"))}
    resources = {**interfaces(either), "Interface": MADE}
    assert found("OneInterface", resources, **SECTIONS) == []


def test_the_network_and_the_identity_of_the_examples_are_sound_themselves() -> None:
    for name in EXAMPLES:
        assert found(name, {**NETWORK, **IDENTITY}) == []


def test_the_key_of_a_volume_of_its_own_is_judged_once() -> None:
    volume = resource("EC2::Volume", Encrypted=True, KmsKeyId=ref("Key"))
    resources = {**encrypted_by(resource("KMS::Key")), "Volume": volume}
    assert [each.logical_id for each in found("KeyRotation", resources)] == ["Key"]
    alone = {**SOUND, "Volume": volume, "Key": resource("KMS::Key")}
    assert [each.logical_id for each in found("KeyRotation", alone)] == ["Key"]
    assert found("KeyRotation", {**SOUND, "Key": resource("KMS::Key")}) == []


def test_a_wide_port_is_told_once_and_not_where_worse_is_told() -> None:
    wide = rule("203.0.0.0/16", ports=(5432, 5432))
    both = {**server_with(wide), "Second": server()["Server"]}
    assert len(found("ServerPortTooWide", both)) == 1
    assert found("ServerPortTooWide", server_with(rule("0.0.0.0/0", ports=(5432, 5432)))) == []
    assert found("ServerPortTooWide", server_with(rule("203.0.0.0/16"))) == []
    settings = Settings(public_ports=frozenset({5432}))
    assert found("ServerPortTooWide", server_with(wide), settings=settings) == []
    many = rule("203.0.0.0/16", ports=(30000, 30010))
    assert found("ServerPortTooWide", server_with(many))
    settings = Settings(public_ports=frozenset(range(79, 81)))
    public = rule("203.0.0.0/16", ports=(79, 80))
    assert found("ServerPortTooWide", server_with(public), settings=settings) == []
    parts = [rule(f"203.0.{part}", ports=(5432, 5432)) for part in ("0.0/25", "1.0/24", "2.0/25")]
    (finding,) = found("ServerPortTooWide", server_with(*parts))
    assert finding.path == "Properties.SecurityGroupIngress.1"
    settings = Settings(whitelist_width=2**16)
    assert found("ServerPortTooWide", server_with(wide), settings=settings) == []
    ranged = rule("203.0.0.0/16", ports=(79, 80))
    assert found("ServerPortTooWide", server_with(ranged))
    everything = rule("203.0.0.0/16", protocol="50")
    assert (
        "protocol 50 of Server open"
        in found("ServerPortTooWide", server_with(everything))[0].message
    )


def test_a_list_of_instance_types_is_one_finding() -> None:
    allowed = ["t2.micro", "m3.large", "m7g.large", "c1.medium", "t1.micro"]
    parameters = {"Type": {"Type": "String", "Default": "m7g.large", "AllowedValues": allowed}}
    (finding,) = found("InstanceType", server(InstanceType=ref("Type")), Parameters=parameters)
    what = "InstanceType can be one of 4 old types: c1.medium, m3.large, t1.micro, ..."
    assert finding.message.startswith(what)
    parameters["Type"]["AllowedValues"] = allowed[:3]
    (finding,) = found("InstanceType", server(InstanceType=ref("Type")), Parameters=parameters)
    assert finding.message.startswith("InstanceType can be one of 2 old types: m3.large, t2.micro")
    assert "..." not in finding.message
    parameters["Type"]["AllowedValues"] = allowed[:4]
    (finding,) = found("InstanceType", server(InstanceType=ref("Type")), Parameters=parameters)
    assert finding.message == (
        "InstanceType can be one of 3 old types: c1.medium, m3.large, t2.micro"
    )
    parameters["Type"]["AllowedValues"] = ["m7g.large", "T2.micro"]
    (finding,) = found("InstanceType", server(InstanceType=ref("Type")), Parameters=parameters)
    assert finding.message.startswith("InstanceType is T2.micro")


def test_a_launch_template_of_eks_has_the_node_role_and_may_have_no_profile() -> None:
    data = {"LaunchTemplateData": {"InstanceType": "m7g.large"}}
    resources = {"Template": resource("EC2::LaunchTemplate", **data)}
    assert found("InstanceProfile", resources)
    nodes = resource(
        "EKS::Nodegroup", LaunchTemplate={"Id": ref("Template")}, NodeRole="arn:aws:iam::1:role/r"
    )
    assert found("InstanceProfile", {**resources, "Nodes": nodes}) == []
