"""One program, three deliveries: user data, a command document, an image's component."""

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Callable
from typing import Any, get_args

import pytest

from hardened_ec2.host import HostHardening, LifecycleSignal, Profile
from hardened_ec2.host.command_document import command_document, document_size
from hardened_ec2.host.delivery import DOCUMENT_LIMIT, digest, without_expressions
from hardened_ec2.host.image_component import build_component, check_component
from tests.host.boot import boothook_of

SIGNAL = LifecycleSignal(group="Shop-Web", hook="hardening", region="eu-west-1")
HARDENINGS = [
    *(HostHardening(profile=profile) for profile in get_args(Profile)),
    HostHardening(
        profile="strict", admin_users=["alice"], banner='It\'s "ours"\nkeep out', ipv6=False
    ),
    HostHardening(audit=True, without=["sudo-pty"]),
]


def in_user_data(hardening: HostHardening) -> str:
    return boothook_of(gzip.decompress(hardening.compress("#!/bin/sh\nid\n")).decode())


def in_command_document(hardening: HostHardening) -> str:
    step, _ = command_document(hardening)["mainSteps"]
    return unpacked("\n".join(step["inputs"]["runCommand"]))


def in_image_component(hardening: HostHardening) -> str:
    build, _ = build_component(hardening)["phases"]
    return unpacked(build["steps"][0]["inputs"]["commands"][0])


def unpacked(script: str) -> str:
    (encoded,) = re.findall(r"<<'PROGRAM' [^\n]*\n(.*?)\nPROGRAM\n", script, re.DOTALL)
    return gzip.decompress(base64.b64decode(encoded)).decode()


DELIVERIES: list[Callable[[HostHardening], str]] = [
    in_user_data,
    in_command_document,
    in_image_component,
]


@pytest.mark.parametrize("hardening", HARDENINGS, ids=str)
def test_the_three_deliveries_carry_the_same_bytes(hardening: HostHardening) -> None:
    digests = {hashlib.sha256(carry(hardening).encode()).hexdigest() for carry in DELIVERIES}
    assert digests == {digest(hardening)}


@pytest.mark.parametrize("carry", DELIVERIES)
def test_another_hardening_is_another_program(carry: Callable[[HostHardening], str]) -> None:
    """The negative control: the digests above can differ."""
    assert len({carry(hardening) for hardening in HARDENINGS}) == len(HARDENINGS)


@pytest.mark.parametrize("hardening", HARDENINGS, ids=str)
def test_what_only_a_server_knows_stands_between_the_options_and_the_rest(
    hardening: HostHardening,
) -> None:
    text = boothook_of(gzip.decompress(hardening.compress(signal=SIGNAL, in_image=True)).decode())
    options = hardening.installer_options
    assert text.startswith(options)
    own = text.removeprefix(options)
    assert options + own[own.index("\nSHA256=") + 1 :] == hardening.installer()
    assert f"IMAGE='{digest(hardening)}'\n" in own
    assert f"SIGNAL='{SIGNAL.arguments}'\n" in own


@pytest.mark.parametrize("hardening", HARDENINGS, ids=str)
def test_documents_fit(hardening: HostHardening) -> None:
    documents: list[dict[str, Any]] = [
        command_document(hardening),
        build_component(hardening),
        check_component(hardening),
    ]
    for document in documents:
        assert document_size(document) == len(json.dumps(document).encode()) < DOCUMENT_LIMIT


def test_the_document_takes_no_parameter_but_its_own() -> None:
    text = json.dumps(command_document(HARDENINGS[3]))
    assert re.findall(r"{{[^}]*}}", text) == ["{{ Operation }}"]
    for document in (build_component(HARDENINGS[3]), check_component(HARDENINGS[3])):
        assert "{{" not in json.dumps(document)


def test_text_that_a_document_would_take_for_its_own_is_refused() -> None:
    with pytest.raises(ValueError, match=r"contains '\{\{ x \}\}'.* a space between the braces"):
        without_expressions("echo {{ x }}")


def test_the_same_hardening_is_the_same_document() -> None:
    again = HostHardening(**vars(HARDENINGS[3]))
    assert command_document(again) == command_document(HARDENINGS[3])
    assert build_component(again) == build_component(HARDENINGS[3])
