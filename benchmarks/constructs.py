"""The constructs compared with the same resources by hand, and our pack with cdk-nag's."""

import json
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from benchmarks.claims import Claim
from benchmarks.costs import Cost, least

FLEETS: Final = 50
SERVERS: Final = (100, 500)
"""Numbers of servers that the packs judge."""

GROWTH: Final = (10, 255, 500)
"""Numbers of servers in two equal steps, which show whether the cost per server stays the same."""


class DifferentResources(Exception):  # noqa: N818 - it names the fault
    """Two apps that are compared deploy different resources, so their ratio means nothing."""


def construct_claims(folder: Path, rounds: int) -> list[Claim]:
    """Measure the cost of constructs and pack at synth.

    Args:
        folder: The folder for the assemblies.
        rounds: The runs of each app.

    Returns:
        The claims, measured.

    Raises:
        DifferentResources: If the apps that are compared do not deploy the same resources.
    """
    apps = [("by-hand", 100, 0), ("by-hand", 500, FLEETS), ("hardened", 500, FLEETS)]
    apps += [("hardened", servers, 0) for servers in sorted({*SERVERS, *GROWTH})]
    apps += [(pack, servers, 0) for servers in SERVERS for pack in ("checked", "aws-solutions")]
    measured = least(
        {_name(*app): _command(*app, folder) for app in apps}, rounds=rounds, what="constructs"
    )
    for servers, fleets in ((100, 0), (500, FLEETS)):
        _refuse_difference(folder / _name(app, servers, fleets) for app in ("by-hand", "hardened"))
    return [
        Claim(
            what="100 HardenedInstance : 100 ec2.Instance made the same by hand",
            measured=measured[_name("hardened", 100, 0)].seconds,
            against=measured[_name("by-hand", 100, 0)].seconds,
            at_most=1.05,
        ),
        Claim(
            what=f"500 HardenedInstance and {FLEETS} HardenedAutoScalingGroup : the same by hand",
            measured=measured[_name("hardened", 500, FLEETS)].seconds,
            against=measured[_name("by-hand", 500, FLEETS)].seconds,
            at_most=1.10,
        ),
        _flat(measured),
        *(_pack(measured, servers) for servers in SERVERS),
    ]


def _flat(measured: dict[str, Cost]) -> Claim:
    few, more, most = (measured[_name("hardened", servers, 0)].seconds for servers in GROWTH)
    return Claim(
        what=f"HardenedInstance {GROWTH[1]} to {GROWTH[2]} : {GROWTH[0]} to {GROWTH[1]}",
        measured=most - more,
        against=more - few,
        at_most=1.2,
    )


def _pack(measured: dict[str, Cost], servers: int) -> Claim:
    bare, ours, theirs = (
        measured[_name(app, servers, 0)].seconds for app in ("hardened", "checked", "aws-solutions")
    )
    return Claim(
        what=f"{servers} servers: what HardenedEc2Checks adds : what AwsSolutionsChecks adds",
        measured=ours - bare,
        against=theirs - bare,
        at_most=1,
    )


def _name(app: str, servers: int, fleets: int) -> str:
    return f"{app}-{servers}-{fleets}"


def _command(app: str, servers: int, fleets: int, folder: Path) -> Sequence[str]:
    outdir = str(folder / _name(app, servers, fleets))
    return [sys.executable, "-m", "benchmarks.apps", app, str(servers), str(fleets), outdir]


def _refuse_difference(assemblies: Iterable[Path]) -> None:
    first, second = map(_resources, assemblies)
    if first != second:
        raise DifferentResources(
            f"only the app by hand deploys {first - second}, only the app of constructs "
            f"{second - first}"
        )


def _resources(assembly: Path) -> Counter[str]:
    """Count the resources of an assembly by type."""
    counted: Counter[str] = Counter()
    for template in sorted(assembly.glob("*.template.json")):
        for resource in json.loads(template.read_text("utf-8"))["Resources"].values():
            counted[resource["Type"]] += 1
    return counted
