"""`hardened-ec2 check`: the policy's verdict on templates, without the CDK."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

import typer

from hardened_ec2.cli.streams import refuse, write_file, write_out
from hardened_ec2.policy.baseline import Baseline, written
from hardened_ec2.policy.collection import collect
from hardened_ec2.policy.configuration import read_settings
from hardened_ec2.policy.report import as_json, as_text
from hardened_ec2.policy.sarif import as_sarif
from hardened_ec2.policy.settings import Settings
from hardened_ec2.policy.verdict import Verdict, verdict


def _as_html(found: Verdict) -> str:
    # Jinja2 takes longer to load than most templates to judge.
    try:
        from hardened_ec2.policy.html_report import as_html  # noqa: PLC0415
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


def check(
    *,
    paths: Annotated[
        list[Path], typer.Argument(help="Templates, folders of templates, or a cdk.out.")
    ],
    form: Annotated[
        str, typer.Option("--format", help=f"{', '.join(FORMATS)}.", metavar="FORMAT")
    ] = "text",
    output: Annotated[
        Path | None, typer.Option(help="The file to write.", show_default="standard output")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="Thresholds, as TOML.", show_default="the policy's own")
    ] = None,
    baseline: Annotated[
        Path | None, typer.Option(help="Findings that are accepted, each with its reason.")
    ] = None,
    write_baseline: Annotated[
        Path | None, typer.Option(help="Write the findings there, to be accepted with reasons.")
    ] = None,
) -> None:
    """Judge CloudFormation templates, JSON or YAML: nothing that exposes a server passes.

    Exit code 0: no error. 1: errors. 2: some input could not be used; the rest is judged.
    """
    try:
        if form not in FORMATS:
            refuse(f"--format is {form!r}: write one of {', '.join(FORMATS)}")
        settings = Settings() if config is None else read_settings(config)
        accepted = Baseline() if baseline is None else Baseline.load(baseline)
        found = verdict(collect(paths), settings, accepted)
        _warn_of_stale(found, accepted)
        if write_baseline is not None:
            write_file(write_baseline, written(found.findings).encode("utf-8", "replace"))
        content = FORMATS[form](found).encode("utf-8", "replace")
        if output is None:
            write_out(content)
        else:
            write_file(output, content)
    except OSError as error:
        refuse(f"{error.filename or output or 'standard output'}: {error.strerror}")
    except ValueError as error:
        refuse(str(error))
    raise typer.Exit(found.exit_code)


def _warn_of_stale(found: Verdict, accepted: Baseline) -> None:
    findings = [*found.findings, *(finding for finding, _ in found.accepted)]
    for entry in accepted.stale(findings):
        sys.stderr.write(
            f"hardened-ec2: {entry.rule} at {entry.template} {entry.logical_id} is accepted and "
            "found no more: take it out of the baseline\n"
        )
