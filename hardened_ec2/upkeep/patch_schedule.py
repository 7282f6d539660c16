"""PatchSchedule: a patch baseline, and a maintenance window that installs its patches."""

from __future__ import annotations

from typing import Literal, get_args

import aws_cdk as cdk
from aws_cdk import Duration, Names, Stack, Tags
from aws_cdk import aws_iam as iam
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from hardened_ec2.support.acknowledgements import PATCHING, PATCHING_TASK
from hardened_ec2.support.acknowledging import acknowledge
from hardened_ec2.support.log_group import encrypted_log_group
from hardened_ec2.support.signature import own_signature
from hardened_ec2.upkeep.managed_nodes import ManagedNodes, check_nodes, every_instance_arn

OperatingSystem = Literal[
    "AMAZON_LINUX_2023",
    "REDHAT_ENTERPRISE_LINUX",
    "ROCKY_LINUX",
    "ALMA_LINUX",
    "UBUNTU",
    "DEBIAN",
]
"""Patch Manager's names of the supported distributions."""

PATCH_GROUP = "PatchGroup"
"""The key of the tag that assigns a server to a patch baseline.

The spelling "Patch Group" is not allowed with tags in instance metadata.

Source: Systems Manager User Guide, "Creating and managing patch groups".
"""

_TAG = f"tag:{PATCH_GROUP}"

PATCH_DOCUMENT = "AWS-RunPatchBaseline"
"""AWS's command document that scans for and installs patches."""

_RPM = {"CLASSIFICATION": ["Security"]}
# Patch Manager has no classifications for Debian and Ubuntu: every update in their security
# archives is a security update, and the filter selects packages of every priority.
_DEB = {"PRIORITY": ["Required", "Important", "Standard", "Optional", "Extra"]}
_DEBS = ("UBUNTU", "DEBIAN")
_DEFAULT_DAYS = 7
_MAX_DAYS = 360
_TASK_MINUTES = 60
_DEFAULT_HOURS = 3
_CUTOFF_HOURS = 1


@own_signature
class PatchSchedule(Construct):
    """Security updates for servers: approved after some days, installed in a maintenance window.

    - The patch baseline approves security updates, and nothing else, some days after their release,
      by when faulty updates are known. Missing ones make a server non-compliant, as CRITICAL.
    - In the maintenance window `AWS-RunPatchBaseline` installs the approved updates on a tenth of
      the servers at a time, and reboots a server only if an update needs it. It starts no server in
      the window's last hour. The task's role can only run this document on these servers. The
      output goes to an encrypted log group.

    The tag ``PatchGroup`` assigns servers to the baseline. Constructs of the app receive the tag
    and the permissions; tag others yourself, and attach ``permissions`` to their role. Servers
    need SSM Agent, the endpoints `InterfaceEndpoints.PATCH_MANAGER` or internet access, and access
    to their distribution's package repositories.

    Auto Scaling groups are also patched when a server is replaced by one from a newer image: with a
    `HardenedImage` and a maximum instance lifetime that can be enough.

    It costs $1 a month for the log's KMS key. Patch Manager is free of charge for EC2.

    Source: Systems Manager User Guide, "About patch baselines", "Maintenance Windows"; Security
        Hub SSM.2; CIS Amazon Linux 2023 Benchmark 1.9.

    Example::

        PatchSchedule(
            self,
            "Patches",
            nodes=ManagedNodes.auto_scaling_group(fleet),
            schedule=events.Schedule.expression("cron(0 2 ? * TUE *)"),
        )
    """

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 - CDK's own name for it
        *,
        nodes: ManagedNodes,
        operating_system: OperatingSystem = "AMAZON_LINUX_2023",
        patch_group: str | None = None,
        approve_after_days: int | None = None,
        schedule: cdk.aws_events.Schedule | None = None,
        schedule_timezone: str = "Etc/UTC",
        duration: Duration | None = None,
        reboot: bool = True,
        encryption_key: cdk.aws_kms.IKey | None = None,
        log_retention: cdk.aws_logs.RetentionDays | None = None,
    ) -> None:
        """Create the baseline, the window, its task and the permissions.

        Args:
            scope: The parent construct.
            id: The construct's id in it.
            nodes: The servers.
            operating_system: Their distribution, by Patch Manager's name. A baseline is for one
                distribution. Default: "AMAZON_LINUX_2023".
            patch_group: The value of the tag ``PatchGroup``. Required if ``nodes`` selects servers
                by another tag. Default: a name made from the construct's path.
            approve_after_days: Days between an update's release and its approval, 0 to 360. Patch
                Manager has no release dates for Ubuntu and Debian: leave it out, and all updates
                are approved. Default: 7.
            schedule: When the window opens. Default: Sundays at 03:00.
            schedule_timezone: The schedule's IANA time zone. Default: "Etc/UTC".
            duration: How long the window stays open, in whole hours, 2 to 24. Default: 3 hours.
            reboot: Whether servers reboot if an update needs it. Without a reboot a new kernel is
                installed but does not run. Default: True.
            encryption_key: The KMS key of the log group. Its policy must allow CloudWatch Logs to
                use it. Default: a new key with rotation.
            log_retention: How long log events are kept. Default: one year.

        Raises:
            ValueError: If an argument has another type or value than allowed, or two arguments
                contradict each other.
        """
        check_nodes(nodes)
        days = _days(operating_system, approve_after_days)
        hours = _hours(duration)
        _refuse_untagged(nodes, patch_group)
        super().__init__(scope, id)
        groups = self._groups(nodes, patch_group)
        name = Names.unique_resource_name(self, max_length=100, separator="-")
        self.patch_baseline = self._baseline(name, operating_system, days, groups)
        """The patch baseline."""
        self.maintenance_window = self._window(name, schedule, schedule_timezone, hours)
        """The maintenance window."""
        target = ssm.CfnMaintenanceWindowTarget(
            self,
            "Target",
            window_id=self.maintenance_window.ref,
            resource_type="INSTANCE",
            targets=[ssm.CfnMaintenanceWindowTarget.TargetsProperty(key=_TAG, values=[*groups])],
        )
        log_group = encrypted_log_group(
            self,
            "Log",
            key_id="LogKey",
            key_description="Log of patching",
            encryption_key=encryption_key,
            retention=log_retention,
        )
        self._task(target, self._task_role(groups), _run_command(log_group, reboot=reboot))
        self.permissions = iam.ManagedPolicy(
            self,
            "Permissions",
            description="Patch Manager, for servers that are patched",
            statements=_node_statements(log_group),
            roles=[*nodes.roles],
        )
        """The permissions that a server's role needs, besides Session Manager's."""
        acknowledge(self.permissions, *PATCHING)

    def _baseline(
        self,
        name: str,
        operating_system: OperatingSystem,
        days: int | None,
        groups: tuple[str, ...],
    ) -> ssm.CfnPatchBaseline:
        return ssm.CfnPatchBaseline(
            self,
            "Baseline",
            name=name,
            description="Security updates",
            operating_system=operating_system,
            patch_groups=[*groups],
            approval_rules=ssm.CfnPatchBaseline.RuleGroupProperty(
                patch_rules=[_rule(operating_system, days)]
            ),
            approved_patches_compliance_level="CRITICAL",
            approved_patches_enable_non_security=False,
            rejected_patches_action="BLOCK",
        )

    def _window(
        self, name: str, schedule: cdk.aws_events.Schedule | None, timezone: str, hours: int
    ) -> ssm.CfnMaintenanceWindow:
        return ssm.CfnMaintenanceWindow(
            self,
            "Window",
            name=name,
            description="Installs security updates",
            schedule=("cron(0 3 ? * SUN *)" if schedule is None else schedule.expression_string),
            schedule_timezone=timezone,
            duration=hours,
            cutoff=_CUTOFF_HOURS,
            allow_unassociated_targets=False,
        )

    def _task(
        self,
        target: ssm.CfnMaintenanceWindowTarget,
        role: iam.Role,
        run_command: ssm.CfnMaintenanceWindowTask.MaintenanceWindowRunCommandParametersProperty,
    ) -> None:
        ssm.CfnMaintenanceWindowTask(
            self,
            "Task",
            window_id=self.maintenance_window.ref,
            targets=[
                ssm.CfnMaintenanceWindowTask.TargetProperty(
                    key="WindowTargetIds", values=[target.ref]
                )
            ],
            task_type="RUN_COMMAND",
            task_arn=PATCH_DOCUMENT,
            service_role_arn=role.role_arn,
            priority=1,
            max_concurrency="10%",
            max_errors="10%",
            cutoff_behavior="CONTINUE_TASK",
            task_invocation_parameters=(
                ssm.CfnMaintenanceWindowTask.TaskInvocationParametersProperty(
                    maintenance_window_run_command_parameters=run_command
                )
            ),
        )

    def _groups(self, nodes: ManagedNodes, patch_group: str | None) -> tuple[str, ...]:
        """Return the servers' patch groups, and tag the constructs of the app with theirs."""
        if nodes.key == _TAG:
            return nodes.values
        group = patch_group or Names.unique_resource_name(self, max_length=100, separator="-")
        for construct in nodes.constructs:
            Tags.of(construct).add(PATCH_GROUP, group)
        return (group,)

    def _task_role(self, groups: tuple[str, ...]) -> iam.Role:
        stack = Stack.of(self)
        role = iam.Role(
            self,
            "TaskRole",
            assumed_by=iam.ServicePrincipal(
                "ssm.amazonaws.com",
                conditions={"StringEquals": {"aws:SourceAccount": stack.account}},
            ),
            description="Patches servers in a maintenance window",
        )
        permissions = iam.ManagedPolicy(
            self,
            "TaskPermissions",
            description="Run the patch document on the servers of these patch groups",
            roles=[role],
            statements=_task_statements(stack, groups),
        )
        acknowledge(permissions, *PATCHING_TASK)
        return role


def _refuse_untagged(nodes: ManagedNodes, patch_group: str | None) -> None:
    if nodes.key == _TAG and patch_group is not None:
        raise ValueError(
            f"patch_group is {patch_group!r}, but nodes selects servers by their patch groups "
            f"({', '.join(nodes.values)}): leave patch_group out"
        )
    if nodes.key != _TAG and not nodes.constructs and patch_group is None:
        raise ValueError(
            f"nodes selects servers by {nodes.key}, but the tag {PATCH_GROUP} assigns a server to "
            f"its patch baseline: tag the servers and write ManagedNodes.tagged({PATCH_GROUP!r}, "
            "...), or pass the tag's value as patch_group='...'"
        )


def _days(operating_system: object, given: object) -> int | None:
    if operating_system not in get_args(OperatingSystem):
        raise ValueError(
            f"operating_system is {operating_system!r}: write one of "
            f"{', '.join(repr(each) for each in get_args(OperatingSystem))}"
        )
    if operating_system in _DEBS:
        if given is not None:
            raise ValueError(
                f"approve_after_days is {given!r} for {operating_system}, whose updates have no "
                "release date in Patch Manager: leave approve_after_days out"
            )
        return None
    if given is None:
        return _DEFAULT_DAYS
    if not isinstance(given, int) or isinstance(given, bool) or not 0 <= given <= _MAX_DAYS:
        raise ValueError(
            f"approve_after_days is {given!r}: write a number of days from 0 to {_MAX_DAYS}, such "
            "as approve_after_days=7"
        )
    return given


def _hours(duration: Duration | None) -> int:
    if duration is None:
        return _DEFAULT_HOURS
    hours = duration.to_hours(integral=False)
    if hours not in range(2, 25):
        raise ValueError(
            f"duration is {hours:g} hours: a maintenance window has 2 to 24 whole hours; write "
            "such as duration=Duration.hours(3)"
        )
    return int(hours)


def _rule(operating_system: str, days: int | None) -> ssm.CfnPatchBaseline.RuleProperty:
    filters = _DEB if operating_system in _DEBS else _RPM
    return ssm.CfnPatchBaseline.RuleProperty(
        approve_after_days=days,
        compliance_level="CRITICAL",
        enable_non_security=False,
        patch_filter_group=ssm.CfnPatchBaseline.PatchFilterGroupProperty(
            patch_filters=[
                ssm.CfnPatchBaseline.PatchFilterProperty(key=key, values=values)
                for key, values in filters.items()
            ]
        ),
    )


def _run_command(
    log_group: cdk.aws_logs.ILogGroup, *, reboot: bool
) -> ssm.CfnMaintenanceWindowTask.MaintenanceWindowRunCommandParametersProperty:
    return ssm.CfnMaintenanceWindowTask.MaintenanceWindowRunCommandParametersProperty(
        comment="Install approved security updates",
        parameters={
            "Operation": ["Install"],
            "RebootOption": ["RebootIfNeeded" if reboot else "NoReboot"],
        },
        timeout_seconds=_TASK_MINUTES * 60,
        cloud_watch_output_config=ssm.CfnMaintenanceWindowTask.CloudWatchOutputConfigProperty(
            cloud_watch_output_enabled=True, cloud_watch_log_group_name=log_group.log_group_name
        ),
    )


def _task_statements(stack: Stack, groups: tuple[str, ...]) -> list[iam.PolicyStatement]:
    document = stack.format_arn(
        service="ssm", account="", resource="document", resource_name=PATCH_DOCUMENT
    )
    return [
        iam.PolicyStatement(actions=["ssm:SendCommand"], resources=[document]),
        iam.PolicyStatement(
            actions=["ssm:SendCommand"],
            resources=[every_instance_arn(stack)],
            conditions={"StringEquals": {f"ssm:resourceTag/{PATCH_GROUP}": [*groups]}},
        ),
        iam.PolicyStatement(
            actions=[
                "ssm:GetCommandInvocation",
                "ssm:ListCommandInvocations",
                "ssm:ListCommands",
                "tag:GetResources",
            ],
            resources=["*"],
        ),
    ]


def _node_statements(log_group: cdk.aws_logs.ILogGroup) -> list[iam.PolicyStatement]:
    return [
        iam.PolicyStatement(
            actions=[
                "ssm:GetDeployablePatchSnapshotForInstance",
                "ssm:PutComplianceItems",
                "ssm:PutInventory",
                # SSM Agent looks the log group up, and whether it is encrypted.
                "logs:DescribeLogGroups",
            ],
            resources=["*"],
        ),
        iam.PolicyStatement(
            actions=["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
            resources=[log_group.log_group_arn],
        ),
    ]
