"""What guards servers from outside them: the account's floor, keys, transit gateways."""

from collections.abc import Iterator
from typing import Final

from hardened_ec2.policy.findings import Severity
from hardened_ec2.policy.resolve.deployment import Resource
from hardened_ec2.policy.resolve.values import (
    Value,
    as_bool,
    describe,
    why_unknown,
)
from hardened_ec2.policy.rules.case import Case
from hardened_ec2.policy.rules.rule import (
    Control,
    Framework,
    Outcome,
    doubtful,
    faulty,
    rule,
)
from hardened_ec2.policy.rules.subjects import Subject

_KEY: Final = "AWS::KMS::Key"


@rule(
    id="HardenedEc2-BlockPublicAccess",
    severity=Severity.WARNING,
    subject=Subject.PUBLIC_ACCESS_BLOCKS,
    fact="VPC Block Public Access is on, and nothing is excluded from it both ways.",
    why=(
        "It is the one switch that no route, public address or security group gets past; where a "
        "template sets it, it says what the account is meant to be."
    ),
    fix=(
        'Write InternetGatewayBlockMode "block-bidirectional" or "block-ingress", and '
        'InternetGatewayExclusionMode "allow-egress"; acknowledge an exclusion that faces the '
        "internet on purpose."
    ),
    references=(Control(Framework.SECURITY_HUB, "EC2.172"),),
)
def block_public_access(case: Case) -> Iterator[Outcome]:
    """Judge the account's setting, and its exclusions, where a template makes them."""
    for kind, key, bad in (
        ("AWS::EC2::VPCBlockPublicAccessOptions", "InternetGatewayBlockMode", "off"),
        (
            "AWS::EC2::VPCBlockPublicAccessExclusion",
            "InternetGatewayExclusionMode",
            "allow-bidirectional",
        ),
    ):
        for setting in case.deployment.resources(kind):
            for mode in setting.properties.at(key):
                yield from _unless(mode, key, {bad})


@rule(
    id="HardenedEc2-TransitGateway",
    severity=Severity.WARNING,
    subject=Subject.TRANSIT_GATEWAYS,
    fact="A transit gateway takes no network of another account unasked.",
    why="A network that attaches itself is inside: private addresses in rules are its own, too.",
    fix='Leave AutoAcceptSharedAttachments out or write "disable".',
    references=(
        Control(Framework.SECURITY_HUB, "EC2.23"),
        Control(Framework.CONTROL_TOWER, "CT.EC2.PR.6"),
    ),
)
def transit_gateway(case: Case) -> Iterator[Outcome]:
    """Judge AutoAcceptSharedAttachments of transit gateways."""
    key = "AutoAcceptSharedAttachments"
    for gateway in case.deployment.resources("AWS::EC2::TransitGateway"):
        for answer in gateway.properties.at(key):
            yield from _unless(answer, key, {"enable"})


@rule(
    id="HardenedEc2-KeyRotation",
    severity=Severity.WARNING,
    subject=Subject.KEYS,
    fact="The keys of servers' volumes are rotated.",
    why="A key that never changes opens every snapshot there ever was, to whoever gets it once.",
    fix="Write EnableKeyRotation true.",
    references=(
        Control(Framework.CHECKOV, "CKV_AWS_7"),
        Control(Framework.CDK_NAG, "AwsSolutions-KMS5"),
    ),
)
def key_rotation(case: Case) -> Iterator[Outcome]:
    """Judge the keys of the templates that encrypt a volume."""
    for key in _keys_of_volumes(case):
        for answer in key.properties.at("EnableKeyRotation"):
            why = why_unknown(answer.content)
            if why is not None:
                yield doubtful(answer, f"EnableKeyRotation is not known: {why}")
            elif as_bool(answer.content) is not True:
                yield faulty(answer, f"the key {key.logical_id} of a volume is not rotated")


def _keys_of_volumes(case: Case) -> Iterator[Resource]:
    volumes = [
        ebs
        for server in case.servers
        for entry in server.entries("BlockDeviceMappings")
        for ebs in entry.at("Ebs")
    ]
    volumes += [volume.properties for volume in case.deployment.resources("AWS::EC2::Volume")]
    for named in (name for volume in volumes for name in volume.at("KmsKeyId")):
        key = case.deployment.find(named.content)
        if key is not None and key.type == _KEY:
            yield key


def _unless(value: Value, key: str, bad: set[str]) -> Iterator[Outcome]:
    why = why_unknown(value.content)
    if why is not None:
        yield doubtful(value, f"{key} is not known: {why}")
    elif value.content in bad:
        yield faulty(value, f"{key} is {describe(value.content)}")
