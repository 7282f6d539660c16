"""Template text as JSON values with line numbers."""
