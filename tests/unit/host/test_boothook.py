"""The boothook's text: what is readable in it, and that the rest is packed whole."""

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardened_ec2.host.boothook import boothook, head
from hardened_ec2.host.program import READABLE, SIGNALS, packed, program, source

OPTIONS = {"PROFILE": "strict", "ADMIN_USERS": "", "WITHOUT": "sudo-pty"}
PLAIN = st.text(st.characters(min_codepoint=32, max_codepoint=126) | st.just("\n"))


def test_options_stand_before_the_program_and_the_lock_before_what_is_packed() -> None:
    lines = boothook(OPTIONS | {"ADMIN_USERS": "ec2-user alice"}).splitlines()
    assert lines[:2] == ["#cloud-boothook", "#!/bin/sh"]
    assert [line for line in lines[2:8] if not line.startswith("#")][:3] == [
        "PROFILE='strict'",
        "ADMIN_USERS='ec2-user alice'",
        "WITHOUT='sudo-pty'",
    ]
    text = boothook(OPTIONS)
    assert text.index("imds_ruleset() {") < text.index("rest() {") < text.index("\nnft list ")
    assert text.index("\nnft list ") < text.index("program=$(rest")


def test_it_ends_with_the_start_of_what_was_packed() -> None:
    assert boothook(OPTIONS).endswith('eval "$program"\n')


@pytest.mark.parametrize("name", SIGNALS)
def test_only_who_waits_gets_the_signal(name: str) -> None:
    assert head(OPTIONS | {"SIGNAL": "--to a"}, name).endswith(f"SIGNAL='--to a'\n{source(name)}")
    assert "send_signal() {" not in boothook(OPTIONS)


@pytest.mark.parametrize("name", READABLE)
def test_what_is_readable_is_delivered_whole(name: str) -> None:
    assert source(name) in boothook(OPTIONS)


def test_each_profile_has_its_own_program() -> None:
    assert packed("strict") in boothook(OPTIONS)
    assert packed("baseline") in boothook(OPTIONS, "baseline")
    assert packed("baseline") != packed("strict")


@settings(max_examples=40, deadline=None)
@given(value=PLAIN)
def test_an_option_cannot_leave_its_quotes(value: str) -> None:
    head = boothook({"VALUE": value}).split("SHA256=")[0]
    done = subprocess.run(
        ["sh"],
        input=f'{head}\nprintf "<%s>" "$VALUE"',
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"<{value}>"


@pytest.mark.parametrize("value", ["a\x1b[2J", "a\tb", "é", "a\r", "\x00"])
def test_an_option_is_printable(value: str) -> None:
    with pytest.raises(ValueError, match="values are printable ASCII and line breaks"):
        boothook(OPTIONS | {"BANNER": value})


@pytest.mark.parametrize("name", ["", "a", "A;id", "1A", "A\n"])
def test_a_variable_has_a_variables_name(name: str) -> None:
    with pytest.raises(ValueError, match="names are capitals, digits and '_'"):
        boothook({name: "x"})


def test_nothing_is_traced_and_no_key_command_or_subsystem_is_set() -> None:
    text = boothook(OPTIONS) + "".join(map(source, SIGNALS))
    text += program("strict") + program("baseline")
    for forbidden in ("set -x", "AuthorizedKeysCommand ", "Subsystem", "UsePAM", "flush ruleset"):
        assert forbidden not in text
