"""The reference app, with a hardening profile and a user's own commands on its bastion.

Context values, in addition to the app's own:
    bastion_profile: The bastion's hardening profile. Default: the stack's.
    bastion_commands: A list of shell commands for its user data. Default: none.
"""

import aws_cdk as cdk

import app as reference
from hardened_ec2 import HardenedUserData, HostHardening
from stacks.bastion_stack import BastionStack


def main() -> None:
    """Synthesize the app."""
    the_app = cdk.App()
    reference.build(the_app)
    profile = the_app.node.try_get_context("bastion_profile")
    commands = the_app.node.try_get_context("bastion_commands") or ()
    for stack in the_app.node.children:
        if isinstance(stack, BastionStack):
            user_data = stack.bastion.user_data
            if profile:
                assert isinstance(user_data, HardenedUserData)  # noqa: S101 - narrows the type
                user_data.hardening = HostHardening(profile=profile)
            user_data.add_commands(*commands)
    the_app.synth()


if __name__ == "__main__":
    main()
