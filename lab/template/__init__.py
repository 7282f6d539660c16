"""The synthesized template: the user data to boot and the security group around it."""
