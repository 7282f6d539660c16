"""The stacks of the reference app."""
