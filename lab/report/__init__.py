"""The results of a run: evidence as JSON, one HTML report, and docs/FIGURES.md."""
