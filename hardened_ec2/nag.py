"""HardenedEc2Checks: the policy as a cdk-nag pack, judging what CloudFormation will really get."""

from __future__ import annotations

from collections.abc import Iterable

import aws_cdk as cdk
from cdk_nag import NagPack
from constructs import IConstruct

from hardened_ec2 import policy
from hardened_ec2.policy.findings import PACK_NAME
from hardened_ec2.policy.settings import Settings

FAILURE = f"{PACK_NAME}-Failure"
"""The finding that the pack reports when it could not judge. It cannot be acknowledged."""

DEFAULT_SETTINGS = Settings()


class HardenedEc2Checks(NagPack):
    """Refuses, at every synth, EC2 designs that expose a server, a secret or its data.

    Unlike the stock packs it reads the rendered templates, nested stacks included: a property
    override, a raw ``CfnResource`` and what an Aspect changed are judged like everything else.
    Errors fail the synth; warnings do not, unless ``cdk synth --strict``. In an app with stages,
    ``cdk synth`` alone looks at no stack inside a stage, whatever pack there is: write
    ``cdk synth '**'``. A deploy always looks at the stacks that it deploys.

    A finding that is right for your design is acknowledged where it stands, with the reason:
    ``Validations.of(server).acknowledge(Acknowledgment(id="HardenedEc2::HardenedEc2-KeyPair",
    reason="..."))``. It then stays in the validation report, with that reason.

    Args:
        scope: Where to judge: the stacks in this construct. Default: everything in the app.
        settings: Thresholds, such as the width of an SSH whitelist. Default: `Settings()`.

    Source: cdk-nag, "NagPack"; AWS CDK, "Policy validation at synthesis time".

    Example::

        app = cdk.App()
        cdk.Validations.of(app).add_plugins(HardenedEc2Checks(app))
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
        """Judge the rendered templates. Called by CDK.

        Args:
            context: What is being synthesized.

        Returns:
            The report. It fails when there is an error, or when judging itself failed: a plugin
            that raises here would be left out of the report without a word, and the synth pass.
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
        except Exception as error:  # noqa: BLE001 - see Returns: nothing may escape
            return _failure(f"The policy could not judge this app: {error}", stacks)

    def validate_scope(self, scope: IConstruct) -> cdk.PolicyValidationPluginReport:
        """Report that a construct tree alone cannot be judged: the rules read templates.

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
        """The template's path of every stack in the scope, by the stack's construct path."""
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
                # CDK finds the construct by logical id; naming both is an error.
                resource_logical_id=finding.logical_id or None,
                construct_path=None if finding.logical_id else stack,
                template_path=finding.template,
                locations=[finding.path] if finding.path else [],
            )
        ],
    )


def _failure(message: str, stacks: Iterable[str]) -> cdk.PolicyValidationPluginReport:
    """A report that fails the synth.

    It stands at every stack: a violation that stands nowhere is not printed, and then the synth
    passes; one that stands at no stack is dropped by the CDK CLI, which then passes too.
    """
    return cdk.PolicyValidationPluginReport(
        success=False,
        violations=[
            cdk.PolicyViolation(
                rule_name=FAILURE,
                description=message,
                fix="Report it with the template; until then nothing here has been verified.",
                severity="fatal",
                violating_resources=[
                    cdk.PolicyViolatingResource(construct_path=stack, locations=[])
                    for stack in stacks
                ],
            )
        ],
    )
