"""The cost of constructs and policy, as ratios of CPU time measured side by side in one run.

    make bench
    make bench PARTS=checkers TEMPLATES=FOLDER

The machine may be busy: compare ratios within one run only. The least of several rounds counts.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Final

from rich.console import Console

from benchmarks.checkers import checker_claims, growth_claims
from benchmarks.claims import Claim, table
from benchmarks.constructs import construct_claims
from benchmarks.imports import import_claims

PARTS: Final = ("imports", "constructs", "checkers", "growth")


def main() -> int:
    """Measure, print the ratios, and return 1 if one exceeds its limit."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; or all")
    parser.add_argument("--templates", type=Path, help="folder of public templates to check too")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each command; default: 3")
    told = parser.parse_args()
    unknown = sorted({*told.parts} - {*PARTS})
    if unknown:
        parser.error(f"PART is {unknown[0]!r}: write one of {', '.join(PARTS)}")
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print(f"On {os.cpu_count()} cores. Figures are the least of {told.rounds} rounds.")
    holds = True
    with tempfile.TemporaryDirectory() as folder:
        for part in told.parts or PARTS:
            place = Path(folder) / part
            place.mkdir()
            claims: list[Claim]
            if part == "imports":
                claims = import_claims(told.rounds)
            elif part == "constructs":
                claims = construct_claims(place, told.rounds)
            elif part == "checkers":
                claims, figures = checker_claims(place, told.templates, told.rounds)
                console.print(figures)
            else:
                claims, figures = growth_claims(place, told.rounds)
                console.print(figures)
            console.print(table(part.capitalize(), claims))
            holds &= all(claim.holds for claim in claims)
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
