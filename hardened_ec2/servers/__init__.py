"""EC2 instances, launch templates and Auto Scaling groups, and what they are made of."""
