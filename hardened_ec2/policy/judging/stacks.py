"""The stacks of an app, judged as CDK wrote them: the way of the cdk-nag pack into the policy."""

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from hardened_ec2.policy.findings import Finding
from hardened_ec2.policy.judging.judgement import judge_case
from hardened_ec2.policy.read.cloud_assembly import load_deployed, with_nested
from hardened_ec2.policy.resolve.deployment import Deployment
from hardened_ec2.policy.rules.case import Case
from hardened_ec2.policy.settings import Settings


def judge_stacks(stacks: Mapping[str, str], settings: Settings) -> list[tuple[Finding, str]]:
    """Judge stacks with their nested stacks, which CDK does not list, as one deployment.

    Args:
        stacks: The path of each stack's template, by the construct path of the stack.
        settings: The thresholds.

    Returns:
        The findings in the order of `judge`, each with the construct path of its stack. They have
        no lines: CDK's report shows none, and looking them up can take as long as judging.

    Raises:
        UnreadableTemplate: If a template cannot be judged.
        RuleFailed: If a rule raises.

    Example:
        >>> found = judge_stacks({"Web": "cdk.out/Web.template.json"}, Settings())
        >>> [(finding.rule, stack) for finding, stack in found]
        [('HardenedEc2-ImdsV2', 'Web'), ('HardenedEc2-KeyPair', 'Web')]
    """
    files = {file: stack for stack, path in stacks.items() for file in with_nested(Path(path))}
    with _collector_paused():
        templates = [each for file in files if (each := load_deployed(file)) is not None]
        findings = judge_case(Case(Deployment(templates), settings))
    return [(finding, files[Path(finding.template)]) for finding in findings]


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Pause the garbage collector, which otherwise walks all templates again and again.

    They are many small objects that live until the end; a quarter of the time goes into that walk.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
