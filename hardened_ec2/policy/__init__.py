"""What is refused: CloudFormation templates judged by rules. No CDK, no node process."""
