"""The custom resources of `AccountGuardrails`: settings that CloudFormation has no type for.

Needs nothing but the boto3 of the Lambda runtime.
"""
