"""SessionsStack: session recording for the account and Region of the reference app."""

from aws_cdk import Environment, Stack
from constructs import Construct

from hardened_ec2 import SessionRecording


class SessionsStack(Stack):
    """A `SessionRecording` for the whole account and Region, in a stack protected from termination.

    It applies to every server in the account that may write to its log group, not only to those of
    this app. Deploy it once per Region.

    Args:
        scope: The app or stage.
        id: The stack's id there.
        env: The account and Region. Default: those of the credentials at deployment.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 - CDK's own name for it
        *,
        env: Environment | None = None,
    ) -> None:
        super().__init__(scope, id, env=env, termination_protection=True)
        self.recording = SessionRecording(self, "Recording")
