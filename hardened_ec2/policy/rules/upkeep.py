"""Systems Manager: association output, document sharing, patch baselines."""

from collections.abc import Iterator
from typing import Final

from hardened_ec2.policy.findings import Severity
from hardened_ec2.policy.resolve.deployment import Resource
from hardened_ec2.policy.resolve.values import (
    ABSENT,
    Reference,
    Value,
    as_bool,
    as_int,
    describe,
    why_unknown,
)
from hardened_ec2.policy.rules.case import Case
from hardened_ec2.policy.rules.rule import (
    Control,
    Doubt,
    Framework,
    Outcome,
    doubtful,
    faulty,
    rule,
)
from hardened_ec2.policy.rules.subjects import Resources

ASSOCIATION: Final = "AWS::SSM::Association"
PATCH_BASELINE: Final = "AWS::SSM::PatchBaseline"
SERVICE_SETTING: Final = "AWS::SSM::ServiceSetting"
BUCKET: Final = "AWS::S3::Bucket"
_BLOCKS: Final = (
    "BlockPublicAcls",
    "BlockPublicPolicy",
    "IgnorePublicAcls",
    "RestrictPublicBuckets",
)
_SHARING: Final = "/ssm/documents/console/public-sharing-permission"

_ASSOCIATIONS: Final = Resources("State Manager associations", (ASSOCIATION,))
_PATCH_BASELINES: Final = Resources("patch baselines", (PATCH_BASELINE,))
_DOCUMENT_SETTINGS: Final = Resources("Systems Manager settings", (SERVICE_SETTING,))


@rule(
    id="HardenedEc2-AssociationOutput",
    severity=Severity.ERROR,
    subject=_ASSOCIATIONS,
    fact="State Manager writes the output of its runs to a bucket that is closed to the public.",
    why=(
        "The output says of every server what is installed, what failed and what is not "
        "hardened: it saves an attacker the reconnaissance."
    ),
    fix=(
        "Write PublicAccessBlockConfiguration with all four settings true on the bucket, and "
        "no AccessControl; or omit OutputLocation."
    ),
    references=(
        Control(Framework.SECURITY_HUB, "S3.8"),
        Control(Framework.NIST, "AC-3"),
    ),
)
def association_output(case: Case) -> Iterator[Outcome]:
    """Judge the bucket that receives an association's output."""
    buckets = {bucket.key: bucket for bucket in case.deployment.resources(BUCKET)}
    for association in case.deployment.resources(ASSOCIATION):
        names = association.properties.at("OutputLocation", "S3Location", "OutputS3BucketName")
        for name in names:
            if name.content is ABSENT:
                continue
            content = name.content
            bucket = None
            if isinstance(content, Reference):
                bucket = buckets.get((content.template, content.logical_id))
            if bucket is None:
                yield doubtful(
                    name,
                    f"whether the bucket {describe(name.content)} is open to the public is not "
                    "known: it is not in the templates",
                )
            else:
                yield from _open_bucket(bucket, name)


@rule(
    id="HardenedEc2-DocumentSharing",
    severity=Severity.ERROR,
    subject=_DOCUMENT_SETTINGS,
    fact="Public sharing of Systems Manager documents is blocked.",
    why=(
        "A public document shows an attacker how servers are maintained, and with what; an "
        "account that runs it trusts everyone who can change it."
    ),
    fix='Write SettingValue "Disable".',
    references=(
        Control(Framework.SECURITY_HUB, "SSM.4"),
        Control(Framework.SECURITY_HUB, "SSM.7"),
    ),
)
def document_sharing(case: Case) -> Iterator[Outcome]:
    """Judge the account's setting where a template declares it."""
    for setting in case.deployment.resources(SERVICE_SETTING):
        for name in setting.properties.at("SettingId"):
            # SettingId can be the path or an ARN that ends with it.
            if not str(name.content).endswith(_SHARING):
                continue
            for value in setting.properties.at("SettingValue"):
                why = why_unknown(value.content)
                if why is not None:
                    yield doubtful(value, f"SettingValue is not known: {why}")
                elif str(value.content).strip().lower() != "disable":
                    yield faulty(
                        value, f"public sharing of documents is set to {describe(value.content)}"
                    )


@rule(
    id="HardenedEc2-PatchBaselineEmpty",
    severity=Severity.WARNING,
    subject=_PATCH_BASELINES,
    fact="A patch baseline approves patches as they are released.",
    why=(
        "A baseline that approves nothing, or nothing released after a date, installs nothing "
        "and still reports every server as compliant: known vulnerabilities stay open."
    ),
    fix=(
        "Write ApprovalRules with a rule for security updates and ApproveAfterDays, which "
        "Ubuntu and Debian do without."
    ),
    references=(
        Control(Framework.SECURITY_HUB, "SSM.2"),
        Control(Framework.NIST, "SI-2"),
        Control(Framework.PCI, "6.2"),
    ),
)
def patch_baseline_empty(case: Case) -> Iterator[Outcome]:
    """Report patch baselines without approval rules, and approval rules with a cut-off date."""
    for baseline in case.deployment.resources(PATCH_BASELINE):
        for rules in baseline.properties.at("ApprovalRules", "PatchRules"):
            why = why_unknown(rules.content)
            if why is not None:
                yield doubtful(rules, f"PatchRules is not known: {why}")
                continue
            entries = rules.entries()
            if not entries:
                yield faulty(rules, "no approval rule is given, so no patch is installed")
            for entry in entries:
                for until in entry.at("ApproveUntilDate"):
                    if until.content is not ABSENT:
                        yield faulty(
                            until,
                            f"ApproveUntilDate is {describe(until.content)}, so no patch "
                            "released later is approved",
                        )


@rule(
    id="HardenedEc2-PatchDelay",
    severity=Severity.WARNING,
    subject=_PATCH_BASELINES,
    fact="Patches are approved within Settings.patch_delay_days of their release.",
    why=(
        "A patch discloses what it fixes, and exploits follow within days; each further week "
        "leaves every server open to them."
    ),
    fix="Write ApproveAfterDays 7, or 0 for urgent patches.",
    references=(
        Control(Framework.SECURITY_HUB, "SSM.2"),
        Control(Framework.NIST, "SI-2"),
        Control(Framework.PCI, "6.2"),
    ),
)
def patch_delay(case: Case) -> Iterator[Outcome]:
    """Compare ApproveAfterDays of every approval rule with `Settings.patch_delay_days`."""
    most = case.settings.patch_delay_days
    for baseline in case.deployment.resources(PATCH_BASELINE):
        for rules in baseline.properties.at("ApprovalRules", "PatchRules"):
            for entry in rules.entries():
                if why_unknown(entry.content) is not None:
                    continue
                for days in entry.at("ApproveAfterDays"):
                    number = as_int(days.content)
                    if days.content is ABSENT:
                        continue
                    if number is None:
                        why = (
                            why_unknown(days.content) or f"{describe(days.content)} is not a number"
                        )
                        yield doubtful(days, f"ApproveAfterDays is not known: {why}")
                    elif number > most:
                        yield faulty(
                            days, f"ApproveAfterDays is {number}, at most {most} are allowed"
                        )


def _open_bucket(bucket: Resource, name: Value) -> Iterator[Outcome]:
    for control in bucket.properties.at("AccessControl"):
        if str(control.content).startswith(("Public", "Authenticated")):
            yield faulty(
                control,
                f"{bucket.logical_id}, which receives the output of {name.place.logical_id}, has "
                f"AccessControl {describe(control.content)}",
            )
    for block in bucket.properties.at("PublicAccessBlockConfiguration"):
        # S3 blocks public access by default.
        if block.content is ABSENT:
            continue
        for key in _BLOCKS:
            for blocked in block.at(key):
                why = why_unknown(blocked.content)
                if why is not None:
                    yield Doubt(
                        place=blocked.place,
                        why=f"whether {bucket.logical_id} is public is not known: {why}",
                        when=blocked.when,
                    )
                elif as_bool(blocked.content) is not True:
                    given = "not given" if blocked.content is ABSENT else "false"
                    yield faulty(
                        blocked,
                        f"{key} is {given} for {bucket.logical_id}, which receives the output "
                        f"of {name.place.logical_id}",
                    )
