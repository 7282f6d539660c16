"""A server that booted the synthesized user data, and the same server without it."""

import pytest

from lab.proof import FIRST_BOOT, REBOOT, Proof
from tests.proof.conftest import Line
from tests.proof.effects import EFFECTS, Effect, disturbed, everybody_reaches

pytestmark = pytest.mark.proof

PHASES = (FIRST_BOOT, REBOOT)
each_phase = pytest.mark.parametrize("phase", PHASES)


@pytest.mark.parametrize("effect", EFFECTS, ids=lambda each: each.title)
@each_phase
def test_the_hardened_server(
    hardened: Proof, phase: str, effect: Effect, table: list[Line]
) -> None:
    seen = effect.seen(hardened.observations[phase])
    name = f"{hardened.distribution.title}, {phase}"
    table.append(Line(server=name, title=effect.title, expected=effect.expected, seen=seen))
    assert seen == effect.expected


@pytest.mark.parametrize("effect", EFFECTS, ids=lambda each: each.title)
def test_a_server_without_the_hardening(bare: Proof, effect: Effect, table: list[Line]) -> None:
    """The negative control: the same probe sees the difference."""
    seen = effect.seen(bare.observations[FIRST_BOOT])
    table.append(Line(server="bare server", title=effect.title, expected=seen, seen=seen))
    if effect.undone:
        assert seen != effect.expected


def test_no_password_is_accepted_from_the_first_answer_on(hardened: Proof) -> None:
    outcomes = [attempt.outcome for attempt in hardened.attempts]
    # There was an sshd that refused, and somebody who tried before it was there. Between the two,
    # and where sshd makes who guesses wait, a connection may just end.
    assert outcomes[0] == "no answer"
    assert "refused" in outcomes
    assert "in" not in outcomes


def test_a_password_is_accepted_without_the_hardening(bare: Proof) -> None:
    assert "in" in [attempt.outcome for attempt in bare.attempts]


def test_the_hardening_is_done_before_sshd_starts(hardened: Proof) -> None:
    order = hardened.observations[FIRST_BOOT].facts["boot_order"]
    assert 0 < order["hardening"] < order["sshd"]


@each_phase
def test_the_lock_comes_back(hardened: Proof, phase: str, table: list[Line]) -> None:
    found = disturbed(hardened.observations[phase])
    for name, each in hardened.observations[phase].disturbances.items():
        table.append(
            Line(
                server=f"{hardened.distribution.title}, {phase}",
                title=f"locked again after: {name}",
                expected=each.seconds_open,
                seen=each.seconds_open,
            )
        )
    assert found == dict.fromkeys(found, "locked")
    assert found


def test_a_reboot_changes_nothing_about_sshd(hardened: Proof) -> None:
    """Not even with what cloud-init writes planted in between."""
    first, second = (hardened.observations[phase].facts["sshd"] for phase in PHASES)
    assert first == second


def test_everybody_reaches_the_metadata_without_the_hardening(bare: Proof) -> None:
    assert everybody_reaches(bare.observations[FIRST_BOOT]) == []
