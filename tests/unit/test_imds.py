"""Imds: which options there are, and which contradict each other."""

from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from hardened_ec2 import Imds


def test_the_defaults_give_away_nothing() -> None:
    imds = Imds()
    assert imds.http_endpoint
    assert imds.http_put_response_hop_limit == 1
    assert not imds.instance_metadata_tags
    assert not imds.http_protocol_ipv6


def test_containers_take_one_more_hop() -> None:
    assert Imds.for_containers().http_put_response_hop_limit == 2


def test_disabled_is_off() -> None:
    assert not Imds.disabled().http_endpoint


@pytest.mark.parametrize("option", ["containers", "instance_metadata_tags", "http_protocol_ipv6"])
def test_an_option_of_a_disabled_service_is_refused(option: str) -> None:
    options: dict[str, Any] = {option: True}
    with pytest.raises(
        ValueError, match=rf"{option}=True, which needs the endpoint: leave {option}"
    ):
        Imds(http_endpoint=False, **options)


def test_session_tokens_cannot_be_given_up() -> None:
    with pytest.raises(TypeError, match="http_tokens"):
        Imds(http_tokens="optional")  # type: ignore[call-arg]


def test_options_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        Imds().containers = True  # type: ignore[misc]
