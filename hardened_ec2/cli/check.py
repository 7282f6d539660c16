"""`hardened-ec2 check`: the verdict of the policy on templates, without the CDK."""

import argparse
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from hardened_ec2.cli.streams import read, refuse, write
from hardened_ec2.policy.judging.baseline import Baseline, written
from hardened_ec2.policy.judging.collection import collect
from hardened_ec2.policy.judging.configuration import read_settings
from hardened_ec2.policy.judging.verdict import Verdict, verdict
from hardened_ec2.policy.report.sarif import as_sarif
from hardened_ec2.policy.report.text_and_json import as_json, as_text
from hardened_ec2.policy.settings import Settings


def _as_html(found: Verdict) -> str:
    # Loaded on use: Jinja2 takes longer to load than most templates take to judge.
    try:
        from hardened_ec2.policy.report.html import as_html  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ValueError(
            f"--format html needs {error.name}: pip install 'hardened-ec2[cli]'"
        ) from None
    return as_html(found)


FORMATS: Final[dict[str, Callable[[Verdict], str]]] = {
    "text": as_text,
    "json": as_json,
    "sarif": as_sarif,
    "html": _as_html,
}


def declare(parser: argparse.ArgumentParser) -> None:
    """Add the command's options to its parser."""
    parser.description = inspect.getdoc(check)
    parser.set_defaults(run=check)
    parser.add_argument(
        "paths",
        nargs="+",
        type=Path,
        metavar="PATH",
        help="a template, a folder of templates, or a cloud assembly (cdk.out)",
    )
    parser.add_argument(
        "--format",
        dest="form",
        default="text",
        metavar="FORMAT",
        help=f"{', '.join(FORMATS)} (default: text)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="write the report to FILE instead of standard output",
    )
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="read the thresholds from FILE, as TOML"
    )
    parser.add_argument(
        "--baseline",
        type=Path,
        metavar="FILE",
        help="read accepted findings from FILE, each with a reason",
    )
    parser.add_argument(
        "--write-baseline",
        type=Path,
        metavar="FILE",
        help="write the findings to FILE, to fill in reasons",
    )


def check(
    *,
    paths: list[Path],
    form: str,
    output: Path | None,
    config: Path | None,
    baseline: Path | None,
    write_baseline: Path | None,
) -> None:
    """Judge CloudFormation templates, JSON or YAML, by the rules of the policy.

    Reads every PATH: a template, a folder with all templates in it, or a cloud
    assembly with its nested stacks, stages and acknowledgements. All of them are
    judged as one deployment. Writes the report to standard output or --output.

    Exit codes:
      0  no errors; warnings, and what could not be verified, do not count
      1  errors
      2  an input or an option cannot be used; other inputs are still judged
    """
    try:
        if form not in FORMATS:
            refuse(f"--format is {form!r}: write one of {', '.join(FORMATS)}")
        settings = Settings() if config is None else read("--config", read_settings, config)
        accepted = Baseline() if baseline is None else read("--baseline", Baseline.load, baseline)
        found = verdict(collect(paths), settings, accepted)
        _warn_of_stale(found, accepted)
        if write_baseline is not None:
            entries = written(found.findings).encode("utf-8", "replace")
            write(entries, write_baseline, "--write-baseline")
        write(FORMATS[form](found).encode("utf-8", "replace"), output)
    except ValueError as error:
        refuse(str(error))
    raise SystemExit(found.exit_code)


def _warn_of_stale(found: Verdict, accepted: Baseline) -> None:
    findings = [*found.findings, *(finding for finding, _ in found.accepted)]
    for entry in accepted.stale(findings):
        sys.stderr.write(
            f"hardened-ec2: {entry.rule} at {entry.template} {entry.logical_id} is accepted, but "
            "no longer found: remove it from the baseline\n"
        )
