"""What runs in AWS Lambda. Each package here is deployed as it is, and imports nothing outside."""
