"""Apps to build in: bare, without feature flags, since constructs must be safe in any app."""

import aws_cdk as cdk
import pytest

from hardened_ec2 import HardenedVpc


@pytest.fixture
def app() -> cdk.App:
    return cdk.App(builtin_cloud_formation_validation=False)


@pytest.fixture
def stack(app: cdk.App) -> cdk.Stack:
    return cdk.Stack(app, "Stack")


@pytest.fixture
def vpc(stack: cdk.Stack) -> HardenedVpc:
    return HardenedVpc(stack, "Vpc")
