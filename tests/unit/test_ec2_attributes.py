"""Ec2Attributes: what is refused, and that account and organization are told the same."""

import doctest
import json
from typing import Any

import pytest

import hardened_ec2.account.ec2_attributes
from hardened_ec2 import Ec2Attributes, PublicAccessExclusion, VpcBlockPublicAccess


def test_the_declarative_policy_by_default() -> None:
    """Against AWS's published syntax, word by word."""
    assert Ec2Attributes().declarative_policy() == {
        "ec2_attributes": {
            "instance_metadata_defaults": {
                "http_tokens": {"@@assign": "required"},
                "http_tokens_enforced": {"@@assign": "enabled"},
                "http_put_response_hop_limit": {"@@assign": "1"},
                "http_endpoint": {"@@assign": "no_preference"},
                "instance_metadata_tags": {"@@assign": "disabled"},
            },
            "image_block_public_access": {"state": {"@@assign": "block_new_sharing"}},
            "snapshot_block_public_access": {"state": {"@@assign": "block_all_sharing"}},
            "serial_console_access": {"status": {"@@assign": "disabled"}},
        }
    }


def test_every_option_reaches_the_policy() -> None:
    policy = Ec2Attributes(
        http_tokens_enforced=False,
        http_put_response_hop_limit=None,
        instance_metadata_tags=True,
        snapshot_block_public_access="block-new-sharing",
        serial_console_access=True,
        vpc_block_public_access=VpcBlockPublicAccess(
            mode="block-bidirectional",
            exclusions=(PublicAccessExclusion(name="Web", vpc_id="vpc-1"),),
        ),
    ).declarative_policy(exception_message="Ask platform@")["ec2_attributes"]
    defaults = policy["instance_metadata_defaults"]
    assert defaults["http_tokens"] == {"@@assign": "required"}
    assert defaults["http_tokens_enforced"] == {"@@assign": "no_preference"}
    assert defaults["http_put_response_hop_limit"] == {"@@assign": "-1"}
    assert defaults["instance_metadata_tags"] == {"@@assign": "enabled"}
    assert policy["snapshot_block_public_access"]["state"] == {"@@assign": "block_new_sharing"}
    assert policy["serial_console_access"]["status"] == {"@@assign": "enabled"}
    assert policy["vpc_block_public_access"]["internet_gateway_block"] == {
        "mode": {"@@assign": "block_bidirectional"},
        "exclusions_allowed": {"@@assign": "enabled"},
    }
    assert policy["exception_message"] == {"@@assign": "Ask platform@"}
    assert json.loads(json.dumps(policy)) == policy


@pytest.mark.parametrize(
    ("block", "mode", "exclusions"),
    [
        (VpcBlockPublicAccess.off(), "off", "disabled"),
        (VpcBlockPublicAccess(mode="block-ingress", exclusions=()), "block_ingress", "disabled"),
    ],
)
def test_where_there_is_no_exclusion_there_may_be_none(
    block: VpcBlockPublicAccess, mode: str, exclusions: str
) -> None:
    policy = Ec2Attributes(vpc_block_public_access=block).declarative_policy()
    assert policy["ec2_attributes"]["vpc_block_public_access"]["internet_gateway_block"] == {
        "mode": {"@@assign": mode},
        "exclusions_allowed": {"@@assign": exclusions},
    }


def test_imdsv2_and_private_images_cannot_be_given_up() -> None:
    for name in ("http_tokens", "image_block_public_access"):
        options: dict[str, Any] = {name: "optional"}
        with pytest.raises(TypeError, match=name):
            Ec2Attributes(**options)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (
            {"http_put_response_hop_limit": 0},
            r"http_put_response_hop_limit is 0: 1 to 64 is allowed; write 1, .*or None",
        ),
        ({"http_put_response_hop_limit": 65}, r"is 65: 1 to 64 is allowed"),
        (
            {"snapshot_block_public_access": "unblocked"},
            r"is 'unblocked': write one of 'block-all-sharing', 'block-new-sharing'",
        ),
    ],
)
def test_wrong_attributes_are_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Ec2Attributes(**options)


@pytest.mark.parametrize("message", ["", "  "])
def test_an_empty_message_is_refused(message: str) -> None:
    with pytest.raises(ValueError, match="write what users should do instead, or leave it out"):
        Ec2Attributes().declarative_policy(exception_message=message)


@pytest.mark.parametrize(
    ("mode", "says"),
    [
        ("block-ingress", "load balancers, bastions, servers with public addresses. Name what"),
        ("block-bidirectional", "all access to the internet, NAT gateways included"),
    ],
)
def test_a_block_does_not_go_without_its_exclusions(mode: str, says: str) -> None:
    with pytest.raises(ValueError, match=rf"mode='{mode}', which cuts off .*{says}") as refusal:
        VpcBlockPublicAccess(mode=mode)
    assert "or exclusions=() if nothing must" in str(refusal.value)
    assert VpcBlockPublicAccess(mode=mode, exclusions=()).mode == mode


WEB = PublicAccessExclusion(name="Web", vpc_id="vpc-1")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (
            {"mode": "block"},
            "mode='block': write one of 'off', 'block-ingress', 'block-bidirectional'",
        ),
        (
            {"mode": "off", "exclusions": (WEB,)},
            "mode='off', which blocks nothing, and 1 exclusions: leave them out",
        ),
        (
            {"mode": "block-ingress", "exclusions": (WEB, WEB)},
            "two exclusions are called 'Web': give each its own name",
        ),
        (
            {
                "mode": "block-ingress",
                "exclusions": (
                    PublicAccessExclusion(name="Out", vpc_id="vpc-1", mode="allow-egress"),
                ),
            },
            "'Out' has mode='allow-egress', .* block egress: .* write mode='allow-bidirectional'",
        ),
    ],
)
def test_a_wrong_block_is_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        VpcBlockPublicAccess(**options)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"name": "", "vpc_id": "vpc-1"}, "has name='': write a name such as 'Bastion'"),
        ({"name": "Web"}, "'Web' has vpc_id=None and subnet_id=None: write exactly one"),
        (
            {"name": "Web", "vpc_id": "vpc-1", "subnet_id": "subnet-1"},
            "vpc_id='vpc-1' and subnet_id='subnet-1': write exactly one",
        ),
        ({"name": "Web", "vpc_id": "subnet-1"}, "vpc_id='subnet-1': write an id, 'vpc-...'"),
        ({"name": "Web", "subnet_id": "vpc-1"}, "subnet_id='vpc-1': write an id, 'subnet-...'"),
        (
            {"name": "Web", "vpc_id": "vpc-1", "mode": "allow"},
            "mode='allow': write one of 'allow-bidirectional', 'allow-egress'",
        ),
    ],
)
def test_a_wrong_exclusion_is_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        PublicAccessExclusion(**options)


def test_examples() -> None:
    results = doctest.testmod(hardened_ec2.account.ec2_attributes)
    assert results.attempted > 0
    assert results.failed == 0
