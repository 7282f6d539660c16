#!/usr/bin/env python3
"""Access to a server, recorded sessions, and alarms on its metadata service.

    cdk synth --app "python3 -m examples.access" --output build/access

passes the three packs. One IAM policy, for the operators' role, grants two ways in, neither of them
an open port: recorded Session Manager shells, and SSH from the office through an EC2 Instance
Connect Endpoint.
"""

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from cdk_nag import AwsSolutionsChecks, NIST80053R5Checks

from hardened_ec2 import (
    HardenedEc2Checks,
    HardenedInstance,
    HardenedVpc,
    InstanceConnectEndpoint,
    InstanceRole,
    InterfaceEndpoints,
    InternetAccessScope,
    MetadataAlarms,
    SessionRecording,
    SshAccess,
)

app = cdk.App()
stack = cdk.Stack(app, "Access")
vpc = HardenedVpc(
    stack,
    "Vpc",
    interface_endpoints=InterfaceEndpoints.SESSION_RECORDING,
)

recording = SessionRecording(stack, "Sessions", idle_timeout=cdk.Duration.minutes(10))
endpoint = InstanceConnectEndpoint(stack, "Ssh", vpc=vpc, whitelist=["203.0.113.0/28"])
server = HardenedInstance(
    stack,
    "Server",
    vpc=vpc,
    ssh=SshAccess.via_instance_connect_endpoint(endpoint),
    role=InstanceRole(stack, "Role", session_logs=recording.session_logs),
)

# Attach it to a role that people assume with MFA.
operators = iam.ManagedPolicy(stack, "Operators", description="Get into the server of the shop")
recording.grant_start_session(operators, server)
endpoint.grant_connect(operators, server, max_tunnel_duration=cdk.Duration.minutes(30))
cdk.Validations.of(operators).acknowledge(
    *(
        cdk.Acknowledgment(id=f"AwsSolutions::AwsSolutions-IAM5[Resource::{resource}]", reason=why)
        for resource, why in (
            ("*", "IAM knows the two actions that look servers up with no resource but *."),
            (
                "arn:<AWS::Partition>:ssm:<AWS::Region>:<AWS::AccountId>:session/<aws:userid>-*",
                "The sessions that whoever is logged in started themselves.",
            ),
        )
    )
)

InternetAccessScope(stack, "NothingFromTheInternet", servers=[server])
alarms = MetadataAlarms(stack, "MetadataAlarms", server=server)
cdk.CfnOutput(stack, "AlarmTopicArn", value=alarms.topic.topic_arn)

cdk.Validations.of(app).add_plugins(
    HardenedEc2Checks(app), AwsSolutionsChecks(app), NIST80053R5Checks(app)
)
app.synth()
