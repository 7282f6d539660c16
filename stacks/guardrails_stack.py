"""The guardrails of the reference app: the floor of the account and Region it is deployed to."""

from aws_cdk import Environment, Stack
from constructs import Construct

from hardened_ec2 import AccountGuardrails, Ec2Attributes, VpcBlockPublicAccess


class GuardrailsStack(Stack):
    """`AccountGuardrails` for the whole account and Region, in a stack protected from termination.

    They hold for everything in the account, not only for the servers of this app. Deploy them
    once for each Region.

    Args:
        scope: The app or stage.
        id: The stack's id there.
        vpc_block_public_access: Whether internet gateways work, and what stays reachable.
        env: The account and region. Default: those of the credentials at deployment.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 - CDK's own name for it
        *,
        vpc_block_public_access: VpcBlockPublicAccess,
        env: Environment | None = None,
    ) -> None:
        # VPC Block Public Access goes with its stack, and would open the account again.
        super().__init__(scope, id, env=env, termination_protection=True)
        self.guardrails = AccountGuardrails(
            self,
            "Guardrails",
            ec2_attributes=Ec2Attributes(vpc_block_public_access=vpc_block_public_access),
        )
