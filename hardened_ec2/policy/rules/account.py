"""Protections around servers: VPC Block Public Access, transit gateways, KMS keys."""

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
from hardened_ec2.policy.rules.subjects import Resources

_KEY: Final = "AWS::KMS::Key"

PUBLIC_ACCESS_BLOCKS: Final = Resources(
    "VPC Block Public Access settings",
    ("AWS::EC2::VPCBlockPublicAccessOptions", "AWS::EC2::VPCBlockPublicAccessExclusion"),
)
_TRANSIT_GATEWAYS: Final = Resources("transit gateways", ("AWS::EC2::TransitGateway",))
_KEYS: Final = Resources("KMS keys", (_KEY,))


@rule(
    id="HardenedEc2-BlockPublicAccess",
    severity=Severity.WARNING,
    subject=PUBLIC_ACCESS_BLOCKS,
    fact="VPC Block Public Access is enabled, and its exclusions allow egress only.",
    why=(
        "It is the one setting that overrides every route, public address and security group; "
        "without it, a mistake in any of them can expose a server."
    ),
    fix=(
        'Write InternetGatewayBlockMode "block-bidirectional" or "block-ingress", and '
        'InternetGatewayExclusionMode "allow-egress"; acknowledge an exclusion that faces the '
        "internet on purpose."
    ),
    references=(Control(Framework.SECURITY_HUB, "EC2.172"),),
)
def block_public_access(case: Case) -> Iterator[Outcome]:
    """Judge the account's setting and its exclusions where a template declares them."""
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
    subject=_TRANSIT_GATEWAYS,
    fact="A transit gateway accepts attachments from other accounts only after approval.",
    why=(
        "An account that attaches its VPC by itself is inside the network: security groups "
        "that trust private addresses trust its servers, too."
    ),
    fix='Omit AutoAcceptSharedAttachments or write "disable".',
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
    subject=_KEYS,
    fact="KMS keys that encrypt volumes are rotated.",
    why=(
        "Without rotation, the same key material protects every volume and snapshot ever made: "
        "one compromise of the key opens them all."
    ),
    fix="Write EnableKeyRotation true.",
    references=(
        Control(Framework.CHECKOV, "CKV_AWS_7"),
        Control(Framework.CDK_NAG, "AwsSolutions-KMS5"),
    ),
)
def key_rotation(case: Case) -> Iterator[Outcome]:
    """Judge every key in the templates that encrypts a volume."""
    for key in _keys_of_volumes(case):
        for answer in key.properties.at("EnableKeyRotation"):
            why = why_unknown(answer.content)
            if why is not None:
                yield doubtful(answer, f"EnableKeyRotation is not known: {why}")
            elif as_bool(answer.content) is not True:
                yield faulty(
                    answer, f"the key {key.logical_id}, which encrypts a volume, is not rotated"
                )


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
