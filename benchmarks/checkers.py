"""`hardened-ec2 check` compared with cfn-guard and checkov, and its growth with resources."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from rich.table import Table

from benchmarks.cfn_guard import unpack
from benchmarks.claims import Claim
from benchmarks.costs import Cost, least
from benchmarks.written import RESOURCES_A_SERVER, write_json, write_yaml
from demo.environment import ROOT

GROWTH: Final = (500, 1_000, 2_500, 5_000)
"""Numbers of resources judged together, in templates of 500, CloudFormation's limit."""

_TEMPLATE_LIMIT: Final = 500
_ONE: Final = "one template"
_VERDICTS: Final = (0, 1, 2, 19)
"""Exit codes that count: 0, 1, 2 for unreadable files in public folders, and 19, cfn-guard's code
for findings."""


def checker_claims(folder: Path, public: Path | None, rounds: int) -> tuple[list[Claim], Table]:
    """Measure the three checkers side by side.

    Args:
        folder: The folder for the templates.
        public: A folder of public templates to measure too. None for none.
        rounds: The runs of each checker.

    Returns:
        The claims, and the figures of all three.
    """
    guard = unpack(folder / "cfn-guard")
    one = write_json(folder / "one", templates=1, servers=1)
    inputs = {
        _ONE: one / "0000.json",
        "100 JSON templates": write_json(folder / "json", templates=100, servers=1),
        "20 YAML templates": write_yaml(folder / "yaml", copies=10),
    }
    if public is not None:
        inputs["public templates"] = public
    figures = Table("templates", "checker", "CPU s", "peak MiB", title="Checkers")
    claims = []
    for what, path in inputs.items():
        costs = least(
            {
                "hardened-ec2": _ours(path),
                f"cfn-guard, {guard.rule_count} rules": guard.command(path),
                "checkov": _checkov(path),
            },
            rounds=rounds,
            ends_with=_VERDICTS,
            what=what,
        )
        for name, each in costs.items():
            figures.add_row(what, name, f"{each.seconds:.2f}", f"{each.mebibytes:.0f}")
        ours, theirs, checkov = (each.seconds for each in costs.values())
        claims.append(
            Claim(what=f"{what}: ours : cfn-guard", measured=ours, against=theirs, at_most=1)
        )
        # On one template the start-up dominates: ten times as fast is promised there.
        most = 0.1 if what == _ONE else 0.2
        claims.append(
            Claim(what=f"{what}: ours : checkov", measured=ours, against=checkov, at_most=most)
        )
    return claims, figures


def growth_claims(folder: Path, rounds: int) -> tuple[list[Claim], Table]:
    """Measure whether time grows in proportion to the resources.

    Args:
        folder: The folder for the templates.
        rounds: The runs of each size.

    Returns:
        The claims, and the figures.
    """
    servers = _TEMPLATE_LIMIT // RESOURCES_A_SERVER
    several = {
        f"{count} resources, {count // _TEMPLATE_LIMIT} templates": _ours(
            write_json(
                folder / f"several-{count}", templates=count // _TEMPLATE_LIMIT, servers=servers
            )
        )
        for count in GROWTH
    }
    # Beyond CloudFormation's limit, so that quadratic growth within one template shows.
    single = {
        f"{count} resources, one template": _ours(
            write_json(folder / f"single-{count}", templates=1, servers=count // RESOURCES_A_SERVER)
        )
        for count in GROWTH
    }
    costs = least({**several, **single}, rounds=rounds, ends_with=(0, 1), what="growth")
    figures = Table("judged together", "CPU s", "peak MiB", title="Growth")
    for what, each in costs.items():
        figures.add_row(what, f"{each.seconds:.2f}", f"{each.mebibytes:.0f}")
    return [_linear(what, costs) for what in (several, single)], figures


def _linear(names: Mapping[str, object], costs: Mapping[str, Cost]) -> Claim:
    first, second, third, last = (costs[name].seconds for name in names)
    del second
    few, many, most = (GROWTH[0], GROWTH[2], GROWTH[3])
    return Claim(
        what=f"{[*names][-1]}: a resource past {many} : one before",
        measured=(last - third) / (most - many),
        against=(third - first) / (many - few),
        at_most=1.2,
    )


def _ours(path: Path) -> list[str]:
    return [sys.executable, "-m", "hardened_ec2.cli", "check", str(path)]


def _checkov(path: Path) -> list[str]:
    option = "--directory" if path.is_dir() else "--file"
    program = str(ROOT / ".venv-checkov" / "bin" / "checkov")
    return [program, "--framework", "cloudformation", "--quiet", "--compact", option, str(path)]
