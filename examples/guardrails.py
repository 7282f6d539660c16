#!/usr/bin/env python3
"""Guardrails of one account, and the same settings for a whole organization.

    cdk synth '**' --app "python3 -m examples.guardrails" --output build/guardrails

Deploy `Account` to each account and Region outside an organization. In an organization, deploy
`Organization` to the management account, and `Rest` to each account for the settings that a
declarative policy has no attribute for.
"""

import aws_cdk as cdk
from aws_cdk import aws_organizations as organizations
from cdk_nag import AwsSolutionsChecks, NIST80053R5Checks

from hardened_ec2 import (
    AccountGuardrails,
    DefaultVpc,
    Ec2Attributes,
    HardenedEc2Checks,
    PublicAccessExclusion,
    VpcBlockPublicAccess,
)

app = cdk.App()

attributes = Ec2Attributes(
    vpc_block_public_access=VpcBlockPublicAccess(
        mode="block-ingress",
        # What faces the internet on purpose. Everything else is cut off at once.
        exclusions=(PublicAccessExclusion(name="Web", vpc_id="vpc-0123456789abcdef0"),),
    )
)

account = cdk.Stack(app, "Account", termination_protection=True)
AccountGuardrails(account, "Guardrails", ec2_attributes=attributes, default_vpc=DefaultVpc.DELETE)

organization = cdk.Stack(app, "Organization", termination_protection=True)
organizations.CfnPolicy(
    organization,
    "Ec2Policy",
    name="ec2-guardrails",
    type="DECLARATIVE_POLICY_EC2",
    content=attributes.declarative_policy(
        exception_message="The organization decides this. See https://wiki.example.com/ec2"
    ),
    target_ids=["ou-ab12-11111111"],
)

rest = cdk.Stack(app, "Rest", termination_protection=True)
AccountGuardrails(rest, "Guardrails", ec2_attributes=None)

cdk.Validations.of(app).add_plugins(
    HardenedEc2Checks(app), AwsSolutionsChecks(app), NIST80053R5Checks(app)
)
app.synth()
