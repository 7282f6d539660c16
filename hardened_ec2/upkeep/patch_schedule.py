"""PatchSchedule: a patch baseline and the maintenance window in which it is installed."""

from dataclasses import dataclass
from typing import Literal, get_args

from aws_cdk import ArnFormat, Duration, Names, Stack, Tags
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from hardened_ec2.support.acknowledgements import PATCHING, PATCHING_TASK, acknowledge
from hardened_ec2.support.log_group import encrypted_log_group
from hardened_ec2.upkeep.managed_nodes import ManagedNodes

OperatingSystem = Literal[
    "AMAZON_LINUX_2023",
    "REDHAT_ENTERPRISE_LINUX",
    "ROCKY_LINUX",
    "ALMA_LINUX",
    "UBUNTU",
    "DEBIAN",
]
"""What Patch Manager calls the distributions that are hardened here."""

PATCH_GROUP = "PatchGroup"
"""The tag by which a server finds its patch baseline.

Source: Systems Manager User Guide, "Creating and managing patch groups". The spelling with a space
    is not allowed where tags are in the metadata.
"""

_TAG = f"tag:{PATCH_GROUP}"

LOGS_ENDPOINT = "logs"
"""The interface endpoint by which servers in a VPC without internet send what patching prints."""

PATCH_DOCUMENT = "AWS-RunPatchBaseline"
"""AWS's command document that scans for patches and installs them."""

_RPM = {"CLASSIFICATION": ["Security"]}
# Debian and Ubuntu have no classes: what their security archives hold is a security update, and
# its priority says how important its package is.
_DEB = {"PRIORITY": ["Required", "Important", "Standard", "Optional", "Extra"]}
_DEBS = ("UBUNTU", "DEBIAN")
_DEFAULT_DAYS = 7
_MAX_DAYS = 360
_TASK_MINUTES = 60


@dataclass(frozen=True, kw_only=True)
class _Window:
    """How long a window is open, in whole hours."""

    duration: int
    cutoff: int


class PatchSchedule(Construct):
    """Security updates for servers, approved after some days and installed in a weekly window.

    - A patch baseline that approves every security update some days after its release, so that a
      bad one is known by then, and that says so of missing ones as CRITICAL; nothing else is
      installed by it.
    - A maintenance window in which `AWS-RunPatchBaseline` installs what is approved, on a tenth of
      the servers at a time, and restarts a server only if an update asks for it. No new server is
      begun in the window's last hour. The task has a role of its own, which can run that document,
      on these servers, and nothing else; what the runs print goes to an encrypted log group.

    Servers find the baseline by the tag ``PatchGroup``. Those that are constructs of the app get
    it, and the permissions; tag others yourself and attach ``permissions`` to their role. They
    need what `HardeningAssociation` says, and the package repositories of their distribution.

    Fleets are patched twice: here, and whenever a server is replaced by one of a newer image. With
    `HardenedImage` and a maximum lifetime the second is enough for many.

    What it costs: $1 a month for the log's key; the rest is free for EC2.

    Args:
        scope: The construct to make it in.
        id: Its id there.
        nodes: The servers.
        operating_system: Their distribution, as Patch Manager calls it. A baseline is for one.
            Default: "AMAZON_LINUX_2023".
        patch_group: The value of the tag ``PatchGroup``. Default: a name made of the construct's
            path; required where ``nodes`` are found by another tag.
        approve_after_days: Days from an update's release to its approval, up to 360. Default: 7.
            Ubuntu and Debian know no release dates: what there is is approved, so leave it out.
        schedule: When the window opens. Default: Sundays at 03:00.
        schedule_timezone: The time zone of that, from the IANA's list. Default: "Etc/UTC".
        duration: How long it is open, in whole hours, 2 to 24. Default: 3 hours.
        reboot: Whether a server is restarted where an update asks for it. Default: True; without
            it a new kernel is installed and not run.
        encryption_key: The KMS key of the log. It must let CloudWatch Logs use it. Default: one of
            its own, rotated.
        log_retention: How long the log is kept. Default: one year.

    Raises:
        ValueError: If an argument is wrong or contradicts another; the message says what to write.

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
        schedule: events.Schedule | None = None,
        schedule_timezone: str = "Etc/UTC",
        duration: Duration | None = None,
        reboot: bool = True,
        encryption_key: kms.IKey | None = None,
        log_retention: logs.RetentionDays | None = None,
    ) -> None:
        if not isinstance(nodes, ManagedNodes):
            raise ValueError(
                f"nodes is {nodes!r}: write ManagedNodes.instances(server), "
                "ManagedNodes.auto_scaling_group(fleet) or ManagedNodes.tagged('PatchGroup', 'web')"
            )
        days = _days(operating_system, approve_after_days)
        window = _window(duration)
        _refuse_untagged(nodes, patch_group)
        super().__init__(scope, id)
        groups = self._groups(nodes, patch_group)
        name = Names.unique_resource_name(self, max_length=100, separator="-")
        self.patch_baseline = ssm.CfnPatchBaseline(
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
        """The patch baseline."""
        self.maintenance_window = ssm.CfnMaintenanceWindow(
            self,
            "Window",
            name=name,
            description="Installs security updates",
            schedule=("cron(0 3 ? * SUN *)" if schedule is None else schedule.expression_string),
            schedule_timezone=schedule_timezone,
            duration=window.duration,
            cutoff=window.cutoff,
            allow_unassociated_targets=False,
        )
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
        role = self._task_role(groups)
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
                    maintenance_window_run_command_parameters=_run_command(log_group, reboot=reboot)
                )
            ),
        )
        self.permissions = iam.ManagedPolicy(
            self,
            "Permissions",
            description="Patch Manager, for servers that are patched",
            statements=_node_statements(log_group),
            roles=[*nodes.roles],
        )
        """What a server's role needs, beside Session Manager's permissions."""
        acknowledge(self.permissions, *PATCHING)

    def _groups(self, nodes: ManagedNodes, patch_group: str | None) -> tuple[str, ...]:
        """Return the patch groups of the servers, and tag those that are constructs of the app."""
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
            statements=[
                iam.PolicyStatement(
                    actions=["ssm:SendCommand"],
                    resources=[
                        stack.format_arn(
                            service="ssm",
                            account="",
                            resource="document",
                            resource_name=PATCH_DOCUMENT,
                        )
                    ],
                ),
                iam.PolicyStatement(
                    actions=["ssm:SendCommand"],
                    resources=[
                        stack.format_arn(
                            service="ec2",
                            resource="instance",
                            resource_name="*",
                            arn_format=ArnFormat.SLASH_RESOURCE_NAME,
                        )
                    ],
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
            ],
        )
        acknowledge(permissions, *PATCHING_TASK)
        return role


def _refuse_untagged(nodes: ManagedNodes, patch_group: str | None) -> None:
    if nodes.key == _TAG and patch_group is not None:
        raise ValueError(
            f"patch_group is {patch_group!r}, and the servers are found by their own patch groups "
            f"({', '.join(nodes.values)}): leave patch_group out"
        )
    if nodes.key != _TAG and not nodes.constructs and patch_group is None:
        raise ValueError(
            f"the servers are found by {nodes.key}, and a server finds its patch baseline by the "
            f"tag {PATCH_GROUP}: tag them with it and write ManagedNodes.tagged({PATCH_GROUP!r}, "
            "...), or the value as patch_group='...'"
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
                "release dates in Patch Manager: leave approve_after_days out"
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


def _window(duration: Duration | None) -> _Window:
    if duration is None:
        return _Window(duration=3, cutoff=1)
    hours = duration.to_hours(integral=False)
    if hours not in range(2, 25):
        raise ValueError(
            f"duration is {hours:g} hours, where a maintenance window takes 2 to 24 whole ones: "
            "write such as duration=Duration.hours(3)"
        )
    return _Window(duration=int(hours), cutoff=1)


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
    log_group: logs.ILogGroup, *, reboot: bool
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


def _node_statements(log_group: logs.ILogGroup) -> list[iam.PolicyStatement]:
    return [
        iam.PolicyStatement(
            actions=[
                "ssm:GetDeployablePatchSnapshotForInstance",
                "ssm:PutComplianceItems",
                "ssm:PutInventory",
                # The agent looks for the group and for whether it is encrypted.
                "logs:DescribeLogGroups",
            ],
            resources=["*"],
        ),
        iam.PolicyStatement(
            actions=["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
            resources=[log_group.log_group_arn],
        ),
    ]
