"""The packed program: the payload as it stands, and nothing lost or changed on the way."""

import base64
import gzip
import subprocess
from importlib import resources
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardened_ec2.host import CONTROLS, Profile
from hardened_ec2.host.boothook import readable_rest
from hardened_ec2.host.compressed import packed_member
from hardened_ec2.host.pack import pack
from hardened_ec2.host.program import (
    IMAGE,
    READABLE,
    SIGNALS,
    packed,
    program,
    source,
    sources,
    stripped,
)

PAYLOAD = resources.files("hardened_ec2.host") / "payload"
FILES = sorted(file.name for file in PAYLOAD.iterdir())

CODE = st.sampled_from(["echo one", "\tif true; then", "fi # why", "x='# no comment'", "a=${b#c}"])
NOISE = st.sampled_from(["# why", "\t# why", "#!/bin/sh", "", "   ", "\t"])
BODY = st.lists(st.sampled_from(["# kept", "", "  ", "\tEOFF", "text", "#!/bin/sh"]), max_size=4)
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
    lines = [kept if len(kept) > 1 else [kept[0].lstrip("\t")] for _, kept in blocks]
    wanted = "".join(f"{line}\n" for kept in lines for line in kept)
    assert stripped(script) == wanted


def test_a_comment_that_names_a_here_document_opens_none() -> None:
    assert stripped("# cat <<EOF\n# why\n\techo\n") == "echo\n"


def meaning(script: str) -> list[str]:
    """Return the script as bash understands it: comments and layout gone, texts as they are.

    But for the tabs at the beginning of a line: what is quoted over several lines is awk's.
    """
    done = subprocess.run(
        ["bash", "--posix"],
        input=f"whole() {{\n{script}\n}}\ndeclare -f whole",
        capture_output=True,
        text=True,
        check=True,
    )
    return [line.lstrip() for line in done.stdout.splitlines()]


@pytest.mark.parametrize("name", FILES)
def test_no_file_means_anything_else_when_it_is_stripped(name: str) -> None:
    text = (PAYLOAD / name).read_text("ascii")
    assert meaning(stripped(text)) == meaning(text)


@pytest.mark.parametrize("text", ["x='a\n# b\nc'\n", "x='a\n\nb'\n"])
def test_a_loss_between_quotes_would_be_noticed(text: str) -> None:
    assert meaning(stripped(text)) != meaning(text)


@pytest.mark.parametrize("profile", get_args(Profile))
def test_what_is_packed_is_what_the_sources_say(profile: Profile) -> None:
    unpacked = gzip.decompress(base64.b64decode(packed(profile))).decode()
    assert unpacked == sources(profile), "write: make pack"
    assert program(profile) == unpacked


@pytest.mark.parametrize("profile", get_args(Profile))
def test_what_is_delivered_as_gzip_is_the_same(profile: Profile) -> None:
    unpacked = gzip.decompress(packed_member(profile)).decode()
    assert unpacked == readable_rest(profile), "write: make pack"
    assert sources(profile) in unpacked


@pytest.mark.parametrize("profile", get_args(Profile))
def test_every_line_is_one_that_mail_allows_and_ends_itself(profile: Profile) -> None:
    lines = packed(profile).splitlines(keepends=True)
    assert max(map(len, lines)) <= 998
    assert all(line.endswith("\n") and line.strip().isascii() for line in lines)


def test_every_file_is_in_strict_or_readable() -> None:
    for name in FILES:
        assert name in (*READABLE, *SIGNALS, IMAGE) or source(name) in sources("strict"), name


def test_every_control_of_a_profile_has_its_step_and_baseline_no_other() -> None:
    for profile in get_args(Profile):
        for control in CONTROLS:
            has = f"\n{control.step}() {{\n" in f"\n{sources(profile)}"
            assert has or profile not in control.profiles, control.name
    for control in CONTROLS:
        if control.profiles == {"strict"}:
            assert f"\n{control.step}() {{\n" not in f"\n{sources('baseline')}"


def test_the_name_of_every_step_is_that_of_its_control() -> None:
    """main.sh derives the one from the other."""
    script = sources("strict").split("case ${1-apply} in")[0]
    asked = 'for each in $STEPS; do name_of "$each"; done'
    done = subprocess.run(["sh"], input=script + asked, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [control.name for control in CONTROLS]


@pytest.mark.parametrize("shell", ["dash", "bash --posix"])
@pytest.mark.parametrize("profile", get_args(Profile))
def test_the_program_is_well_formed(shell: str, profile: Profile) -> None:
    done = subprocess.run(
        [*shell.split(), "-n"], input=program(profile), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_packing_the_same_gives_the_same() -> None:
    assert pack("echo\n" * 500) == pack("echo\n" * 500)
    assert gzip.decompress(pack("echo\n" * 500)) == b"echo\n" * 500
