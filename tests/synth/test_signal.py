"""The signal: CloudFormation waits where it was asked to, and the host signals that resource."""

import json
import re
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk.assertions import Template

from hardened_ec2 import HardenedInstance, HardenedVpc, HostHardening, Imds
from tests.synth.user_data import text_of

QUARTER = cdk.Duration.minutes(15)


def server(stack: cdk.Stack) -> tuple[str, dict[str, Any]]:
    """Return the only instance's logical id and resource."""
    ((name, resource),) = Template.from_stack(stack).find_resources("AWS::EC2::Instance").items()
    return name, dict(resource)


def user_data(resource: dict[str, Any]) -> str:
    """Return the user data as CloudFormation resolves it."""
    return text_of(resource["Properties"]["UserData"])


def signal(resource: dict[str, Any]) -> str:
    (found,) = re.findall(r"^SIGNAL='(.*)'$", user_data(resource), re.MULTILINE)
    return str(found)


def test_without_it_nobody_waits_and_nobody_signals(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    HardenedInstance(stack, "Server", vpc=vpc)
    _, resource = server(stack)
    assert "CreationPolicy" not in resource
    assert "SIGNAL=" not in user_data(resource)
    assert "cfn-signal" not in user_data(resource)


def test_the_stack_waits_and_the_host_signals_that_resource(
    stack: cdk.Stack, vpc: HardenedVpc
) -> None:
    HardenedInstance(stack, "Server", vpc=vpc, resource_signal_timeout=QUARTER)
    name, resource = server(stack)
    assert resource["CreationPolicy"] == {"ResourceSignal": {"Timeout": "PT15M"}}
    assert signal(resource) == f"--stack Stack --resource {name}"
    assert 'cfn-signal --success "$success" $SIGNAL' in user_data(resource)


def test_the_stack_s_own_region_is_named(app: cdk.App) -> None:
    stack = cdk.Stack(app, "There", env=cdk.Environment(region="eu-west-1", account="1" * 12))
    HardenedInstance(stack, "Server", vpc=HardenedVpc(stack, "V"), resource_signal_timeout=QUARTER)
    name, resource = server(stack)
    assert signal(resource) == f"--stack There --resource {name} --region eu-west-1"


def test_a_nested_stack_is_named_at_deployment(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    nested = cdk.NestedStack(stack, "Nested")
    HardenedInstance(nested, "Server", vpc=vpc, resource_signal_timeout=QUARTER)
    name, resource = server(nested)
    assert signal(resource) == f"--stack <AWS::StackName> --resource {name}"


def test_a_replaced_instance_is_signalled_by_its_new_name(
    stack: cdk.Stack, vpc: HardenedVpc
) -> None:
    """CDK puts a hash of the user data into the name that the user data contain."""
    HardenedInstance(
        stack,
        "Server",
        vpc=vpc,
        resource_signal_timeout=QUARTER,
        user_data_causes_replacement=True,
        disable_api_termination=False,
    )
    name, resource = server(stack)
    assert re.fullmatch(r"Server[0-9A-F]{8}[0-9a-f]{16}", name)
    assert signal(resource).endswith(f"--resource {name}")


def test_the_role_gets_no_permission_for_it(app: cdk.App) -> None:
    stacks = []
    for timeout in (QUARTER, None):
        stack = cdk.Stack(app, "With" if timeout else "Without")
        vpc = HardenedVpc(stack, "V")
        HardenedInstance(stack, "Server", vpc=vpc, resource_signal_timeout=timeout)
        stacks.append(stack)
    kinds = ("AWS::IAM::Role", "AWS::IAM::Policy")
    asked, plain = (
        json.dumps([Template.from_stack(stack).find_resources(kind) for kind in kinds])
        for stack in stacks
    )
    assert asked.replace("With/", "") == plain.replace("Without/", "")
    assert "cloudformation" not in asked


def test_own_commands_with_tokens_still_work(stack: cdk.Stack, vpc: HardenedVpc) -> None:
    made = HardenedInstance(stack, "Server", vpc=vpc, resource_signal_timeout=QUARTER)
    made.user_data.add_commands(f"echo {cdk.Aws.ACCOUNT_ID}")
    assert "echo <AWS::AccountId>" in user_data(server(stack)[1])


@pytest.mark.parametrize(
    "wrong", [{"host_hardening": None}, {"imds": Imds.disabled()}], ids=["no hardening", "no imds"]
)
def test_a_wait_that_nobody_would_end_is_refused(
    stack: cdk.Stack, vpc: HardenedVpc, wrong: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match="but the hardening at boot sends the signal: leave"):
        HardenedInstance(stack, "Server", vpc=vpc, resource_signal_timeout=QUARTER, **wrong)
    assert stack.node.try_find_child("Server") is None


def test_an_option_of_the_hardening_reaches_the_template(
    stack: cdk.Stack, vpc: HardenedVpc
) -> None:
    hardening = HostHardening(profile="strict", open_ports=["443/tcp"])
    HardenedInstance(stack, "Server", vpc=vpc, host_hardening=hardening)
    assert "\nPROFILE='strict'\n" in user_data(server(stack)[1])
    assert "\nOPEN_PORTS='443/tcp'\n" in user_data(server(stack)[1])
