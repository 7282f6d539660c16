"""What runs on the server: the hardening payload and the user data that carries it. No CDK."""
