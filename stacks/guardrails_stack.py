"""GuardrailsStack: settings of the account and Region that the reference app is deployed to."""

from aws_cdk import Environment, Stack
from constructs import Construct

from hardened_ec2 import AccountGuardrails, Ec2Attributes, VpcBlockPublicAccess


class GuardrailsStack(Stack):
    """`AccountGuardrails` for the whole account and Region, in a stack protected from termination.

    They apply to everything in the account, not only to the servers of this app. Deploy them once
    per Region.

    Args:
        scope: The app or stage.
        id: The stack's id there.
        vpc_block_public_access: Whether internet gateways pass traffic, and the exclusions.
        env: The account and Region. Default: those of the credentials at deployment.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 - CDK's own name for it
        *,
        vpc_block_public_access: VpcBlockPublicAccess,
        env: Environment | None = None,
    ) -> None:
        # Deleting the stack deletes VPC Block Public Access, which reopens the account.
        super().__init__(scope, id, env=env, termination_protection=True)
        self.guardrails = AccountGuardrails(
            self,
            "Guardrails",
            ec2_attributes=Ec2Attributes(vpc_block_public_access=vpc_block_public_access),
        )
