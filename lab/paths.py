"""Where the lab reads and writes: this checkout and its evidence."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
"""This checkout."""

EVIDENCE = ROOT / "build" / "lab" / "evidence"
"""Console logs, observations and reports of the last run."""
