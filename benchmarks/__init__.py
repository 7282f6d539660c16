"""What the constructs and the policy cost, beside what they replace, in one run."""
