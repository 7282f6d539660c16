from collections.abc import Callable
from io import StringIO

import pytest
from rich.console import Console

from demo.display import complain, report, show_verdict, step
from demo.read_back import Row
from demo.verdict import Acknowledged, PackVerdict


def shown(show: Callable[[Console], object], width: int = 140) -> str:
    console = Console(file=StringIO(), width=width)
    show(console)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def row(lock: str = "SSH", *, holds: bool = True, resource: str = "Stack/Server") -> Row:
    return Row(
        lock=lock, resource=resource, holds=holds, found="found", expected="expected", why="because"
    )


def exit_code(*rows: Row) -> int:
    return report(Console(file=StringIO()), rows)


def test_success_takes_every_lock() -> None:
    assert exit_code(row(), row("egress")) == 0
    assert exit_code(row(), row("egress", holds=False)) == 1


def test_nothing_found_is_no_success() -> None:
    assert exit_code() == 1


def test_an_open_lock_is_named() -> None:
    output = shown(lambda console: report(console, (row(), row("egress", holds=False))))

    assert "1 of 2 locks do not hold: egress of Stack/Server" in output
    assert "All" not in output


@pytest.mark.parametrize(("width", "told"), [(140, True), (80, False)])
def test_reasons_need_room(width: int, told: bool) -> None:  # noqa: FBT001 - a parameter
    assert ("because" in shown(lambda console: report(console, (row(),)), width)) is told


def test_a_verdict_names_every_pack_and_every_reason() -> None:
    acknowledged = Acknowledged(rule="Rule[Resource::*]", constructs=("S/A",), reason="It must.")
    verdict = PackVerdict(pack="Loud", findings={"warning": 7}, acknowledged=(acknowledged,))

    output = shown(lambda console: show_verdict(console, (verdict,), ("Silent", "Loud")))

    for text in ("Silent", "Loud", "7", "Rule[Resource::*]", "S/A", "It must."):
        assert text in output


def test_a_step_that_failed_does_not_look_done() -> None:
    def fail(console: Console) -> None:
        with pytest.raises(KeyboardInterrupt), step(console, "Deployed"):
            raise KeyboardInterrupt

    assert "✓" not in shown(fail)


def test_a_complaint_keeps_brackets_and_long_lines() -> None:
    text = "Rule[Resource::*] " + "x" * 200

    assert shown(lambda console: complain(console, text), width=80) == f"{text}\n"
