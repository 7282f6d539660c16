"""`python -m hardened_ec2.cli`: the command, without an installation."""

from hardened_ec2.cli import main

main()
