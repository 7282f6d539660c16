"""The policy as a cdk-nag pack that judges the rendered templates."""

from __future__ import annotations

from collections.abc import Iterable

import aws_cdk as cdk
from cdk_nag import NagPack
from constructs import IConstruct

from hardened_ec2 import policy
from hardened_ec2.nag import DEFAULT_SETTINGS
from hardened_ec2.policy.findings import PACK_NAME
from hardened_ec2.policy.settings import Settings

FAILURE = f"{PACK_NAME}-Failure"
"""The finding that the pack reports when it cannot judge. It cannot be acknowledged."""


class HardenedEc2Checks(NagPack):
    """The pack that `hardened_ec2.HardenedEc2Checks` creates.

    Args:
        scope: See `hardened_ec2.HardenedEc2Checks`.
        settings: See `hardened_ec2.HardenedEc2Checks`.
    """

    def __init__(
        self, scope: IConstruct | None = None, *, settings: Settings = DEFAULT_SETTINGS
    ) -> None:
        super().__init__(scope)
        self._pack_name = PACK_NAME
        self._scope_path = "" if scope is None else scope.node.path
        self._settings = settings

    @property
    def name(self) -> str:
        """The pack's name in the validation report."""
        return PACK_NAME

    @property
    def version(self) -> str | None:
        """The version of hardened-ec2."""
        from hardened_ec2.policy.report.release import release  # noqa: PLC0415 - at synth only

        return release()

    @property
    def rule_ids(self) -> list[str] | None:
        """The ids of all rules."""
        return [rule.id for rule in policy.RULES]

    def validate(self, context: cdk.IPolicyValidationContext) -> cdk.PolicyValidationPluginReport:
        """Judge the rendered templates; the CDK calls it at synth.

        Args:
            context: The stacks that are synthesized.

        Returns:
            The report. It fails on an error, and when judging itself fails: the CDK would omit a
            plugin that raises from the report, and the synth would pass.
        """
        stacks = [""]
        try:
            paths = self._stacks(context)
            stacks = [*paths] or stacks
            # The rules and what they need are loaded when an app is synthesized, not before.
            from hardened_ec2.policy.judging.stacks import judge_stacks  # noqa: PLC0415

            found = judge_stacks(paths, self._settings)
            return cdk.PolicyValidationPluginReport(
                success=all(each.severity is not policy.Severity.ERROR for each, _ in found),
                violations=[_violation(finding, stack) for finding, stack in found],
                plugin_version=self.version,
            )
        except Exception as error:  # noqa: BLE001 - see Returns
            return _failure(f"the policy could not judge this app: {error}", stacks)

    def validate_scope(self, scope: IConstruct) -> cdk.PolicyValidationPluginReport:
        """Refuse to judge a construct tree: the rules read rendered templates.

        Args:
            scope: The construct tree.

        Returns:
            A failed report that says what to write instead.
        """
        return _failure(
            f"{PACK_NAME} reads rendered templates, and {scope.node.path or 'an app'} is a "
            "construct tree: register the pack with "
            "Validations.of(app).add_plugins(HardenedEc2Checks(app)) and synthesize",
            [scope.node.path],
        )

    def _check_resource(self, node: cdk.CfnResource) -> None:
        raise NotImplementedError(f"{PACK_NAME} judges templates, not {node.node.path} alone")

    def _stacks(self, context: cdk.IPolicyValidationContext) -> dict[str, str]:
        """Return the template path of every stack in the scope, by construct path."""
        inside = f"{self._scope_path}/"
        return {
            stack.stack_construct_path: stack.template_path
            for stack in context.stack_templates
            if not self._scope_path or f"{stack.stack_construct_path}/".startswith(inside)
        }


def _violation(finding: policy.Finding, stack: str) -> cdk.PolicyViolation:
    return cdk.PolicyViolation(
        rule_name=finding.rule,
        description=finding.message,
        fix=finding.fix,
        severity=finding.severity.value,
        rule_metadata={"references": ", ".join(finding.references)} if finding.references else None,
        violating_resources=[
            cdk.PolicyViolatingResource(
                # The CDK finds the construct by logical id; giving both is an error.
                resource_logical_id=finding.logical_id or None,
                construct_path=None if finding.logical_id else stack,
                template_path=finding.template,
                locations=[finding.path] if finding.path else [],
            )
        ],
    )


def _failure(message: str, stacks: Iterable[str]) -> cdk.PolicyValidationPluginReport:
    """Return a report that fails the synth.

    It names every stack: the CDK drops a violation without a construct path, and the CDK CLI one
    that is at no stack, and the synth would pass.
    """
    return cdk.PolicyValidationPluginReport(
        success=False,
        violations=[
            cdk.PolicyViolation(
                rule_name=FAILURE,
                description=message,
                fix="Report this error with the template; until it is solved, nothing is verified.",
                severity="fatal",
                violating_resources=[
                    cdk.PolicyViolatingResource(construct_path=stack, locations=[])
                    for stack in stacks
                ],
            )
        ],
    )
