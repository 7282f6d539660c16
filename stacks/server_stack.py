"""ServerStack: the private server of the reference app."""

from aws_cdk import CfnOutput, Environment, Stack
from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from hardened_ec2 import HardenedInstance, InstanceRole, SessionLogs, SshAccess


class ServerStack(Stack):
    """One `HardenedInstance` in a private subnet.

    Args:
        scope: The app or stage.
        id: The stack's id there.
        vpc: The network.
        ssh: Who may reach port 22.
        session_logs: Where its sessions are recorded. Default: none.
        env: The account and Region. Default: those of the credentials at deployment.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 - CDK's own name for it
        *,
        vpc: ec2.IVpc,
        ssh: SshAccess,
        session_logs: SessionLogs | None = None,
        env: Environment | None = None,
    ) -> None:
        super().__init__(scope, id, env=env)
        role = InstanceRole(self, "Role", session_logs=session_logs) if session_logs else None
        self.server = HardenedInstance(self, "Server", vpc=vpc, ssh=ssh, role=role)
        instance_id = self.server.instance_id
        CfnOutput(self, "InstanceId", value=instance_id)
        CfnOutput(
            self,
            "Session",
            value=f"aws ssm start-session --target {instance_id}",
            description="A shell through Session Manager, which needs no open port",
        )
        CfnOutput(
            self,
            "Ssh",
            value=f"aws ec2-instance-connect ssh --instance-id {instance_id} "
            "--connection-type eice",
            description="SSH through the EC2 Instance Connect Endpoint",
        )
