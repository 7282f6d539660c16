"""Scan servers and write docs/SCANNERS.md: `python -m lab.scanners docs/SCANNERS.md`.

Each of the six servers takes most of an hour on one core; two run side by side. Titles of servers,
such as "prepared, strict", limit the run to these and to "prepared, strict", whose findings all
need a waiver: the run fails on a finding without a waiver and on an unused waiver. It does not
judge figures, which change with every release of a scanner.
"""

import json
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from lab.paths import EVIDENCE
from lab.requirements import install
from lab.scanners.document import scanners_document
from lab.scanners.scans import EXPLAINED_VARIANT, VARIANTS, Variant, complaints, scan_variant
from lab.scanners.waivers import read_waivers

_AT_ONCE = 2


def chosen(titles: Sequence[str]) -> list[Variant]:
    """Return the servers to scan, `EXPLAINED_VARIANT` always among them.

    Args:
        titles: Titles of servers; empty for all.

    Raises:
        ValueError: If a title is unknown.
    """
    if unknown := sorted(set(titles) - {each.title for each in VARIANTS}):
        known = ", ".join(f'"{each.title}"' for each in VARIANTS)
        raise ValueError(f'unknown server "{unknown[0]}": write {known}')
    return [
        each for each in VARIANTS if not titles or each.title in titles or each == EXPLAINED_VARIANT
    ]


def main(arguments: Sequence[str]) -> int:
    """Scan servers, and write the evidence and the document; return the exit code.

    Args:
        arguments: The document's path, then titles of servers. Without any: all servers, and the
            document is printed.
    """
    try:
        variants = chosen(arguments[1:])
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    waivers = read_waivers()
    if install():
        return 1
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        scans = list(pool.map(scan_variant, variants))
    EVIDENCE.mkdir(parents=True, exist_ok=True)
    evidence = EVIDENCE / "scans.json"
    evidence.write_text(json.dumps([asdict(each) for each in scans], indent=1), encoding="utf-8")
    said = [*complaints(scans, waivers)]
    for complaint in said:
        sys.stderr.write(f"{complaint}\n")
    text = scanners_document(scans, waivers)
    if arguments:
        Path(arguments[0]).write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
