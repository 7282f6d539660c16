"""Rules applied to a deployment, and the verdict with accepted findings."""
