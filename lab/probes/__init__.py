"""The probes: what clients see of a server, and what it says of itself when asked inside."""
