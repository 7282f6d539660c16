"""AccountSettings: settings that CloudFormation has no type for, as custom resources."""

from collections.abc import Mapping
from pathlib import Path

from aws_cdk import Aws, CustomResource, Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from hardened_ec2.account.functions.account_settings.settings import SETTINGS
from hardened_ec2.support.acknowledgements import (
    ACCOUNT_SETTINGS_FUNCTION,
    account_settings_permissions,
    acknowledge,
)
from hardened_ec2.support.log_group import encrypted_log_group

FUNCTIONS = Path(__file__).parent / "functions"

FUNCTION_TIMEOUT = Duration.minutes(2)
SERVICE_TIMEOUT = Duration.minutes(10)
"""Longer than Lambda needs to try three times, and not the hour that CloudFormation waits else."""


class AccountSettings(Construct):
    """One Lambda function, and a custom resource for each setting that it is in charge of.

    The function may do what reading and writing these settings takes, and nothing else. Its log
    group is encrypted.

    Args:
        scope: The construct to make them in.
        id: Their id there.
        settings: The values of each setting, by its name in
            `hardened_ec2.account.functions.account_settings`.
        removal_policy: What becomes of the settings when the stack goes.
        encryption_key: The KMS key of the log group. Default: one of its own, rotated.
        log_retention: How long the log is kept. Default: one year.

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
        encryption_key: kms.IKey | None = None,
        log_retention: logs.RetentionDays | None = None,
    ) -> None:
        super().__init__(scope, id)
        log_group = encrypted_log_group(
            self,
            "LogGroup",
            key_id="LogKey",
            key_description="Log of the account settings",
            encryption_key=encryption_key,
            retention=log_retention,
        )
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
        self.function = lambda_.Function(
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
        acknowledge(self.function, *ACCOUNT_SETTINGS_FUNCTION)
        # Not before it may do anything, and no longer than it may.
        self.function.node.add_dependency(policy)
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


def _kinds(settings: Mapping[str, Mapping[str, str]]) -> dict[str, list[str]]:
    """Return the actions that are for one kind of resource, by kind."""
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
            # The only condition that fits all of them: the function has no business elsewhere.
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
