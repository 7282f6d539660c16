"""The reference app, with commands of a user's own on the bastion: what the lab boots.

Context, beside that of the app itself:
    bastion_commands: A list of shell commands.
"""

import aws_cdk as cdk

import app as reference
from stacks.bastion_stack import BastionStack


def main() -> None:
    """Synthesize it."""
    the_app = cdk.App()
    reference.build(the_app)
    commands = the_app.node.try_get_context("bastion_commands")
    for stack in the_app.node.children:
        if isinstance(stack, BastionStack) and commands:
            stack.bastion.user_data.add_commands(*commands)
    the_app.synth()


if __name__ == "__main__":
    main()
