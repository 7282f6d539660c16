"""User data as MIME: what goes in comes out, as Python's email package (cloud-init's) reads it."""

import email
import email.message

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hardened_ec2.host import HostHardening

TOKEN = "${Token[TOKEN.123]}"  # noqa: S105 # CDK's placeholder
SCRIPTS = st.text(st.characters(exclude_categories=["Cs"])).map("#!/bin/sh\n".__add__)


def parts(user_data: str) -> list[email.message.Message]:
    # cloud-init looks for the header in the first 4096 bytes and parses the decoded text.
    assert "MIME-Version:" in user_data[:4096]
    message = email.message_from_string(user_data.encode().decode())
    assert message.get_content_type() == "multipart/mixed"
    assert not message.defects
    found = message.get_payload()
    assert isinstance(found, list)
    return [part for part in found if isinstance(part, email.message.Message)]


def script_of(user_data: str) -> bytes:
    part = parts(user_data)[1]
    assert part.get_content_type() == "text/x-shellscript"
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload


def test_without_commands_there_is_the_boothook_alone() -> None:
    (part,) = parts(HostHardening().render())
    assert part.get_content_type() == "text/cloud-boothook"
    text = part.get_payload()
    assert isinstance(text, str)
    assert text.startswith("#cloud-boothook\n#!/bin/sh\n")


def test_the_boothook_comes_first() -> None:
    types = [part.get_content_type() for part in parts(HostHardening().render("#!/bin/sh\nid\n"))]
    assert types == ["text/cloud-boothook", "text/x-shellscript"]


def test_the_boothook_is_plain_ascii_without_a_token() -> None:
    text = HostHardening().render()
    assert text.isascii()
    assert "${Token[" not in text


@settings(max_examples=40, deadline=None)
@given(script=SCRIPTS)
@example(script="#!/bin/sh\n")
@example(script="#!/bin/sh")
@example(script="#!/bin/sh\necho 'é → 漢 \U0001f512'\n")
@example(script="#!/bin/sh\r\necho dos\r\n")
@example(script="#!/bin/sh\nlast line ends with a carriage return\r")
@example(script="#!/bin/sh\n\x0c\x0b\x1c\x1d\x1e\x85\u2028\x00\n")
@example(script="#!/bin/sh\nFrom here\n.\n--\n-- \n--=\nContent-Type: x\n\n\n\n")
def test_every_script_arrives_byte_for_byte(script: str) -> None:
    assert script_of(HostHardening().render(script)) == script.encode()


def test_a_plain_script_stands_in_the_text_as_it_was_given() -> None:
    script = "#!/bin/bash\n\techo \"$HOME\" | sed 's/=20/x/' # =3D\n\n"
    assert f"\n\n{script}\n--" in HostHardening().render(script)


def test_tokens_stand_in_the_text_as_they_were_given() -> None:
    script = f"#!/bin/bash\naws s3 cp s3://{TOKEN}/key .\ncfn-signal --url '{TOKEN}'\n"
    assert script in HostHardening().render(script)


def test_a_script_that_is_a_token_is_taken_on_trust() -> None:
    assert TOKEN in HostHardening().render(TOKEN)


def test_tokens_and_other_characters_together_need_an_encoder_at_deployment() -> None:
    script = f"#!/bin/sh\necho 'ü {TOKEN}'\n"
    with pytest.raises(ValueError, match=r"base64_at_deploy=aws_cdk\.Fn\.base64"):
        HostHardening().render(script)
    given_to: list[str] = []

    def at_deploy(text: str) -> str:
        given_to.append(text)
        return "${Token[TOKEN.7]}"

    text = HostHardening().render(script, base64_at_deploy=at_deploy)
    assert given_to == [script]
    assert "Content-Transfer-Encoding: base64\n\n${Token[TOKEN.7]}\n--" in text


def test_the_encoder_is_not_asked_without_need() -> None:
    def never(text: str) -> str:
        raise AssertionError(text)

    HostHardening().render(f"#!/bin/sh\necho {TOKEN}\n", base64_at_deploy=never)
    HostHardening().render("#!/bin/sh\necho ü\n", base64_at_deploy=never)


@pytest.mark.parametrize(
    "commands",
    [
        "dnf install -y nginx\n",
        "\n#!/bin/sh\n",
        " #!/bin/sh\n",
        "#cloud-config\n",
        "MIME-Version: 1",
    ],
)
def test_commands_without_an_interpreter_are_refused(commands: str) -> None:
    with pytest.raises(ValueError, match=r"write '#!/bin/bash' as the first line") as refusal:
        HostHardening().render(commands)
    assert repr(commands[:40]) in str(refusal.value)


def test_commands_with_the_boundary_are_refused() -> None:
    boundary = parts_boundary()
    with pytest.raises(ValueError, match=r"the boundary between the parts of the user data"):
        HostHardening().render(f"#!/bin/sh\ncat <<E\n--{boundary}\nE\n")
    HostHardening().render(f"#!/bin/sh\necho {boundary}\n")


def test_half_a_character_is_refused() -> None:
    with pytest.raises(
        ValueError,
        match=r"'\\udc80', an unpaired surrogate: .*read the script with encoding='utf-8'",
    ):
        HostHardening().render("#!/bin/sh\n\udc80")


def parts_boundary() -> str:
    boundary = email.message_from_string(HostHardening().render()).get_boundary()
    assert boundary
    return boundary
