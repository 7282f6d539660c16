"""The checks of the controls, as they are documented in docs/CONTROLS.md, asked of a server."""

from collections.abc import Sequence
from dataclasses import dataclass

from hardened_ec2.host import HostHardening
from hardened_ec2.host.controls.all import CONTROLS
from hardened_ec2.host.controls.types import Check, Profile


@dataclass(frozen=True, kw_only=True)
class Question:
    """One check of one control.

    Args:
        control: The control's name.
        check: What to run, and what it has to print.
    """

    control: str
    check: Check


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a server said to one check.

    Args:
        control: The control's name.
        command: What was run.
        expected: What it has to print.
        when: What says whether the check is for this server.
        applies: Whether it is.
        output: What it printed.
    """

    control: str
    command: str
    expected: str
    when: str
    applies: bool
    output: str

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells it from every other one of the same server."""
        return self.control, self.command, self.expected


def questions(profile: Profile | None) -> tuple[Question, ...]:
    """Return every check that a server of a profile has to pass.

    Args:
        profile: The profile; None for the checks of all profiles together.
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
    """Join the questions with what `lab.inside.checks` answered.

    Args:
        asked: The questions.
        answers: The answers, in the same order.
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
