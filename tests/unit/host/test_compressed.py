"""User data as gzip: the same text, the same bytes everywhere, and room for commands."""

import gzip
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardened_ec2.host import USER_DATA_LIMIT, HostHardening, Profile, ResourceSignal
from hardened_ec2.host.compressed import stored
from hardened_ec2.host.program import packed, program

COMMANDS = "#!/bin/sh\necho ready\n"
REGION = "${Token[AWS.Region.4]}"
ROOM = 4_096


@pytest.mark.parametrize("profile", get_args(Profile))
def test_it_holds_what_the_text_holds_with_the_program_readable(profile: Profile) -> None:
    hardening = HostHardening(profile=profile, admin_users=["ec2-user"])
    text = gzip.decompress(hardening.compress(COMMANDS)).decode()
    as_packed = f"base64 -d <<EOF | gzip -dc\n{packed(profile)}EOF\n"
    as_it_is = f"cat <<'PROGRAM'\n{program(profile)}PROGRAM\n"
    assert text.count(as_it_is) == 1
    assert text.replace(as_it_is, as_packed) == hardening.render(COMMANDS)


@pytest.mark.parametrize("profile", get_args(Profile))
def test_the_program_does_not_end_its_own_delivery(profile: Profile) -> None:
    assert "PROGRAM" not in program(profile).splitlines()


@pytest.mark.parametrize("profile", ["baseline", "strict"])
def test_four_kilobytes_are_left_to_the_commands(profile: Profile) -> None:
    signal = ResourceSignal(stack="Production-Web", resource="Server0123456789")
    hardening = HostHardening(profile=profile, admin_users=["alice", "bob"], imds_users=["app"])
    commands = "#!/bin/bash\n" + "x" * (ROOM - 12)
    assert len(commands) == ROOM
    assert len(hardening.compress(commands)) <= USER_DATA_LIMIT
    if profile == "baseline":
        assert len(hardening.compress(commands, signal=signal)) <= USER_DATA_LIMIT


def test_commands_with_tokens_are_refused() -> None:
    with pytest.raises(ValueError, match=r"contain CDK tokens.*write render\(commands"):
        HostHardening().compress(f"#!/bin/sh\necho {REGION}\n")


def test_commands_that_are_no_script_are_refused_as_in_text() -> None:
    with pytest.raises(ValueError, match="write '#!/bin/bash' as the first line"):
        HostHardening().compress("echo ready\n")


def test_a_text_that_no_block_takes_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"have 65,536 bytes, and at most 65,535 are allowed: bake"
    ):
        stored("x" * 65_536)


@pytest.mark.slow
@given(parts=st.lists(st.text(), max_size=4))
def test_members_are_one_text(parts: list[str]) -> None:
    whole = b"".join(map(stored, parts))
    assert (gzip.decompress(whole) if whole else b"").decode() == "".join(parts)


def test_the_same_input_gives_the_same_bytes() -> None:
    hardening, same = (HostHardening(imds_users=["app"]) for _ in range(2))
    assert hardening.compress(COMMANDS) == same.compress(COMMANDS)
