"""Encryption of EBS volumes and sharing of their snapshots."""

from collections.abc import Iterator, Sequence
from typing import Final

from hardened_ec2.policy.facts.servers import Kind
from hardened_ec2.policy.findings import Severity
from hardened_ec2.policy.resolve.scenarios import ALWAYS, holds, scenarios
from hardened_ec2.policy.resolve.values import ABSENT, Value, as_bool, describe, why_unknown
from hardened_ec2.policy.root_devices import ROOT_DEVICES
from hardened_ec2.policy.rules.case import Case
from hardened_ec2.policy.rules.rule import (
    Control,
    Doubt,
    Fault,
    Framework,
    Outcome,
    doubtful,
    faulty,
    rule,
)
from hardened_ec2.policy.rules.subjects import Resources, Subject

_FIX: Final = (
    "Write Encrypted true for the root device (BlockDeviceMappings with the image's root "
    "device name, /dev/xvda or /dev/sda1) and for every other volume."
)
_WHY: Final = (
    "An attacker who gets at a snapshot of an unencrypted volume reads it, and snapshots are "
    "copied, shared and forgotten."
)

_SNAPSHOT_SETTINGS: Final = Resources(
    "snapshot sharing settings", ("AWS::EC2::SnapshotBlockPublicAccess",)
)


@rule(
    id="HardenedEc2-VolumeEncryption",
    severity=Severity.ERROR,
    subject=Subject.VOLUMES,
    fact="The template encrypts every volume of a server, including the root volume.",
    why=_WHY,
    fix=_FIX,
    references=(
        Control(Framework.SECURITY_HUB, "EC2.3"),
        Control(Framework.SECURITY_HUB, "EC2.181"),
        Control(Framework.SECURITY_HUB, "EC2.173"),
        Control(Framework.CONTROL_TOWER, "CT.EC2.PR.7"),
        Control(Framework.CONTROL_TOWER, "CT.EC2.PR.14"),
        Control(Framework.CONTROL_TOWER, "CT.AUTOSCALING.PR.9"),
        Control(Framework.CDK_NAG, "AwsSolutions-EC26"),
        Control(Framework.CHECKOV, "CKV_AWS_3"),
        Control(Framework.CHECKOV, "CKV_AWS_8"),
        Control(Framework.TRIVY, "AWS-0131"),
        Control(Framework.TRIVY, "AWS-0026"),
        Control(Framework.TRIVY, "AWS-0008"),
        Control(Framework.CFN_NAG, "F1"),
        Control(Framework.PROWLER, "ec2_ebs_volume_encryption"),
    ),
)
def volume_encryption(case: Case) -> Iterator[Outcome]:
    """Judge the block device mappings of every server, and every standalone volume."""
    for server in case.servers:
        if server.kind is not Kind.NETWORK_INTERFACE:
            for mappings in server.at("BlockDeviceMappings"):
                yield from judged_volumes(mappings)
    for volume in case.deployment.resources("AWS::EC2::Volume"):
        for encrypted in volume.properties.at("Encrypted"):
            yield from _encrypted(encrypted, "the volume")


@rule(
    id="HardenedEc2-SnapshotSharing",
    severity=Severity.ERROR,
    subject=_SNAPSHOT_SETTINGS,
    fact="Public sharing of EBS snapshots is blocked.",
    why="A public snapshot is a copy of the disk that anyone can restore in their own account.",
    fix='Write AWS::EC2::SnapshotBlockPublicAccess with State "block-all-sharing".',
    references=(
        Control(Framework.SECURITY_HUB, "EC2.182"),
        Control(Framework.PROWLER, "ec2_ebs_snapshot_account_block_public_access"),
    ),
)
def snapshot_sharing(case: Case) -> Iterator[Outcome]:
    """Judge the account's setting where a template declares it."""
    for setting in case.deployment.resources("AWS::EC2::SnapshotBlockPublicAccess"):
        for state in setting.properties.at("State"):
            why = why_unknown(state.content)
            if why is not None:
                yield doubtful(state, f"State is not known: {why}")
            elif state.content != "block-all-sharing":
                yield faulty(state, f"State is {describe(state.content)}")


def judged_volumes(mappings: Value) -> Iterator[Outcome]:
    """Judge block device mappings: every volume encrypted, the root volume named."""
    why = why_unknown(mappings.content)
    if why is not None:
        yield doubtful(mappings, f"BlockDeviceMappings is not known: {why}")
        return
    volumes: list[Value] = []
    for entry in mappings.entries():
        for ebs in entry.at("Ebs"):
            # Without Ebs the entry is an instance store or NoDevice.
            if ebs.content is not ABSENT:
                volumes.append(Value(entry.content, ebs.when, entry.place))
                for encrypted in ebs.at("Encrypted"):
                    yield from _encrypted(encrypted, _named(entry))
    for scenario in scenarios([mappings.when, *(volume.when for volume in volumes)]):
        present = [volume for volume in volumes if holds(volume.when, scenario)]
        if not holds(mappings.when, scenario) or _any_is_root(present):
            continue
        if present:
            why = f"no mapping names a root device ({', '.join(sorted(ROOT_DEVICES))})"
            yield Doubt(
                place=mappings.place, why=f"{why}, so the image decides", when=scenario or ALWAYS
            )
        else:
            message = (
                "BlockDeviceMappings names no volume, so the image decides whether the root volume "
                "is encrypted"
            )
            yield Fault(place=mappings.place, message=message, when=scenario or ALWAYS)
        return


def _encrypted(encrypted: Value, name: str) -> Iterator[Outcome]:
    answer = as_bool(encrypted.content)
    if answer is True:
        return
    if encrypted.content is ABSENT:
        yield faulty(encrypted, f"Encrypted is not given for {name}")
    elif answer is False:
        yield faulty(encrypted, f"Encrypted is false for {name}")
    else:
        why = why_unknown(encrypted.content) or f"{describe(encrypted.content)} is not a Boolean"
        yield doubtful(encrypted, f"whether {name} is encrypted is not known: {why}")


def _named(entry: Value) -> str:
    names = [value.content for value in entry.at("DeviceName")]
    return " or ".join(name if isinstance(name, str) else describe(name) for name in names)


def _any_is_root(entries: Sequence[Value]) -> bool:
    """Whether one of the entries is the root volume, or may be: its name is not known."""
    return any(
        name.content in ROOT_DEVICES or why_unknown(name.content) is not None
        for entry in entries
        for name in entry.at("DeviceName")
    )
