"""HardeningAssociation: a State Manager association that reapplies and checks the hardening."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import get_args

import aws_cdk as cdk
from aws_cdk import Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from hardened_ec2.host import HostHardening
from hardened_ec2.host.command_document import Operation, command_document
from hardened_ec2.support.acknowledgements import STATE_MANAGER_ON_EVERY_NODE
from hardened_ec2.support.acknowledging import acknowledge
from hardened_ec2.support.signature import own_signature
from hardened_ec2.upkeep.managed_nodes import ManagedNodes, check_nodes, every_instance_arn

STATE_MANAGER_ACTIONS = (
    "ssm:DescribeAssociation",
    "ssm:ListInstanceAssociations",
    "ssm:UpdateAssociationStatus",
    "ssm:UpdateInstanceAssociationStatus",
)
"""The actions that State Manager needs on a server, besides reading documents and Session Manager.

Source: Service Authorization Reference, "Actions, resources, and condition keys for AWS Systems
    Manager"; the managed policy AmazonSSMManagedInstanceCore, which has more.
"""

_MIN_RATE, _MAX_RATE = Duration.minutes(30), Duration.days(31)
_SHARE = re.compile(r"([1-9][0-9]*|[1-9][0-9]?%|100%)")


@own_signature
class HardeningAssociation(Construct):
    """A State Manager association that reapplies the hardening and reports compliance.

    On each server it applies the hardening: with the server's own `hardened-ec2` if that is the
    same hardening, otherwise with the program in its SSM document, which installs itself. Servers
    that this library did not create can be hardened too. Then it runs the checks of
    docs/CONTROLS.md. A failure of either makes the server non-compliant in Systems Manager, AWS
    Config and Security Hub (SSM.3).

    With ``operation="Check"`` it changes nothing, and a server that drifted stays non-compliant
    until somebody repairs it.

    If a change would lock the administrators out, the host reverts it within five minutes.

    Servers need SSM Agent, the endpoints `InterfaceEndpoints.STATE_MANAGER` or internet access, and
    permissions for State Manager: roles of constructs in the app receive them, and you attach
    ``permissions`` to others. Associations are free of charge.

    Source: Systems Manager User Guide, "About association compliance", "Understanding targets and
        rate controls in State Manager associations"; Security Hub SSM.3.

    Example::

        HardeningAssociation(self, "Upkeep", nodes=ManagedNodes.auto_scaling_group(fleet))
    """

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 - CDK's own name for it
        *,
        nodes: ManagedNodes,
        host_hardening: HostHardening | None = None,
        operation: Operation = "Apply",
        rate: Duration | None = None,
        max_concurrency: str = "25%",
        max_errors: str = "100%",
        compliance_severity: str = "CRITICAL",
        output_bucket: cdk.aws_s3.IBucket | None = None,
        output_key_prefix: str | None = None,
    ) -> None:
        """Create the SSM document, the association and the permissions.

        Args:
            scope: The parent construct.
            id: The construct's id in it.
            nodes: The servers.
            host_hardening: The hardening. It must equal the hardening of the servers that are
                hardened constructs of the app. Default: theirs, otherwise `HostHardening()`.
            operation: "Apply" applies the hardening and checks it, "Check" only checks it.
                Default: "Apply".
            rate: How often it runs, 30 minutes to 31 days. It also runs at once on new servers.
                Default: 12 hours.
            max_concurrency: On how many servers it runs at a time: a number or a percentage.
                Default: "25%".
            max_errors: After how many failures it stops: a number or a percentage. Default:
                "100%", since one broken server is no reason to neglect the others.
            compliance_severity: The severity of non-compliance: "CRITICAL", "HIGH", "MEDIUM", "LOW"
                or "UNSPECIFIED". Default: "CRITICAL".
            output_bucket: An S3 bucket for the whole output, which shows its readers what is not
                hardened. Default: none; State Manager keeps the last 2,500 characters.
            output_key_prefix: The prefix of the objects in that bucket. Default: ``hardening``.

        Raises:
            ValueError: If an argument has another type or value than allowed, or contradicts the
                servers' own hardening.
        """
        check_nodes(nodes)
        if host_hardening is not None and not isinstance(host_hardening, HostHardening):
            raise ValueError(
                f"host_hardening is {host_hardening!r}: write HostHardening(...), or leave "
                "host_hardening out"
            )
        hardening = _hardening_of(nodes, host_hardening)
        _refuse_unknown("operation", operation, get_args(Operation))
        severities = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "UNSPECIFIED")
        _refuse_unknown("compliance_severity", compliance_severity, severities)
        _check_share("max_concurrency", max_concurrency)
        _check_share("max_errors", max_errors)
        minutes = _minutes(rate)
        if output_key_prefix is not None and output_bucket is None:
            raise ValueError(
                f"output_key_prefix is {output_key_prefix!r} without output_bucket: pass "
                "output_bucket=..., or leave output_key_prefix out"
            )
        super().__init__(scope, id)
        self.host_hardening = hardening
        """The hardening that the association applies and checks."""
        self.document = self._document()
        """The SSM command document, which Run Command can run too."""
        prefix = (output_key_prefix or "hardening").strip("/")
        self.association = ssm.CfnAssociation(
            self,
            "Association",
            name=self.document.ref,
            document_version="$LATEST",
            parameters={"Operation": [operation]},
            targets=[ssm.CfnAssociation.TargetProperty(key=nodes.key, values=[*nodes.values])],
            schedule_expression=f"rate({minutes} minutes)",
            # Compliance follows the document's exit code.
            sync_compliance="AUTO",
            compliance_severity=compliance_severity,
            max_concurrency=max_concurrency,
            max_errors=max_errors,
            output_location=_output(self, output_bucket, prefix),
        )
        """The association."""
        self.permissions = iam.ManagedPolicy(
            self,
            "Permissions",
            description="State Manager, for servers that are kept hardened",
            statements=[
                *_state_manager(self, self.document),
                *_output_statements(output_bucket, prefix),
            ],
            roles=[*nodes.roles],
        )
        """The permissions that a server's role needs, besides Session Manager's."""
        acknowledge(self.permissions, *STATE_MANAGER_ON_EVERY_NODE)

    def _document(self) -> ssm.CfnDocument:
        return ssm.CfnDocument(
            self,
            "Document",
            content=command_document(self.host_hardening),
            document_format="JSON",
            document_type="Command",
            target_type="/AWS::EC2::Instance",
            update_method="NewVersion",
        )


def _refuse_unknown(name: str, value: object, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise ValueError(
            f"{name} is {value!r}: write one of {', '.join(repr(each) for each in allowed)}"
        )


def _check_share(name: str, share: object) -> None:
    if not isinstance(share, str) or not _SHARE.fullmatch(share):
        raise ValueError(
            f"{name} is {share!r}: write a number or a percentage of servers as a string, such as "
            f"{name}='10' or {name}='25%'"
        )


def _hardening_of(nodes: ManagedNodes, given: HostHardening | None) -> HostHardening:
    """Return the one hardening that the servers and the association agree on."""
    known = nodes.hardenings
    if given is None and len(known) > 1:
        raise ValueError(
            "the servers have different hardenings, and an association applies one: create a "
            "HardeningAssociation for each hardening"
        )
    if given is None:
        return known[0] if known else HostHardening()
    if any(each != given for each in known):
        raise ValueError(
            "host_hardening differs from what the servers apply at boot, so that the two would "
            "take turns: leave host_hardening out, or pass the servers the same value"
        )
    return given


def _minutes(rate: Duration | None) -> int:
    if rate is None:
        return 12 * 60
    minutes = int(rate.to_minutes(integral=False))
    if not _MIN_RATE.to_minutes() <= minutes <= _MAX_RATE.to_minutes():
        raise ValueError(
            f"rate is {minutes} minutes: State Manager allows 30 minutes to 31 days; write such as "
            "rate=Duration.hours(12)"
        )
    return minutes


def _state_manager(scope: Construct, document: ssm.CfnDocument) -> list[iam.PolicyStatement]:
    stack = Stack.of(scope)
    own_document = stack.format_arn(service="ssm", resource="document", resource_name=document.ref)
    return [
        iam.PolicyStatement(
            actions=["ssm:DescribeDocument", "ssm:GetDocument"], resources=[own_document]
        ),
        iam.PolicyStatement(
            actions=[*STATE_MANAGER_ACTIONS],
            resources=[
                own_document,
                stack.format_arn(service="ssm", resource="association", resource_name="*"),
                every_instance_arn(stack),
            ],
        ),
        iam.PolicyStatement(actions=["ssm:ListAssociations"], resources=["*"]),
    ]


def _output(
    scope: Construct, bucket: cdk.aws_s3.IBucket | None, prefix: str
) -> ssm.CfnAssociation.InstanceAssociationOutputLocationProperty | None:
    if bucket is None:
        return None
    return ssm.CfnAssociation.InstanceAssociationOutputLocationProperty(
        s3_location=ssm.CfnAssociation.S3OutputLocationProperty(
            output_s3_bucket_name=bucket.bucket_name,
            output_s3_key_prefix=prefix,
            output_s3_region=Stack.of(scope).region,
        )
    )


def _output_statements(bucket: cdk.aws_s3.IBucket | None, prefix: str) -> list[iam.PolicyStatement]:
    if bucket is None:
        return []
    statements = [
        iam.PolicyStatement(
            actions=["s3:PutObject"], resources=[bucket.arn_for_objects(f"{prefix}/*")]
        ),
        # SSM Agent reads the bucket's encryption before it writes.
        iam.PolicyStatement(
            actions=["s3:GetEncryptionConfiguration"], resources=[bucket.bucket_arn]
        ),
    ]
    if bucket.encryption_key is not None:
        statements.append(
            iam.PolicyStatement(
                actions=["kms:Decrypt", "kms:GenerateDataKey"],
                resources=[bucket.encryption_key.key_arn],
            )
        )
    return statements
