"""State Manager and Patch Manager for running servers."""
