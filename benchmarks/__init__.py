"""What the constructs and the policy cost, measured side by side."""
