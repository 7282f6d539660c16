"""Small apps that show one thing each; every one is synthesized by the tests."""
