"""The reference stacks: one hardened server and what it needs, ready to deploy."""
