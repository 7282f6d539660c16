"""The boothook's text: the payload without comments, and nothing else taken from it."""

from importlib import resources

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardened_ec2.host.boothook import boothook, without_comments

PAYLOAD = resources.files("hardened_ec2.host") / "payload"
OPTIONS = {"ADMIN_USERS": "", "IMDS_USERS": "", "ALLOW_TCP_FORWARDING": "yes"}

CODE = st.sampled_from(["echo one", "\tif true; then", "fi # why", "x='# no comment'", "a=${b#c}"])
NOISE = st.sampled_from(["# why", "\t# why", "#!/bin/sh", "", "   ", "\t"])
BODY = st.lists(st.sampled_from(["# kept", "", "  ", "EOFF", "text", "#!/bin/sh"]), max_size=4)
HEREDOC = st.tuples(st.sampled_from(["<<EOF", "<<'EOF'", "<<-EOF", '<<"EOF"']), BODY).map(
    lambda drawn: [f"cat {drawn[0]} >file", *drawn[1], "EOF"]
)


@settings(max_examples=40, deadline=None)
@given(
    blocks=st.lists(
        st.tuples(st.lists(NOISE, max_size=3), CODE.map(lambda line: [line]) | HEREDOC),
        max_size=8,
    )
)
def test_comments_and_blank_lines_go_and_here_documents_stay(
    blocks: list[tuple[list[str], list[str]]],
) -> None:
    script = "".join(f"{line}\n" for noise, kept in blocks for line in (*noise, *kept))
    wanted = "".join(f"{line}\n" for _, kept in blocks for line in kept)
    assert without_comments(script) == wanted


def test_a_comment_that_names_a_here_document_opens_none() -> None:
    assert without_comments("# cat <<EOF\n# why\necho\n") == "echo\n"


def test_every_file_of_the_payload_is_delivered_whole() -> None:
    text = boothook(OPTIONS)
    for file in PAYLOAD.iterdir():
        assert without_comments(file.read_text()) in text, file.name


def test_options_stand_before_the_program() -> None:
    lines = boothook(OPTIONS | {"ADMIN_USERS": "ec2-user alice"}).splitlines()
    assert lines[:5] == [
        "#cloud-boothook",
        "#!/bin/sh",
        "ADMIN_USERS='ec2-user alice'",
        "IMDS_USERS=''",
        "ALLOW_TCP_FORWARDING='yes'",
    ]


@pytest.mark.parametrize("value", ["a'b", "$(id)", "a;b", "a\nb", "`id`", "a\\"])
def test_an_option_cannot_leave_its_quotes(value: str) -> None:
    with pytest.raises(ValueError, match="only letters, digits"):
        boothook(OPTIONS | {"ADMIN_USERS": value})


def test_nothing_is_traced_and_no_key_command_or_subsystem_is_set() -> None:
    text = boothook(OPTIONS)
    for forbidden in ("set -x", "AuthorizedKeysCommand ", "Subsystem", "UsePAM", "flush ruleset"):
        assert forbidden not in text
