"""AccountSettings: custom resources for account settings that CloudFormation has no type for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import Aws, CustomResource, Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from hardened_ec2.account.functions.account_settings.settings import SETTINGS
from hardened_ec2.support.acknowledgements import (
    ACCOUNT_SETTINGS_FUNCTION,
    account_settings_permissions,
)
from hardened_ec2.support.acknowledging import acknowledge
from hardened_ec2.support.log_group import encrypted_log_group
from hardened_ec2.support.signature import own_signature

FUNCTIONS = Path(__file__).parent / "functions"

FUNCTION_TIMEOUT = Duration.minutes(2)
SERVICE_TIMEOUT = Duration.minutes(10)
"""Longer than three attempts by Lambda, shorter than CloudFormation's default of one hour."""


@own_signature
class AccountSettings(Construct):
    """A Lambda function, and a custom resource for each account setting that it manages.

    The function's role can read and write only these settings. Its log group is encrypted.

    Example::

        AccountSettings(
            self,
            "Settings",
            settings={"SerialConsoleAccess": {"SerialConsoleAccessEnabled": "false"}},
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
    """

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 - CDK's own name for it
        *,
        settings: Mapping[str, Mapping[str, str]],
        removal_policy: RemovalPolicy,
        encryption_key: cdk.aws_kms.IKey | None = None,
        log_retention: cdk.aws_logs.RetentionDays | None = None,
    ) -> None:
        """Create the function and its custom resources.

        Args:
            scope: The parent construct.
            id: The construct's id in it.
            settings: Each setting's properties, by the setting's name in
                `hardened_ec2.account.functions.account_settings.settings.SETTINGS`.
            removal_policy: What happens to the settings when the stack is deleted.
            encryption_key: The KMS key of the log group. Default: a new key with rotation.
            log_retention: How long log events are kept. Default: one year.
        """
        super().__init__(scope, id)
        log_group = encrypted_log_group(
            self,
            "LogGroup",
            key_id="LogKey",
            key_description="Log of the account settings",
            encryption_key=encryption_key,
            retention=log_retention,
        )
        self.function = self._function(settings, log_group)
        self.resources = {
            name: CustomResource(
                self,
                name,
                service_token=self.function.function_arn,
                resource_type=f"Custom::{name}",
                properties=dict(values),
                removal_policy=removal_policy,
                service_timeout=SERVICE_TIMEOUT,
            )
            for name, values in settings.items()
        }

    def _function(
        self, settings: Mapping[str, Mapping[str, str]], log_group: cdk.aws_logs.ILogGroup
    ) -> lambda_.Function:
        role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            description="Sets what an account lets its EC2 do",
        )
        policy = iam.ManagedPolicy(
            self,
            "Permissions",
            description="Read and write the EC2 settings of the account, and log it",
            roles=[role],
            statements=[
                iam.PolicyStatement(
                    actions=["logs:CreateLogStream", "logs:PutLogEvents"],
                    resources=[log_group.log_group_arn],
                ),
                *_statements(settings),
            ],
        )
        acknowledge(policy, *account_settings_permissions(_kinds(settings)))
        function = lambda_.Function(
            self,
            "Function",
            code=lambda_.Code.from_asset(str(FUNCTIONS), exclude=["__pycache__", "*.pyc"]),
            handler="account_settings.handler.on_event",
            runtime=lambda_.Runtime.PYTHON_3_14,
            architecture=lambda_.Architecture.ARM_64,
            timeout=FUNCTION_TIMEOUT,
            role=role,
            log_group=log_group,
            description="Custom resources: EC2 settings of the account",
        )
        acknowledge(function, *ACCOUNT_SETTINGS_FUNCTION)
        # The function exists only while its role has permissions: also when the stack is deleted.
        function.node.add_dependency(policy)
        return function


def _kinds(settings: Mapping[str, Mapping[str, str]]) -> dict[str, list[str]]:
    """Return the actions that apply to one kind of resource, by kind."""
    kinds: dict[str, list[str]] = {}
    for name in settings:
        for kind, actions in SETTINGS[name].resource_actions.items():
            kinds.setdefault(kind, []).extend(actions)
    return kinds


def _statements(settings: Mapping[str, Mapping[str, str]]) -> list[iam.PolicyStatement]:
    everywhere = {action for name in settings for action in SETTINGS[name].actions}
    return [
        iam.PolicyStatement(
            actions=sorted(everywhere),
            resources=["*"],
            # The only condition key that all of these actions support.
            conditions={"StringEquals": {"aws:RequestedRegion": Aws.REGION}},
        ),
        *(
            iam.PolicyStatement(
                actions=sorted(actions),
                resources=[
                    f"arn:{Aws.PARTITION}:ec2:{Aws.REGION}:{Aws.ACCOUNT_ID}:{kind}/*",
                ],
            )
            for kind, actions in sorted(_kinds(settings).items())
        ),
    ]
