"""Log groups, topics, assets and acknowledgements that several constructs use."""
