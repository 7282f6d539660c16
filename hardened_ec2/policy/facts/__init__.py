"""What the templates say about servers, networks, roles and user data."""
