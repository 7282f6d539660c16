"""The checks that a server is asked, and their outcomes."""

from typing import get_args

import pytest

from hardened_ec2.host.controls.all import CONTROLS
from hardened_ec2.host.controls.types import Check, Profile
from lab.inside import checks as inside
from lab.probes.control_checks import Question, outcomes, questions


def test_a_bare_server_is_asked_every_check_of_every_control() -> None:
    assert len(questions(None)) == sum(len(control.verify) for control in CONTROLS)


@pytest.mark.parametrize("profile", get_args(Profile))
def test_a_server_is_asked_what_its_profile_has(profile: Profile) -> None:
    asked = questions(profile)
    has = {control.name for control in CONTROLS if profile in control.profiles}
    assert {each.control for each in asked} == has
    assert {each.check.profile for each in asked} <= {None, profile}


def test_answers_are_joined_with_their_questions() -> None:
    question = Question(control="sshd", check=Check(command="echo", expected="a", when="true"))
    (outcome,) = outcomes([question], [{"applies": True, "output": "b"}])
    assert (outcome.control, outcome.expected, outcome.output) == ("sshd", "a", "b")
    with pytest.raises(ValueError, match="shorter"):
        outcomes([question], [])


@pytest.mark.parametrize(
    ("when", "command", "expected"),
    [
        ("", "printf ' a\\nb \\n'", {"applies": True, "output": "a\nb"}),
        ("true", "echo seen; exit 3", {"applies": True, "output": "seen"}),
        ("false", "echo never", {"applies": False, "output": ""}),
        ("", "echo hidden >&2", {"applies": True, "output": ""}),
    ],
)
def test_a_check_is_what_it_prints(when: str, command: str, expected: dict[str, object]) -> None:
    assert inside.outcome({"when": when, "command": command}) == expected
