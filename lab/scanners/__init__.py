"""Lynis and OpenSCAP on booted servers: `python -m lab.scanners docs/SCANNERS.md`."""
