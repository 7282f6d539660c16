"""Comparison of the policy with other checkers, on their own public templates.

    make comparison TEMPLATES=FOLDER

FOLDER has one folder for each collection of ``comparison.toml``. The templates belong to others, so
they are not kept here; docs/COMPARISON.md is the result. No template may crash the check, and every
verdict that differs from the expected one needs a reason.
"""

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hardened_ec2.policy.rules import RULES
from hardened_ec2.policy.rules.verification import cannot_verify

MANIFEST: Final = Path(__file__).with_name("comparison.toml")

_FINDING, _NONE = "a finding", "none"
_SECONDS: Final = 300
_PREFIX: Final = "HardenedEc2-"
_RULE: Final = re.compile(rf"{_PREFIX}\w+")
_DOUBT: Final = "could not verify "


class Unexplained(Exception):  # noqa: N818 - it names the fault
    """A template crashed the check, or a verdict differs from the expected one without a reason."""


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """The verdict that a checker's own test expects of one template.

    Args:
        control: The checker and its control.
        path: The template, in the folder of collections.
        finding: Whether it expects a finding.
        because: The key of the reason why this policy's verdict differs. Empty if it does not.
    """

    control: str
    path: str
    finding: bool
    because: str


@dataclass(frozen=True, kw_only=True)
class Judged:
    """The verdict of `hardened-ec2 check` on one collection.

    Args:
        found: The rules that are violated or not verified, by template.
        templates: The number of templates that were judged.
        unreadable: The number of templates that were not, by reason.
        errors: The number of errors.
        warnings: The number of warnings.
    """

    found: dict[str, set[str]]
    templates: int
    unreadable: Counter[str]
    errors: int
    warnings: int


def expectations(manifest: dict[str, Any]) -> Iterator[Expectation]:
    """Yield the expectations of the manifest.

    Args:
        manifest: The content of ``comparison.toml``.

    Yields:
        Each expectation.
    """
    for each in manifest["expected"]:
        because = each.get("because", {})
        for finding, key in ((True, "finding"), (False, "none")):
            for path in each.get(key, ()):
                yield Expectation(
                    control=each["control"],
                    path=path,
                    finding=finding,
                    because=because.get(path, ""),
                )


def answers(control: str, manifest: dict[str, Any]) -> frozenset[str]:
    """Return the policy rules that cover a control.

    Args:
        control: The checker and its control.
        manifest: The content of ``comparison.toml``, for controls that no rule refers to.

    Returns:
        Their ids.

    Raises:
        Unexplained: If neither the manifest nor a rule names the control.
    """
    if control in manifest["answers"]:
        return frozenset(_PREFIX + rule for rule in manifest["answers"][control])
    found = frozenset(
        rule.id for rule in RULES if control in {str(reference) for reference in rule.references}
    )
    if not found:
        raise Unexplained(
            f"no rule refers to {control}: name the rules that cover it in {MANIFEST}"
        )
    return found


def judge_collection(folder: Path) -> Judged:
    """Run `hardened-ec2 check` on a folder, in a process of its own with a time limit.

    Args:
        folder: The folder of a collection.

    Returns:
        Its verdict, with template paths relative to the folder's parent.

    Raises:
        Unexplained: If it crashes, or cannot judge a template that it could read.
        subprocess.TimeoutExpired: If it exceeds the time limit.
    """
    with tempfile.NamedTemporaryFile(suffix=".json") as output:
        done = subprocess.run(  # noqa: S603 - this project's own command
            [
                *(sys.executable, "-m", "hardened_ec2.cli", "check", str(folder)),
                *("--format", "json", "--output", output.name),
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
        )
        if done.returncode not in (0, 1, 2) or done.stderr:
            raise Unexplained(f"{folder}: ended with {done.returncode}: {done.stderr[-2000:]}")
        told = json.loads(Path(output.name).read_text("utf-8"))
    unreadable: Counter[str] = Counter()
    for each in told["unreadable"]:
        if "cannot be judged" in each["reason"]:
            raise Unexplained(f"{each['template']}: {each['reason']}")
        unreadable[_kind(each["reason"])] += 1
    found: dict[str, set[str]] = {}
    for finding in told["findings"]:
        template = str(Path(finding["template"]).relative_to(folder.parent))
        found.setdefault(template, set()).update(_said(finding))
    return Judged(
        found=found,
        templates=told["summary"]["templates"],
        unreadable=unreadable,
        errors=told["summary"]["errors"],
        warnings=told["summary"]["warnings"],
    )


def _said(finding: dict[str, Any]) -> set[str]:
    """Return the rule of a finding, or the rules that it leaves unverified, marked as such."""
    if finding["rule"] != cannot_verify.id:
        return {finding["rule"]}
    return {_DOUBT + rule for rule in _RULE.findall(finding["message"])}


def _kind(reason: str) -> str:
    """Return a reason without the details of one template."""
    for start in ("it is not JSON", "it is not YAML", "its Resources section is empty"):
        if reason.startswith(start):
            return start
    if "appears twice" in reason:
        return "a key appears twice"
    return "it is not a template: a section or a resource is malformed, or it exceeds a limit"


def differs(expected: Expectation, judged: Judged, rules: frozenset[str]) -> bool:
    """Whether the policy's verdict differs from what a checker's test expects.

    "Not verified" counts as a finding where one is expected, if the rule covers the control; where
    none is expected, it does not.

    Args:
        expected: The expectation.
        judged: The policy's verdict on the collection.
        rules: The rules that cover the control.

    Returns:
        Whether it differs.
    """
    found = judged.found.get(expected.path, set())
    if expected.finding:
        return not found & (rules | {_DOUBT + rule for rule in rules})
    return bool(found & rules)


def table(folder: Path) -> str:
    """Judge every collection and return the comparison.

    Args:
        folder: The folder of collections.

    Returns:
        The document, in Markdown.

    Raises:
        Unexplained: If a verdict differs without a reason, or agrees and has one.
    """
    manifest = tomllib.loads(MANIFEST.read_text("utf-8"))
    judged = {name: judge_collection(folder / name) for name in manifest["collections"]}
    compared: Counter[str] = Counter()
    agreed: Counter[str] = Counter()
    reasons: dict[str, list[Expectation]] = {}
    for each in expectations(manifest):
        if not (folder / each.path).is_file():
            raise Unexplained(f"{each.path} is not in {folder}")
        checker = each.control.partition(" ")[0]
        compared[checker] += 1
        collection = judged[each.path.partition("/")[0]]
        if not differs(each, collection, answers(each.control, manifest)):
            agreed[checker] += 1
            if each.because:
                raise Unexplained(f"{each.path} has a reason and agrees with {each.control}")
        elif not each.because:
            raise Unexplained(
                f"{each.path}: {each.control} expects {_FINDING if each.finding else _NONE}, and "
                f"the policy found {sorted(collection.found.get(each.path, ()))}"
            )
        else:
            reasons.setdefault(each.because, []).append(each)
    return "\n".join(_lines(manifest, judged, compared, agreed, reasons)) + "\n"


def _lines(
    manifest: dict[str, Any],
    judged: dict[str, Judged],
    compared: Counter[str],
    agreed: Counter[str],
    reasons: dict[str, list[Expectation]],
) -> Iterator[str]:
    yield "# The policy compared with other checkers, on their own templates"
    yield ""
    yield (
        "Generated by `make comparison TEMPLATES=FOLDER` from public templates, which were fetched "
        "for the comparison and are not part of this project. No template crashed the check or "
        "exceeded its time limit."
    )
    yield ""
    yield "## What was judged"
    yield ""
    yield "| collection | judged | errors | warnings | unreadable |"
    yield "| --- | --- | --- | --- | --- |"
    for name, what in manifest["collections"].items():
        each = judged[name]
        counts = f"{each.templates} | {each.errors} | {each.warnings}"
        unreadable = "; ".join(f"{count}: {why}" for why, count in sorted(each.unreadable.items()))
        yield f"| {what} | {counts} | {unreadable or '0'} |"
    yield ""
    yield "## Verdicts that the checkers' own tests expect"
    yield ""
    yield "| checker | compared | the same | different, each explained below |"
    yield "| --- | --- | --- | --- |"
    for checker, count in sorted(compared.items()):
        yield f"| {checker} | {count} | {agreed[checker]} | {count - agreed[checker]} |"
    yield ""
    yield (
        "Two verdicts are the same if, where a test expects a finding, a policy rule that covers "
        "the control is violated or not verified; and where a test expects none, no such rule is "
        'violated. A checker\'s "unknown" counts as none.'
    )
    yield ""
    yield "## Why the policy's verdict differs"
    yield ""
    yield "| templates | expected | why the policy differs |"
    yield "| --- | --- | --- |"
    for key, why in manifest["reasons"].items():
        if key in reasons:
            yield f"| {_named(reasons[key])} | {_wanted(reasons[key])} | {why} |"


def _named(expected: Sequence[Expectation]) -> str:
    return "<br>".join(f"`{path}`" for path in dict.fromkeys(each.path for each in expected))


def _wanted(expected: Sequence[Expectation]) -> str:
    wanted = (f"{each.control}: {_FINDING if each.finding else _NONE}" for each in expected)
    return "<br>".join(dict.fromkeys(wanted))


def main(arguments: Sequence[str]) -> int:
    """Write the document.

    Args:
        arguments: The folder of collections and the file to write.

    Returns:
        The exit code.
    """
    folder, file = arguments
    try:
        text = table(Path(folder))
    except Unexplained as error:
        sys.stderr.write(f"{error}\n")
        return 1
    Path(file).write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
