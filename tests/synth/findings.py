"""What HardenedEc2Checks says of an app."""

import json
from pathlib import Path

import aws_cdk as cdk

from hardened_ec2 import HardenedEc2Checks


def findings(app: cdk.App) -> set[tuple[str, str, str]]:
    """Synthesize an app with the pack: (rule without its prefix, severity, construct path)."""
    cdk.Validations.of(app).add_plugins(HardenedEc2Checks(app))
    try:
        app.synth()
    except RuntimeError as error:
        if "ValidationFailed" not in str(error):
            raise
    report = Path(app.outdir) / "validation-report.json"
    if not report.exists():
        return set()
    return {
        (violation["ruleName"].removeprefix("HardenedEc2-"), violation["severity"], path)
        for plugin in json.loads(report.read_text("utf-8"))["pluginReports"]
        if plugin["pluginName"] == "HardenedEc2"
        for violation in plugin["violations"]
        for path in (each["constructPath"] for each in violation["violatingConstructs"])
    }


def errors(app: cdk.App) -> set[tuple[str, str]]:
    """The errors alone: (rule, construct path)."""
    return {(rule, path) for rule, severity, path in findings(app) if severity == "error"}
