"""What hardening costs at synth, as ratios of CPU time measured side by side in one run.

    make bench

Each app runs in a process of its own, the apps take turns, and the least of several runs counts:
other load on the machine only ever adds time.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.apps import APPS

SERVERS = 100
ROUNDS = 5


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A ratio that the project promises.

    Args:
        what: What is claimed, in words.
        measured: The app above the line.
        against: The app below it.
        at_most: The promise.
    """

    what: str
    measured: str
    against: str
    at_most: float


CLAIMS = (
    Claim(
        what=f"{SERVERS} HardenedInstance : {SERVERS} ec2.Instance made the same by hand",
        measured="hardened",
        against="by-hand",
        at_most=1.25,
    ),
    Claim(
        what="synth with HardenedEc2Checks : synth without",
        measured="hardened-checked",
        against="hardened",
        at_most=1.10,
    ),
)


def cpu_seconds(app: str, outdir: Path) -> float:
    """Run one app and return the CPU time of its process and of node's.

    Args:
        app: One of `APPS`.
        outdir: Where its assembly goes.

    Returns:
        User and system time, in seconds.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(  # noqa: S603 - this project's own module
        [sys.executable, "-m", "benchmarks.apps", app, str(SERVERS), str(outdir)], check=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def resources(assembly: Path) -> Counter[str]:
    """Count what an assembly deploys: how many resources of each type.

    Args:
        assembly: The folder that an app synthesized to.

    Returns:
        How often each type occurs.
    """
    counted: Counter[str] = Counter()
    for template in sorted(assembly.glob("*.template.json")):
        for resource_ in json.loads(template.read_text("utf-8"))["Resources"].values():
            counted[resource_["Type"]] += 1
    return counted


def main() -> int:
    """Measure every claim, print the ratios, and say whether they hold."""
    console = Console()
    best = dict.fromkeys(APPS, float("inf"))
    with tempfile.TemporaryDirectory() as folder:
        out = {app: Path(folder) / app for app in APPS}
        for _ in track(range(ROUNDS), description=f"{SERVERS} servers, {ROUNDS} rounds"):
            for app in APPS:
                best[app] = min(best[app], cpu_seconds(app, out[app]))
        if len({frozenset(resources(folder).items()) for folder in out.values()}) != 1:
            console.print("The apps do not deploy the same resources, so no ratio means anything.")
            return 1
    table = Table(
        "claim", "CPU s", "against", "ratio", "promised", title=f"On {os.cpu_count()} cores"
    )
    holds = True
    for claim in CLAIMS:
        ratio = best[claim.measured] / best[claim.against]
        holds &= ratio <= claim.at_most
        table.add_row(
            claim.what,
            f"{best[claim.measured]:.2f}",
            f"{best[claim.against]:.2f}",
            f"{ratio:.2f}",
            f"<= {claim.at_most:.2f} {'holds' if ratio <= claim.at_most else 'BROKEN'}",
        )
    console.print(table)
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
