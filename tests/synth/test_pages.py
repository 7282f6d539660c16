"""The Python blocks of README.md and docs/ run; the first of all runs alone, in test_readme.py."""

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms

from hardened_ec2 import HardenedInstance, HardenedVpc
from tests.pages import Block, blocks
from tests.synth.examples import given

_, *BLOCKS = blocks("python")


@pytest.mark.parametrize("block", BLOCKS, ids=[each.name for each in BLOCKS])
def test_block(block: Block, request: pytest.FixtureRequest) -> None:
    names = given(block.text, request)
    exec(compile(block.text, f"<{block.name}>", "exec"), names)  # noqa: S102


@pytest.fixture
def server(stack: cdk.Stack, vpc: HardenedVpc) -> HardenedInstance:
    return HardenedInstance(stack, "Server", vpc=vpc)


@pytest.fixture
def bastion(server: HardenedInstance) -> HardenedInstance:
    return server


@pytest.fixture
def web(server: HardenedInstance) -> HardenedInstance:
    return server


@pytest.fixture
def legacy(stack: cdk.Stack) -> ec2.CfnInstance:
    return ec2.CfnInstance(stack, "Legacy", image_id="ami-0123456789abcdef0")


@pytest.fixture
def key(stack: cdk.Stack) -> kms.Key:
    return kms.Key(stack, "Key")


@pytest.fixture
def pilot_stack(app: cdk.App) -> cdk.Stack:
    return cdk.Stack(app, "Pilot")


@pytest.fixture
def ubuntu_stack(app: cdk.App) -> cdk.Stack:
    return cdk.Stack(app, "Ubuntu")


@pytest.fixture(name="TheTeamsStack")
def the_teams_stack() -> type[cdk.Stack]:
    return cdk.Stack
