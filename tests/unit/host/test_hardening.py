"""HostHardening: what it takes, what it refuses, and what it says then."""

import dataclasses
import string
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardened_ec2.host import USER_DATA_LIMIT, AllowTcpForwarding, HostHardening, user_data_size

LETTERS = string.ascii_letters + "_"
LOGINS = st.builds(
    str.__add__,
    st.sampled_from(LETTERS),
    st.text(st.sampled_from(LETTERS + string.digits + ".-"), max_size=31),
)
QUICK = settings(max_examples=30, deadline=None)
UIDS = st.integers(0, 2**32 - 3).map(str)


def test_any_sequence_becomes_a_tuple_without_repetitions() -> None:
    hardening = HostHardening(admin_users=["a", "b", "a"], imds_users=("app", "1001"))
    assert hardening.admin_users == ("a", "b")
    assert hardening.imds_users == ("app", "1001")


def test_equal_hardenings_are_equal_and_hashable() -> None:
    assert {HostHardening(admin_users=["a"]), HostHardening(admin_users=("a",))} == {
        HostHardening(admin_users=["a"])
    }


def test_it_is_frozen_and_keyword_only() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        HostHardening().admin_users = ("x",)  # type: ignore[misc]
    with pytest.raises(TypeError):
        HostHardening(["x"])  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("admin_users", "ec2-user", r"text 'ec2-user', .* write admin_users=\['ec2-user'\]"),
        ("imds_users", "app", r"text 'app', .* write imds_users=\['app'\]"),
        ("imds_users", b"app", r"is b'app': a list or tuple of texts is allowed"),
        ("imds_users", None, r"is None: a list or tuple of texts is allowed"),
        ("imds_users", [1001], r"contains 1001: only texts .* write imds_users=\['1001'\]"),
        ("admin_users", ["root"], r"contains 'root': root never logs in over SSH; write"),
        ("admin_users", ["1001"], r"contains '1001': a user name has 1 to 32 letters"),
        ("admin_users", ["a b"], r"contains 'a b': a user name has"),
        ("admin_users", ["x'; reboot #"], r"a user name has"),
        ("admin_users", ["$(id)"], r"a user name has"),
        ("admin_users", ["-x"], r"begins with a letter"),
        ("admin_users", ["a\n"], r"a user name has"),
        ("admin_users", [""], r"contains '': a user name has"),
        ("admin_users", ["a" * 33], r"1 to 32"),
        ("admin_users", ["é"], r"a user name has"),
        ("imds_users", ["0x1f"], r"a uid is a number from 0 to 4294967293"),
        ("imds_users", ["007"], r"without leading zeros; write"),
        ("imds_users", ["4294967294"], r"a uid is a number from 0 to 4294967293"),
        ("imds_users", ["1\n"], r"a uid is"),
        ("imds_users", ["${Token[TOKEN.1]}"], r"a user name has"),
        ("allow_tcp_forwarding", "maybe", r"'maybe': sshd allows 'yes', 'local', 'remote' or 'no'"),
        ("allow_tcp_forwarding", True, r"is True: sshd allows"),
    ],
)
def test_a_wrong_value_is_refused_with_what_to_write(
    field: str, value: object, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        HostHardening(**{field: value})  # type: ignore[arg-type]


@QUICK
@given(admins=st.lists(LOGINS.filter(lambda name: name != "root"), max_size=3))
def test_every_login_name_arrives_in_the_text(admins: list[str]) -> None:
    text = HostHardening(admin_users=admins).render()
    assert f"\nADMIN_USERS='{' '.join(dict.fromkeys(admins))}'\n" in text


@QUICK
@given(users=st.lists(LOGINS | UIDS, max_size=3))
def test_every_user_of_the_metadata_arrives_in_the_text(users: list[str]) -> None:
    text = HostHardening(imds_users=users).render()
    assert f"\nIMDS_USERS='{' '.join(dict.fromkeys(users))}'\n" in text


@QUICK
@given(name=st.text(min_size=1))
def test_no_name_reaches_the_shell_but_a_plain_one(name: str) -> None:
    try:
        HostHardening(imds_users=[name])
    except ValueError as refusal:
        assert repr(name) in str(refusal)  # noqa: PT017 # whether it raises is the question
    else:
        assert name.isascii()
        assert name.replace("-", "a").replace(".", "a").replace("_", "a").isalnum()


def test_every_forwarding_that_sshd_knows() -> None:
    for value in get_args(AllowTcpForwarding):
        text = HostHardening(allow_tcp_forwarding=value).render()
        assert f"\nALLOW_TCP_FORWARDING='{value}'\n" in text


def test_the_same_input_gives_the_same_bytes_and_another_does_not() -> None:
    def render(*users: str) -> str:
        return HostHardening(imds_users=users).render("#!/bin/sh\nid\n")

    assert render("app") == render("app")
    assert render("app") != render("web")


def test_the_core_leaves_room_for_commands() -> None:
    core = user_data_size(HostHardening().render())
    assert core <= CORE_LIMIT
    assert USER_DATA_LIMIT == 16_384


def test_size_is_in_bytes_and_tokens_count_as_nothing() -> None:
    assert user_data_size("é") == 2
    assert user_data_size("a${Token[TOKEN.12]}b${Token[AWS.Region.4]}") == 2
    assert user_data_size("${not a token}") == 14


# What every change of the payload is measured against: a server's own commands need room.
CORE_LIMIT = 13_824
