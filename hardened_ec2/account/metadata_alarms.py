"""MetadataAlarms: CloudWatch alarms on IMDSv1 requests and on denied metadata requests."""

from __future__ import annotations

from typing import NamedTuple

import aws_cdk as cdk
from aws_cdk import Duration, Names, Stack
from aws_cdk import aws_autoscaling as autoscaling
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from constructs import Construct

from hardened_ec2.support.signature import own_signature
from hardened_ec2.support.topic import encrypted_topic

DENIED = "imds-denied"
"""The prefix of the log lines in which the host's metadata lock reports a denied request."""

METRIC_NAMESPACE = "HardenedEc2"

_PERIOD = Duration.minutes(5)


class _Watched(NamedTuple):
    """A metric to alarm on, and the alarm's description."""

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


@own_signature
class MetadataAlarms(Construct):
    """CloudWatch alarms on suspicious requests to an instance's or a group's metadata service.

    - ``MetadataNoToken``: EC2 answered a request without a session token (IMDSv1). This cannot
      happen on a hardened server, unless somebody changed its metadata options.
    - ``MetadataNoTokenRejected``: EC2 rejected such a request. Attackers send them through a
      server-side request forgery, and so do legitimate clients that try IMDSv1 or fall back to it:
      docs/MONITORING.md names some.
    - ``MetadataDenied``, only with a ``log_group``: the host's metadata lock denied a request, of
      either version: from a user who is neither root nor in ``imds_users``, from a container or
      from a login session.

    The first two need nothing on the server. The third needs the kernel log in the log group, see
    docs/MONITORING.md. The lock logs at most six denied requests a minute, and none on hosts
    without nftables, where it uses ``ip rule``.

    It costs $0.10 a month for each alarm, $0.30 for the metric of denied requests, and $1 for the
    topic's KMS key, unless you pass ``topic``.

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
        topic: cdk.aws_sns.ITopic | None = None,
        log_group: cdk.aws_logs.ILogGroup | None = None,
        denied_calls: int | None = None,
    ) -> None:
        """Create the alarms.

        Args:
            scope: The parent construct.
            id: The construct's id in it.
            server: The instance, or the Auto Scaling group.
            topic: The SNS topic that the alarms notify. Its policy must allow CloudWatch to
                publish, and its KMS key must allow CloudWatch to use it. Default: a new encrypted
                topic without subscribers.
            log_group: The log group that receives the kernel log of the server or group. Default:
                none; denied requests stay in the host's journal.
            denied_calls: How many logged denials in five minutes raise an alarm, from 1. It needs
                ``log_group``. Default: 1.

        Raises:
            ValueError: If the server is neither an instance nor a group, or ``denied_calls`` is
                not a whole number from 1 or is given without ``log_group``.
        """
        dimensions = _dimensions(server)
        threshold = _threshold(denied_calls, logged=log_group is not None)
        super().__init__(scope, id)
        self.topic: cdk.aws_sns.ITopic = topic or _topic_of_cloud_watch(self)
        """The SNS topic that the alarms notify."""
        tell = actions.SnsAction(self.topic)
        self.alarms: dict[str, cloudwatch.Alarm] = {}
        """The alarms, by metric name."""
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
            metric_filter = cdk.aws_logs.MetricFilter(
                self,
                "DeniedCalls",
                log_group=log_group,
                filter_pattern=cdk.aws_logs.FilterPattern.all_terms(DENIED),
                metric_namespace=METRIC_NAMESPACE,
                # Unique, since filters with one metric name would add their counts up.
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
            # EC2 publishes no data while there are no such requests.
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
            f"denied_calls is {denied_calls!r} without log_group, where the denied requests are "
            "counted: pass the log group of the kernel log, or leave denied_calls out"
        )
    if type(denied_calls) is not int or denied_calls < 1:
        raise ValueError(f"denied_calls is {denied_calls!r}: write a whole number of at least 1")
    return denied_calls


def _topic_of_cloud_watch(scope: Construct) -> cdk.aws_sns.Topic:
    account = {"StringEquals": {"aws:SourceAccount": Stack.of(scope).account}}
    cloud_watch = iam.ServicePrincipal("cloudwatch.amazonaws.com", conditions=account)
    topic = encrypted_topic(
        scope, key_description="Alarms of the metadata service", publisher=cloud_watch
    )
    # An explicit policy replaces SNS's default one, which lets the whole account publish.
    topic.add_to_resource_policy(
        iam.PolicyStatement(
            principals=[cloud_watch], actions=["sns:Publish"], resources=[topic.topic_arn]
        )
    )
    return topic
