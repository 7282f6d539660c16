"""Constructs and acknowledgements that the other packages share."""
