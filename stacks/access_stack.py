"""AccessStack: a policy that grants access to the server, alarms and a Network Access Scope."""

from aws_cdk import Acknowledgment, CfnOutput, Environment, Stack, Validations
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from constructs import Construct

from hardened_ec2 import (
    InstanceConnectEndpoint,
    InternetAccessScope,
    MetadataAlarms,
    SessionRecording,
)


class AccessStack(Stack):
    """A policy that grants access to one server, alarms on its metadata service, an access scope.

    The policy is attached to nothing: attach it to a role that people assume with MFA.

    Args:
        scope: The app or stage.
        id: The stack's id there.
        server: The server.
        recording: The recording of Session Manager's sessions.
        instance_connect_endpoint: The endpoint that SSH goes through.
        env: The account and Region. Default: those of the credentials at deployment.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 - CDK's own name for it
        *,
        server: ec2.IInstance,
        recording: SessionRecording,
        instance_connect_endpoint: InstanceConnectEndpoint,
        env: Environment | None = None,
    ) -> None:
        super().__init__(scope, id, env=env)
        self.operators = iam.ManagedPolicy(
            self, "Operators", description="Get into the server, recorded or by SSH"
        )
        recording.grant_start_session(self.operators, server)
        instance_connect_endpoint.grant_connect(self.operators, server)
        sessions = "arn:<AWS::Partition>:ssm:<AWS::Region>:<AWS::AccountId>:session/<aws:userid>-*"
        Validations.of(self.operators).acknowledge(
            Acknowledgment(
                id="AwsSolutions::AwsSolutions-IAM5[Resource::*]",
                reason="IAM knows the two actions that look servers up with no resource but *.",
            ),
            Acknowledgment(
                id=f"AwsSolutions::AwsSolutions-IAM5[Resource::{sessions}]",
                reason="The sessions that whoever is logged in started themselves.",
            ),
        )
        InternetAccessScope(self, "NothingFromTheInternet", servers=[server])
        self.alarms = MetadataAlarms(self, "MetadataAlarms", server=server)
        CfnOutput(
            self,
            "OperatorsPolicyArn",
            value=self.operators.managed_policy_arn,
            description="Attach it to the role of whoever runs the server",
        )
        CfnOutput(
            self,
            "AlarmTopicArn",
            value=self.alarms.topic.topic_arn,
            description="Subscribe to it to be told of calls that nothing should make",
        )
