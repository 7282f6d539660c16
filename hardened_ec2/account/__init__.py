"""Settings, recordings and alarms of a whole AWS account."""
