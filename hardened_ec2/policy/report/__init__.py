"""A verdict as text, JSON, SARIF or HTML, and the table of rules."""
