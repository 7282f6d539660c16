"""MetadataAlarms: told when something asks the metadata service in a way that nothing should."""

from typing import NamedTuple

from aws_cdk import Duration, Names, Stack
from aws_cdk import aws_autoscaling as autoscaling
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from constructs import Construct

from hardened_ec2.support.topic import encrypted_topic

DENIED = "imds-denied"
"""What the host's metadata lock writes in front of each denied call it logs."""

METRIC_NAMESPACE = "HardenedEc2"

_PERIOD = Duration.minutes(5)


class _Watched(NamedTuple):
    """A metric of EC2, and what it means when it is above nothing."""

    name: str
    description: str


_IMDS_V1 = (
    _Watched(
        "MetadataNoToken",
        "The metadata service answered without a session token: IMDSv1 was brought back, and "
        "something uses it",
    ),
    _Watched(
        "MetadataNoTokenRejected",
        "The metadata service was asked without a session token and refused: an old program, or "
        "somebody who makes the server ask (SSRF)",
    ),
)


class MetadataAlarms(Construct):
    """Alarms on a server, or a fleet, whose metadata service is asked as it should not be.

    - ``MetadataNoToken``: EC2 answered a call without a session token (IMDSv1). On a server of ours
      that cannot be, unless somebody changed the server.
    - ``MetadataNoTokenRejected``: EC2 refused one. Nothing that is up to date asks so; a request
      that an attacker has the server make does.
    - With a ``log_group`` also on calls that the host's own lock denied, whatever their version:
      by users who are neither root nor named, by containers, by login sessions.

    The first two need nothing on the server. For the third the kernel's log has to get into the
    log group: docs/MONITORING.md says how. The lock logs six denied calls a minute at most, and
    none where the host has no nftables and locks by ``ip rule``.

    What it costs: $0.10 a month for each alarm, $0.30 for the metric of denied calls, and $1 for
    the topic's key, unless you pass a topic.

    Args:
        scope: The construct to make them in.
        id: Their id there.
        server: The server, or the Auto Scaling group.
        topic: Who is told. It must let CloudWatch publish, and its key be used by CloudWatch.
            Default: an encrypted topic of their own, ``topic``, without subscribers.
        log_group: Where the kernel's log of the server, or of the fleet, goes. Default: none, and
            denied calls stay in the host's journal.
        denied_calls: How many logged denials in five minutes are an alarm. Default: 1.

    Raises:
        ValueError: If the server is none, or ``denied_calls`` is no number of calls or given
            without a log group.

    Source: AWS, "CloudWatch metrics that are available for your instances"; AWS, "Transition to
        using Instance Metadata Service Version 2"; AWS, "Filter pattern syntax for metric filters".

    Example::

        alarms = MetadataAlarms(self, "MetadataAlarms", server=server)
        alarms.topic.add_subscription(subscriptions.EmailSubscription("security@example.com"))
    """

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 - CDK's own name for it
        *,
        server: ec2.IInstance | autoscaling.IAutoScalingGroup,
        topic: sns.ITopic | None = None,
        log_group: logs.ILogGroup | None = None,
        denied_calls: int | None = None,
    ) -> None:
        dimensions = _dimensions(server)
        threshold = _threshold(denied_calls, logged=log_group is not None)
        super().__init__(scope, id)
        self.topic: sns.ITopic = topic or _topic_of_cloud_watch(self)
        """Who is told."""
        tell = actions.SnsAction(self.topic)
        self.alarms: dict[str, cloudwatch.Alarm] = {}
        """The alarms, by the name of what they watch."""
        for watched in _IMDS_V1:
            metric = cloudwatch.Metric(
                namespace="AWS/EC2", metric_name=watched.name, dimensions_map=dimensions
            )
            self._add(watched, metric, 1, tell)
        if log_group is not None:
            denied = _Watched(
                "MetadataDenied",
                "The host's lock denied calls to the metadata service: by a user who has no "
                "business there, a container, or a login session. The log has uid and process",
            )
            metric_filter = logs.MetricFilter(
                self,
                "DeniedCalls",
                log_group=log_group,
                filter_pattern=logs.FilterPattern.all_terms(DENIED),
                metric_namespace=METRIC_NAMESPACE,
                # One of its own for each log group, since they would count into one another.
                metric_name=f"{denied.name}-{Names.unique_resource_name(self, max_length=200)}",
                default_value=0,
            )
            self._add(denied, metric_filter.metric(), threshold, tell)

    def _add(
        self,
        watched: _Watched,
        metric: cloudwatch.Metric,
        threshold: int,
        tell: cloudwatch.IAlarmAction,
    ) -> None:
        alarm = cloudwatch.Alarm(
            self,
            watched.name,
            alarm_description=watched.description,
            metric=metric.with_(statistic="Sum", period=_PERIOD),
            threshold=threshold,
            evaluation_periods=1,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            # EC2 sends nothing where there was no such call.
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        alarm.add_alarm_action(tell)
        self.alarms[watched.name] = alarm


def _dimensions(server: object) -> dict[str, str]:
    for attribute, dimension in (
        ("instance_id", "InstanceId"),
        ("auto_scaling_group_name", "AutoScalingGroupName"),
    ):
        value = getattr(server, attribute, None)
        if value is not None:
            return {dimension: value}
    raise ValueError(
        f"server is {server!r}: write an ec2.IInstance, such as a HardenedInstance, or an "
        "autoscaling.IAutoScalingGroup, such as a HardenedAutoScalingGroup"
    )


def _threshold(denied_calls: int | None, *, logged: bool) -> int:
    if denied_calls is None:
        return 1
    if not logged:
        raise ValueError(
            f"denied_calls is {denied_calls!r} without a log_group, in which they would be "
            "counted: pass the log group that the kernel's log goes to, or leave it out"
        )
    if type(denied_calls) is not int or denied_calls < 1:
        raise ValueError(f"denied_calls is {denied_calls!r}: write a whole number of at least 1")
    return denied_calls


def _topic_of_cloud_watch(scope: Construct) -> sns.Topic:
    account = {"StringEquals": {"aws:SourceAccount": Stack.of(scope).account}}
    cloud_watch = iam.ServicePrincipal("cloudwatch.amazonaws.com", conditions=account)
    topic = encrypted_topic(
        scope, key_description="Alarms of the metadata service", publisher=cloud_watch
    )
    # A policy of its own takes the place of SNS's default one, which lets the account publish.
    topic.add_to_resource_policy(
        iam.PolicyStatement(
            principals=[cloud_watch], actions=["sns:Publish"], resources=[topic.topic_arn]
        )
    )
    return topic
