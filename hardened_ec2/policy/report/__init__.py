"""A verdict as text, JSON, SARIF or HTML, and the documentation of the policy rules."""
