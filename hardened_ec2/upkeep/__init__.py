"""State Manager and Patch Manager: what keeps running servers hardened and patched."""
