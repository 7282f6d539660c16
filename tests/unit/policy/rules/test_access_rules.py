"""Ways in that are no open port: what an endpoint reaches, and whether sessions are recorded."""

import json
from typing import Any

import pytest

from hardened_ec2.policy import Severity
from tests.unit.policy.templates import (
    EGRESS,
    NETWORK,
    NO_VALUE,
    found,
    get_att,
    group,
    if_,
    message,
    ref,
    resource,
    rule,
)

REACH = "InstanceConnectEndpointReach"
CLIENT = "InstanceConnectClientIp"
RECORDING = "SessionRecording"
HOLE = "AccessScopeHole"
UNSET: dict[str, Any] = {"Parameters": {"Unset": {"Type": "String"}}}


def let_out(cidr: str, *, ports: tuple[int, int] = (22, 22), protocol: str = "tcp") -> object:
    key = "CidrIpv6" if ":" in cidr else "CidrIp"
    return {
        "IpProtocol": protocol,
        "FromPort": ports[0],
        "ToPort": ports[1],
        key: cidr,
        "Description": "test",
    }


def endpoint(egress: object = EGRESS, **properties: object) -> dict[str, Any]:
    given: dict[str, object] = {
        "SubnetId": ref("Subnet"),
        "SecurityGroupIds": [get_att("Group", "GroupId")],
        **properties,
    }
    return {
        **NETWORK,
        "Group": group(SecurityGroupEgress=egress),
        "Endpoint": resource("EC2::InstanceConnectEndpoint", **given),
    }


# What an endpoint reaches.


@pytest.mark.parametrize(
    ("egress", "reached"),
    [
        ([let_out("10.0.0.0/16")], "10.0.0.0/16, 65536 addresses where 256"),
        ([let_out("0.0.0.0/0", ports=(0, 65535))], "0.0.0.0/0, 4294967296 addresses"),
        ([let_out("10.0.0.0/16", ports=(3389, 3389))], "10.0.0.0/16"),
        ([let_out("0.0.0.0/0", ports=(-1, -1), protocol="-1")], "0.0.0.0/0"),
        ([let_out("fd00::/64")], "fd00::/64"),
        # Each of them is narrow enough; together they are not.
        ([let_out("10.0.0.0/24"), let_out("10.0.1.0/24")], "10.0.0.0/23, 512 addresses"),
    ],
)
def test_an_endpoint_that_reaches_a_whole_network_is_reported(
    egress: list[object], reached: str
) -> None:
    (finding,) = found(REACH, endpoint(egress))
    assert finding.severity is Severity.WARNING
    assert (finding.logical_id, finding.path) == ("Endpoint", "Properties.SecurityGroupIds.0")
    assert f"it can reach port 22 or 3389 of {reached}" in finding.message


@pytest.mark.parametrize(
    "egress",
    [
        EGRESS,
        [let_out("10.0.0.0/24")],
        [let_out("0.0.0.0/0", ports=(443, 443))],
        [
            {
                "IpProtocol": "tcp",
                "FromPort": 22,
                "ToPort": 22,
                "DestinationSecurityGroupId": "sg-1",
                "Description": "SSH",
            }
        ],
    ],
)
def test_an_endpoint_that_reaches_named_servers_is_sound(egress: list[object]) -> None:
    assert found(REACH, endpoint(egress)) == []


def test_a_rule_beside_the_group_is_counted_too() -> None:
    beside = resource(
        "EC2::SecurityGroupEgress",
        GroupId=get_att("Group", "GroupId"),
        IpProtocol="tcp",
        FromPort=22,
        ToPort=22,
        CidrIp="10.0.0.0/8",
    )
    assert "10.0.0.0/8" in message(REACH, {**endpoint(), "Beside": beside})


NO_GROUP = "it has no security group, so it gets the default group of its VPC"


@pytest.mark.parametrize(
    ("resources", "says"),
    [
        (endpoint(SecurityGroupIds=None), NO_GROUP),
        (endpoint(SecurityGroupIds=[]), NO_GROUP),
        (
            endpoint(SecurityGroupIds=[get_att("Vpc", "DefaultSecurityGroup")]),
            "Vpc.DefaultSecurityGroup is the default group of its VPC",
        ),
        (endpoint(None), "its group has no egress rules, so EC2 allows all outbound traffic"),
    ],
)
def test_an_endpoint_whose_group_says_nothing_is_reported(
    resources: dict[str, Any], says: str
) -> None:
    assert message(REACH, resources) == says


@pytest.mark.parametrize(
    ("resources", "says"),
    [
        (endpoint(SecurityGroupIds=["sg-1"]), "the egress rules of sg-1 are not in the templates"),
        (endpoint(SecurityGroupIds=ref("Unset")), "SecurityGroupIds is not known"),
        (endpoint([let_out("${Unset}") | {"CidrIp": ref("Unset")}]), "what the endpoint can reach"),  # type: ignore[operator]
    ],
)
def test_a_reach_that_is_not_known_is_said(resources: dict[str, Any], says: str) -> None:
    assert found(REACH, resources, **UNSET) == []
    assert any(says in each.message for each in found("CannotVerify", resources, **UNSET))


def test_clients_addresses_in_the_network_are_reported() -> None:
    assert message(CLIENT, endpoint(PreserveClientIp=True)) == "PreserveClientIp is true"
    assert message(CLIENT, endpoint(PreserveClientIp="true")) == "PreserveClientIp is true"
    assert found(CLIENT, endpoint(PreserveClientIp=False)) == []
    assert found(CLIENT, endpoint()) == []
    conditional = endpoint(PreserveClientIp=if_("C", yes=True, no=False))
    assert "(when condition C is true)" in message(
        CLIENT, conditional, Conditions={"C": {"Fn::Equals": ["a", "b"]}}
    )
    unknown = endpoint(PreserveClientIp=ref("Unset"))
    assert found(CLIENT, unknown, **UNSET) == []
    assert "PreserveClientIp is not known" in message("CannotVerify", unknown, **UNSET)


# What is kept of sessions.

SOUND_INPUTS: dict[str, Any] = {
    "cloudWatchLogGroupName": "sessions",
    "cloudWatchEncryptionEnabled": True,
    "kmsKeyId": "alias/sessions",
}
NO_KEY = "kmsKeyId is not given, so only TLS encrypts a session"
NOWHERE = "sessions are not recorded: neither cloudWatchLogGroupName nor s3BucketName is given"
LOG_GROUP_UNNAMED = {**SOUND_INPUTS, "cloudWatchLogGroupName": ""}


def document(
    inputs: object, *, kind: object = "Standard_Stream", as_text: bool = False, **properties: object
) -> dict[str, Any]:
    content: object = {"schemaVersion": "1.0", "sessionType": kind, "inputs": inputs}
    if as_text:
        content = json.dumps(content)
    given = {"DocumentType": "Session", "Content": content, **properties}
    return {"Preferences": resource("SSM::Document", **given)}


@pytest.mark.parametrize("as_text", [False, True])
@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        ({"kmsKeyId": "alias/sessions"}, NOWHERE),
        (LOG_GROUP_UNNAMED, NOWHERE),
        (
            {**SOUND_INPUTS, "cloudWatchEncryptionEnabled": False},
            "cloudWatchEncryptionEnabled is false, so the log group may be unencrypted",
        ),
        (
            {"s3BucketName": "sessions", "kmsKeyId": "alias/sessions"},
            "s3EncryptionEnabled is not given, so the bucket may be unencrypted",
        ),
        (
            {**SOUND_INPUTS, "s3BucketName": "sessions", "s3EncryptionEnabled": "no"},
            "s3EncryptionEnabled is 'no', so the bucket may be unencrypted",
        ),
        ({**SOUND_INPUTS, "kmsKeyId": ""}, NO_KEY),
    ],
)
def test_sessions_that_leave_no_encrypted_trace_are_reported(
    inputs: dict[str, Any], says: str, *, as_text: bool
) -> None:
    (finding,) = found(RECORDING, document(inputs, as_text=as_text))
    assert finding.severity is Severity.WARNING
    assert finding.message == says


@pytest.mark.parametrize("as_text", [False, True])
@pytest.mark.parametrize(
    "inputs",
    [
        SOUND_INPUTS,
        {"s3BucketName": "sessions", "s3EncryptionEnabled": True, "kmsKeyId": "alias/sessions"},
    ],
)
def test_recorded_and_encrypted_sessions_are_sound(
    inputs: dict[str, Any], *, as_text: bool
) -> None:
    assert found(RECORDING, document(inputs, as_text=as_text)) == []


def test_names_that_are_made_at_deployment_are_names() -> None:
    named = {
        **SOUND_INPUTS,
        "cloudWatchLogGroupName": ref("Log"),
        "kmsKeyId": get_att("Key", "Arn"),
    }
    made = {"Log": resource("Logs::LogGroup"), "Key": resource("KMS::Key")}
    assert found(RECORDING, {**document(named), **made}) == []


@pytest.mark.parametrize(
    "resources",
    [
        document({}, kind="Port"),
        document({}, kind="InteractiveCommands"),
        document({}, DocumentType="Command"),
        document({}, DocumentType=None),
    ],
)
def test_other_documents_record_nothing_and_are_none_of_this(resources: dict[str, Any]) -> None:
    assert found(RECORDING, resources) == []


@pytest.mark.parametrize(
    "content",
    [
        "schemaVersion: '1.0'\nsessionType: Standard_Stream\n",
        "[]",
        ref("Unset"),
        {"Fn::Sub": '{"sessionType": "Standard_Stream", "inputs": {"kmsKeyId": "${Unset}"}}'},
    ],
)
def test_a_document_that_cannot_be_read_is_said(content: object) -> None:
    resources = document({}, Content=content)
    assert found(RECORDING, resources, **UNSET) == []
    (finding,) = found("CannotVerify", resources, **UNSET)
    assert finding.message.endswith(": the session document is not known: it is not plain JSON")


def test_an_encryption_that_is_not_known_is_said() -> None:
    unknown = document({**SOUND_INPUTS, "cloudWatchEncryptionEnabled": ref("Unset")})
    assert found(RECORDING, unknown, **UNSET) == []
    assert "cloudWatchEncryptionEnabled is not known" in message("CannotVerify", unknown, **UNSET)


# What a Network Access Scope leaves out.


def scope(*excluded: object) -> dict[str, Any]:
    return {
        "Scope": resource(
            "EC2::NetworkInsightsAccessScope", MatchPaths=[], ExcludePaths=[*excluded]
        )
    }


def statement(**named: object) -> dict[str, Any]:
    return {"ResourceStatement": named}


KIND = statement(ResourceTypes=["AWS::ElasticLoadBalancingV2::LoadBalancer"])


@pytest.mark.parametrize(
    "excluded",
    [
        {},
        {"ThroughResources": [KIND]},
        {"Source": statement(ResourceTypes=["AWS::EC2::InternetGateway"])},
        {"Source": statement(Resources=[]), "ThroughResources": [KIND]},
    ],
)
def test_a_scope_that_leaves_out_every_path_of_a_kind_is_reported(excluded: object) -> None:
    (finding,) = found(HOLE, scope(excluded))
    assert (finding.logical_id, finding.path) == ("Scope", "Properties.ExcludePaths.0")
    assert finding.message == "it excludes paths by resource type and names no resource"


@pytest.mark.parametrize(
    "excluded",
    [
        {"ThroughResources": [statement(Resources=["arn:aws:elasticloadbalancing:..."])]},
        {"Destination": statement(Resources=[ref("Server")])},
        {"Source": {"PacketHeaderStatement": {"DestinationPorts": ["443"]}}},
    ],
)
def test_a_scope_that_names_what_it_leaves_out_is_sound(excluded: object) -> None:
    assert found(HOLE, scope(excluded)) == []
    assert found(HOLE, scope()) == []


def test_what_a_scope_leaves_out_may_not_be_known() -> None:
    resources = scope()
    resources["Scope"]["Properties"]["ExcludePaths"] = ref("Unset")
    assert found(HOLE, resources, **UNSET) == []
    assert "what the scope excludes is not known" in message("CannotVerify", resources, **UNSET)


# What holds in one deployment only.

CONDITION: dict[str, Any] = {"Conditions": {"C": {"Fn::Equals": [ref("AWS::Region"), "x"]}}}


@pytest.mark.parametrize(
    "egress", [if_("C", EGRESS), [if_("C", EGRESS[0])]], ids=["whole", "its only rule"]
)
def test_egress_of_one_deployment_leaves_the_other_without(egress: object) -> None:
    assert message(REACH, endpoint(egress), **CONDITION).startswith("its group has no egress rules")


def test_an_endpoint_reaches_the_entries_of_a_prefix_list() -> None:
    to_list = rule(DestinationPrefixListId=ref("List"))
    resources = {
        **endpoint([to_list]),
        "List": resource("EC2::PrefixList", Entries=[{"Cidr": "10.0.0.0/16"}]),
    }
    assert "of 10.0.0.0/16, 65536 addresses" in message(REACH, resources)


@pytest.mark.parametrize(
    "resources",
    [
        document({"kmsKeyId": "x"}, DocumentType=if_("C", "Session", "Command")),
        document({"kmsKeyId": "x"}, kind=if_("C", "Standard_Stream", "Port")),
        document({**SOUND_INPUTS, "cloudWatchLogGroupName": if_("C", NO_VALUE, "sessions")}),
    ],
    ids=["kind of document", "kind of session", "log group"],
)
def test_sessions_that_are_recorded_nowhere_in_one_deployment(resources: dict[str, Any]) -> None:
    assert message(RECORDING, resources, **CONDITION).startswith(NOWHERE)


def test_a_log_group_of_one_deployment_says_when_it_is_missing() -> None:
    missing = {**SOUND_INPUTS, "cloudWatchLogGroupName": if_("C", "sessions")}
    assert message(RECORDING, document(missing), **CONDITION) == (
        f"{NOWHERE} (when condition C is false)"
    )


def test_sessions_that_are_recorded_in_either_place_are_sound() -> None:
    either = {
        "cloudWatchLogGroupName": if_("C", "sessions"),
        "cloudWatchEncryptionEnabled": if_("C", yes=True, no=False),
        "s3BucketName": if_("C", NO_VALUE, "sessions"),
        "s3EncryptionEnabled": True,
        "kmsKeyId": "alias/sessions",
    }
    assert found(RECORDING, document(either), **CONDITION) == []


def test_a_log_group_that_is_not_encrypted_where_it_is_one_is_reported() -> None:
    unencrypted = {
        **SOUND_INPUTS,
        "cloudWatchLogGroupName": if_("C", NO_VALUE, "sessions"),
        "cloudWatchEncryptionEnabled": if_("C", yes=True, no=False),
        "s3BucketName": "sessions",
        "s3EncryptionEnabled": True,
    }
    assert message(RECORDING, document(unencrypted), **CONDITION) == (
        "cloudWatchEncryptionEnabled is false, so the log group may be unencrypted "
        "(when condition C is false)"
    )


def test_sessions_without_a_record_are_told_once() -> None:
    missing = {
        "cloudWatchLogGroupName": if_("C", if_("D", "sessions")),
        "cloudWatchEncryptionEnabled": True,
        "kmsKeyId": "alias/sessions",
    }
    other = {"D": {"Fn::Equals": [ref("AWS::AccountId"), "x"]}}
    conditions: dict[str, Any] = {"Conditions": CONDITION["Conditions"] | other}
    assert len(found(RECORDING, document(missing), **conditions)) == 1
