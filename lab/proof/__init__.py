"""The proof: servers booted, rebooted, broken, and observed."""
