"""Examples in docstrings run: `Example::` blocks, and prompts in modules that import the CDK.

A name that an example takes as given is a fixture here, made only when asked for. What all examples
made is synthesized once.
"""

import doctest
from collections.abc import Callable, Iterator

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3

from hardened_ec2 import (
    HardenedAutoScalingGroup,
    HardenedInstance,
    HardenedLaunchTemplate,
    HardenedVpc,
    InstanceConnectEndpoint,
    InstanceRole,
    LockedSecurityGroup,
    SessionRecording,
    SshAccess,
)
from tests.docstrings import Docstring, docstrings, needs_cdk
from tests.synth.examples import given

BLOCKS = [each for each in docstrings() if each.code]
PROMPTS = [each for each in docstrings() if each.has_prompt and needs_cdk(each.module)]


@pytest.mark.parametrize("docstring", BLOCKS, ids=[each.name for each in BLOCKS])
def test_block(docstring: Docstring, request: pytest.FixtureRequest) -> None:
    names = given(docstring.code, request, docstring.module)
    exec(compile(docstring.code, f"<{docstring.name}>", "exec"), names)  # noqa: S102


@pytest.mark.parametrize("docstring", PROMPTS, ids=[each.name for each in PROMPTS])
def test_prompt(docstring: Docstring, request: pytest.FixtureRequest) -> None:
    parser = doctest.DocTestParser()
    source = "".join(each.source for each in parser.get_examples(docstring.text))
    names = given(source, request, docstring.module)
    test = parser.get_doctest(docstring.text, names, docstring.name, None, None)
    wrong: list[str] = []
    doctest.DocTestRunner(verbose=False).run(test, out=wrong.append)
    assert not wrong, "".join(wrong)


@pytest.fixture(scope="module")
def app() -> Iterator[cdk.App]:
    """Return the app of all examples, synthesized once, after the last of them."""
    app = cdk.App(builtin_cloud_formation_validation=False)
    yield app
    app.synth()


@pytest.fixture(name="self")
def self_(app: cdk.App) -> cdk.Stack:
    """Return the scope of the example, a stack of its own."""
    return cdk.Stack(app, f"Example{len(app.node.children)}")


@pytest.fixture
def instance(self: cdk.Stack) -> ec2.CfnInstance:
    return ec2.CfnInstance(self, "Instance", image_id="ami-0123456789abcdef0")


@pytest.fixture
def template(self: cdk.Stack, vpc: HardenedVpc) -> HardenedLaunchTemplate:
    return HardenedLaunchTemplate(self, "Template", vpc=vpc)


@pytest.fixture(name="TheTeamsStack")
def the_teams_stack() -> type[cdk.Stack]:
    return cdk.Stack


@pytest.fixture(scope="module")
def stack(app: cdk.App) -> cdk.Stack:
    """Return what examples share."""
    return cdk.Stack(app, "Shared")


@pytest.fixture(scope="module")
def vpc(stack: cdk.Stack) -> HardenedVpc:
    endpoints = ("ssm", "ssmmessages", "autoscaling")
    return HardenedVpc(stack, "Vpc", interface_endpoints=endpoints)


@pytest.fixture(scope="module")
def endpoint(stack: cdk.Stack, vpc: HardenedVpc) -> InstanceConnectEndpoint:
    return InstanceConnectEndpoint(stack, "Endpoint", vpc=vpc, whitelist=["203.0.113.7"])


@pytest.fixture(scope="module")
def recording(stack: cdk.Stack) -> SessionRecording:
    return SessionRecording(stack, "Sessions")


@pytest.fixture(scope="module")
def server(
    stack: cdk.Stack,
    vpc: HardenedVpc,
    endpoint: InstanceConnectEndpoint,
    recording: SessionRecording,
) -> HardenedInstance:
    return HardenedInstance(
        stack,
        "Server",
        vpc=vpc,
        ssh=SshAccess.via_instance_connect_endpoint(endpoint),
        role=InstanceRole(stack, "Role", session_logs=recording.session_logs),
    )


@pytest.fixture(scope="module")
def fleet(stack: cdk.Stack, vpc: HardenedVpc) -> HardenedAutoScalingGroup:
    return HardenedAutoScalingGroup(stack, "Fleet", vpc=vpc, max_capacity=2)


@pytest.fixture(scope="module")
def load_balancer(stack: cdk.Stack, vpc: HardenedVpc) -> elbv2.ApplicationLoadBalancer:
    return elbv2.ApplicationLoadBalancer(stack, "LoadBalancer", vpc=vpc)


def _group(name: str) -> Callable[..., LockedSecurityGroup]:
    @pytest.fixture(scope="module")
    def group(stack: cdk.Stack, vpc: HardenedVpc) -> LockedSecurityGroup:
        return LockedSecurityGroup(stack, name, vpc=vpc, description=name)

    return group


group = _group("Group")
balancer_group = _group("BalancerGroup")
bastion_group = _group("BastionGroup")
database_group = _group("DatabaseGroup")
legacy_group = _group("LegacyGroup")


@pytest.fixture
def operators(self: cdk.Stack) -> iam.Role:
    return iam.Role(self, "Operators", assumed_by=iam.AccountRootPrincipal())


@pytest.fixture(scope="module")
def bucket(stack: cdk.Stack) -> s3.Bucket:
    return s3.Bucket(stack, "Bucket")


@pytest.fixture(scope="module")
def artifacts(stack: cdk.Stack) -> s3.Bucket:
    return s3.Bucket(stack, "Artifacts")


@pytest.fixture(scope="module")
def key(stack: cdk.Stack) -> kms.Key:
    return kms.Key(stack, "Key")


@pytest.fixture(scope="module")
def log_group(stack: cdk.Stack) -> logs.LogGroup:
    return logs.LogGroup(stack, "LogGroup")
