import pytest

from lab.probes.clients import settled


@pytest.mark.parametrize(
    ("said", "outcome", "tries"),
    [
        (["in"], "in", 1),
        (["refused"], "refused", 1),
        (["no answer", "in"], "in", 2),
        (["no answer", "Connection reset", "refused"], "refused", 3),
        (["no answer", "no answer", "no answer"], "no answer", 3),
    ],
)
def test_a_login_counts_when_something_came_out(said: list[str], outcome: str, tries: int) -> None:
    left = iter(said)
    assert settled(lambda: next(left)) == outcome
    assert len(said) - len(list(left)) == tries
