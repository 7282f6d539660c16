"""The cost of constructs and policy, side by side with what they replace."""
