"""The checks of the hardening's controls, as documented in docs/CONTROLS.md."""

from collections.abc import Sequence
from dataclasses import dataclass

from hardened_ec2.host import HostHardening
from hardened_ec2.host.controls.all import CONTROLS
from hardened_ec2.host.controls.types import Check, Profile
from lab.machines.guest import Guest
from lab.probes.programs import ask


@dataclass(frozen=True, kw_only=True)
class Question:
    """One check of one control.

    Args:
        control: The control's name.
        check: The command and its expected output.
    """

    control: str
    check: Check


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The outcome of one check on a server.

    Args:
        control: The control's name.
        command: The command that ran.
        expected: Its expected output.
        when: The command that decides whether the check applies; "" if it always does.
        applies: Whether the check applies to the server.
        output: The command's output.
    """

    control: str
    command: str
    expected: str
    when: str
    applies: bool
    output: str


def questions(profile: Profile | None) -> tuple[Question, ...]:
    """Return every check that a server has to pass.

    Args:
        profile: The server's hardening profile; None for the checks of all profiles.
    """
    controls = CONTROLS if profile is None else HostHardening(profile=profile).controls
    return tuple(
        Question(control=control.name, check=check)
        for control in controls
        for check in control.verify
        if profile is None or check.profile in (None, profile)
    )


def outcomes(
    asked: Sequence[Question], answers: Sequence[dict[str, object]]
) -> tuple[Outcome, ...]:
    """Join questions with the answers of `lab.inside.checks`.

    Args:
        asked: The questions.
        answers: The answers, in the same order.

    Raises:
        ValueError: If their numbers differ.
    """
    return tuple(
        Outcome(
            control=question.control,
            command=question.check.command,
            expected=question.check.expected,
            when=question.check.when,
            applies=bool(answer["applies"]),
            output=str(answer["output"]),
        )
        for question, answer in zip(asked, answers, strict=True)
    )


def check(guest: Guest, asked: Sequence[Question]) -> tuple[Outcome, ...]:
    """Run checks of controls.

    Args:
        guest: The server.
        asked: The checks.

    Returns:
        The outcomes, in the same order.

    Raises:
        LabError: If the checks cannot be run.
    """
    wanted = [{"when": each.check.when, "command": each.check.command} for each in asked]
    return outcomes(asked, ask(guest, "checks", {"checks": wanted})["outcomes"])
