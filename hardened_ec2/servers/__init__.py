"""EC2 instances, launch templates and Auto Scaling groups, and their shared parts."""
