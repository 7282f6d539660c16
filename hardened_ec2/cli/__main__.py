"""Runs the command as `python -m hardened_ec2.cli`, without an installed script."""

from hardened_ec2.cli import main

main()
