"""A server that booted the synthesized user data, and the bare server."""

import pytest

from hardened_ec2.host.controls.all import CONTROLS
from lab.probes.control_checks import Question, questions
from lab.probes.metadata_requests import REPAIR_SECONDS
from lab.proof.proof import FIRST_BOOT, REBOOT, Proof
from lab.report.evidence import Place, Table
from tests.proof.conftest import BARE, SUBJECTS
from tests.proof.controls import ALIKE_ON_A_BARE_SERVER, why_left_out
from tests.proof.effects import Effect, disturbed, effects, everybody_reaches

pytestmark = pytest.mark.proof

PHASES = (FIRST_BOOT, REBOOT)
each_phase = pytest.mark.parametrize("phase", PHASES)
each_subject = pytest.mark.parametrize("hardened", SUBJECTS, indirect=True, ids=lambda s: s.name)
the_bare_one = pytest.mark.parametrize("bare", BARE, indirect=True, ids=lambda s: s.name)

EFFECTS = [
    pytest.param(subject, phase, effect, id=f"{subject.name}-{phase}-{effect.title}")
    for subject in SUBJECTS
    for phase in PHASES
    for effect in effects(subject.profile or "strict")
]


def place(proof: Proof, phase: str, group: str, title: str) -> Place:
    return Place(server=proof.subject.title, phase=phase, group=group, title=title)


def check_id(question: Question) -> str:
    return f"{question.control}: {question.check.command}"


CHECKS = [
    pytest.param(subject, phase, number, id=f"{subject.name}-{phase}-{check_id(question)}")
    for subject in SUBJECTS
    for phase in PHASES
    for number, question in enumerate(questions(subject.profile))
]


@pytest.mark.parametrize(("hardened", "phase", "effect"), EFFECTS, indirect=["hardened"])
def test_an_effect_of_the_hardening(
    hardened: Proof, phase: str, effect: Effect, table: Table
) -> None:
    seen = effect.seen(hardened.observations[phase])
    table.add(place(hardened, phase, "effects", effect.title), expected=effect.expected, seen=seen)
    assert seen == effect.expected


@pytest.mark.parametrize(("hardened", "phase", "number"), CHECKS, indirect=["hardened"])
def test_a_check_of_a_control(hardened: Proof, phase: str, number: int, table: Table) -> None:
    """The command and its output, as in docs/CONTROLS.md."""
    outcome = hardened.observations[phase].checks[number]
    line = place(hardened, phase, f"control {outcome.control}", outcome.command)
    if not outcome.applies:
        why = why_left_out(outcome, hardened.subject.distribution.suite)
        assert why, f"not applicable: {outcome.when}"
        table.leave_out(line, why)
        return
    table.add(line, expected=outcome.expected, seen=outcome.output)
    assert outcome.output == outcome.expected


@pytest.mark.parametrize("effect", effects("strict"), ids=lambda each: str(each.title))
@the_bare_one
def test_an_effect_without_the_hardening(bare: Proof, effect: Effect, table: Table) -> None:
    """The negative control: the same probe sees the difference."""
    seen = effect.seen(bare.observations[FIRST_BOOT])
    table.compare(place(bare, FIRST_BOOT, "effects", effect.title), seen)
    if effect.undone:
        assert seen != effect.expected


@pytest.mark.parametrize("control", [control.name for control in CONTROLS])
@the_bare_one
def test_a_control_without_the_hardening(bare: Proof, control: str, table: Table) -> None:
    """At least one check of the control differs from a hardened server."""
    outcomes = [
        each
        for each in bare.observations[FIRST_BOOT].checks
        if each.control == control and each.applies
    ]
    for each in outcomes:
        table.compare(place(bare, FIRST_BOOT, f"control {control}", each.command), each.output)
    different = any(each.output != each.expected for each in outcomes)
    assert different != (control in ALIKE_ON_A_BARE_SERVER[bare.subject.distribution.suite])


@each_subject
def test_no_password_is_accepted_from_the_first_answer_on(hardened: Proof) -> None:
    outcomes = [attempt.outcome for attempt in hardened.attempts]
    # Attempts begin before sshd answers, and sshd refuses later ones. In between, and while sshd
    # slows down guessing, a connection may just end.
    assert outcomes[0] == "no answer"
    assert "refused" in outcomes
    assert "in" not in outcomes


@the_bare_one
def test_a_password_is_accepted_without_the_hardening(bare: Proof) -> None:
    assert "in" in [attempt.outcome for attempt in bare.attempts]


@each_subject
def test_the_hardening_is_done_before_sshd_starts(hardened: Proof) -> None:
    order = hardened.observations[FIRST_BOOT].facts["boot_order"]
    assert 0 < order["hardening"] < order["sshd"]


@each_phase
@each_subject
def test_the_lock_comes_back(hardened: Proof, phase: str, table: Table) -> None:
    found = disturbed(hardened.observations[phase])
    for name, became in found.items():
        seconds = hardened.observations[phase].disturbances[name].seconds_open
        table.add(
            place(hardened, phase, "the lock, removed by others", name),
            expected=f"locked again within {REPAIR_SECONDS:.0f} s",
            seen=f"locked again after {seconds} s" if became == "locked" else became,
            passed=became == "locked",
        )
    assert found == dict.fromkeys(found, "locked")
    assert found


@each_subject
def test_a_reboot_changes_nothing_about_sshd(hardened: Proof) -> None:
    """Not even a file of cloud-init's, planted before the reboot."""
    first, second = (hardened.observations[phase].facts["sshd"] for phase in PHASES)
    assert first == second


@the_bare_one
def test_everybody_reaches_the_metadata_without_the_hardening(bare: Proof) -> None:
    assert everybody_reaches(bare.observations[FIRST_BOOT]) == []
