"""`hardened-ec2 rules`: the rules of the policy."""

import argparse
import inspect
import json
from typing import Final

from hardened_ec2.cli.streams import refuse, write
from hardened_ec2.policy.report.rule_table import rule_table
from hardened_ec2.policy.rules import RULES
from hardened_ec2.policy.rules.rule import Rule

FORMATS: Final = ("text", "json", "markdown")


def declare(parser: argparse.ArgumentParser) -> None:
    """Add the command's options to its parser."""
    parser.description = inspect.getdoc(rules)
    parser.set_defaults(run=rules)
    parser.add_argument(
        "--format",
        dest="form",
        default="text",
        metavar="FORMAT",
        help=f"{', '.join(FORMATS)} (default: text)",
    )


def rules(*, form: str) -> None:
    """Print every policy rule: what holds in a sound template, why, and the fix.

    Reads nothing. Writes to standard output.

    Exit codes:
      0  the rules are printed
      2  an option cannot be used
    """
    if form not in FORMATS:
        refuse(f"--format is {form!r}: write one of {', '.join(FORMATS)}")
    try:
        write(_formatted(form).encode())
    except ValueError as error:
        refuse(str(error))


def _formatted(form: str) -> str:
    match form:
        case "json":
            return json.dumps([_object(rule) for rule in RULES], indent=2) + "\n"
        case "markdown":
            return rule_table()
        case _:
            return "\n".join(map(_text, RULES))


def _text(rule: Rule) -> str:
    asked = ", ".join(map(str, rule.references))
    lines = [f"{rule.id} ({rule.severity.value})", rule.fact, rule.why, f"fix: {rule.fix}"]
    return "\n    ".join([*lines, f"references: {asked}"] if asked else lines) + "\n"


def _object(rule: Rule) -> dict[str, object]:
    return {
        "id": rule.id,
        "severity": rule.severity.value,
        "fact": rule.fact,
        "why": rule.why,
        "fix": rule.fix,
        "references": [
            {"framework": str(control.framework), "id": control.id} for control in rule.references
        ],
    }
