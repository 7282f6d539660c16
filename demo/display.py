"""Terminal output of `make try`: steps, findings of the policy packs, locks."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from demo.read_back import Row
from demo.verdict import PackVerdict

_WIDTH_FOR_REASONS = 110
"""Columns at which the reason still fits without breaking every word."""


@contextmanager
def step(console: Console, done: str) -> Iterator[list[str]]:
    """Show a step while it runs, then its result and duration."""
    started = time.monotonic()
    notes: list[str] = []
    with console.status(f"{done} ..."):
        yield notes
    took = ", ".join([f"{time.monotonic() - started:.1f} s", *notes])
    console.print(f"[green]✓[/] {done} [dim]({took})[/]")


def show_verdict(
    console: Console, verdicts: tuple[PackVerdict, ...], packs: tuple[str, ...]
) -> None:
    """Show the findings of the policy packs.

    Args:
        console: Where.
        verdicts: The packs that found something.
        packs: The packs that the app has; those without a verdict found nothing.
    """
    by_pack = {verdict.pack: verdict for verdict in verdicts}
    table = Table("Policy pack", "Errors", "Warnings", "Acknowledged")
    for pack in dict.fromkeys([*packs, *by_pack]):
        verdict = by_pack.get(pack, PackVerdict(pack=pack, findings={}, acknowledged=()))
        table.add_row(
            pack,
            str(verdict.findings.get("error", 0) + verdict.findings.get("fatal", 0)),
            str(verdict.findings.get("warning", 0)),
            str(len(verdict.acknowledged)),
        )
    console.print(table)
    for verdict in verdicts:
        for each in verdict.acknowledged:
            console.print(Text(f"Acknowledged: {each.rule}", style="bold"))
            console.print(Text(f"  at {', '.join(each.constructs)}", style="dim"))
            console.print(Padding(Text(each.reason), (0, 0, 0, 2)))


def report(console: Console, rows: tuple[Row, ...]) -> int:
    """Show every lock, and whether all hold.

    Args:
        console: Where.
        rows: The locks.

    Returns:
        The exit code: 0 if there are locks and all hold, 1 otherwise.
    """
    table = Table(box=SIMPLE_HEAD)
    headings = ["", "What is locked", "Found", "Expected"]
    if console.width >= _WIDTH_FOR_REASONS:
        headings.append("Why")
    for heading in headings:
        # Folded, not truncated: a path that ends in "..." is useless.
        table.add_column(heading, overflow="fold")
    for resource, locks in groupby(rows, lambda row: row.resource):
        table.add_section()
        table.add_row("", Text(resource.replace("/", " / "), style="bold"))
        for row in locks:
            mark = Text("✓", style="green") if row.holds else Text("✗", style="bold red")
            cells = (
                mark,
                Text(row.lock),
                Text(row.found),
                Text(row.expected),
                Text(row.why, "dim"),
            )
            table.add_row(*cells[: len(headings)])
    console.print(table)
    open_rows = [row for row in rows if not row.holds]
    if not rows:
        complain(console, "The deployed stacks contain no server and no network.")
        return 1
    if open_rows:
        where = ", ".join(f"{row.lock} of {row.resource}" for row in open_rows)
        complain(console, f"{len(open_rows)} of {len(rows)} locks do not hold: {where}")
        return 1
    console.print(
        f"[green]All {len(rows)} locks hold.[/] The emulator shows that the real CLI deploys these "
        "stacks and that every property arrives. Only an AWS account shows how AWS behaves."
    )
    return 0


def complain(console: Console, what: object) -> None:
    """Show an error without markup and without wrapping it to the width."""
    console.print(Text(str(what), style="red"), soft_wrap=True)
