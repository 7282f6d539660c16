"""The policy on public templates: no crash, and every verdict that others expect otherwise.

    make comparison TEMPLATES=FOLDER

FOLDER holds a folder for each collection of ``comparison.toml``. The templates are others', so they
are fetched for the study and not kept here; the table in ``docs/`` is what came of it.
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
    """What a checker's own test expects of one template.

    Args:
        control: The checker and its control.
        path: The template, in the folder of collections.
        finding: Whether it expects a finding.
        because: The key of the reason why this policy says otherwise. Empty if it does not.
    """

    control: str
    path: str
    finding: bool
    because: str


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What the command says of one collection.

    Args:
        found: The rules that found something in a template, or could not verify it, by template.
        templates: How many were judged.
        unusable: Why others were not, and how many.
        errors: How many errors.
        warnings: How many warnings.
    """

    found: dict[str, set[str]]
    templates: int
    unusable: Counter[str]
    errors: int
    warnings: int


def expectations(manifest: dict[str, Any]) -> Iterator[Expectation]:
    """Yield what the manifest says that checkers expect.

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
    """Return the rules of this policy that answer a control.

    Args:
        control: The checker and its control.
        manifest: The content of ``comparison.toml``, for controls that no rule names.

    Returns:
        Their ids.

    Raises:
        Unexplained: If neither knows the control.
    """
    if control in manifest["answers"]:
        return frozenset(_PREFIX + rule for rule in manifest["answers"][control])
    found = frozenset(
        rule.id for rule in RULES if control in {str(reference) for reference in rule.references}
    )
    if not found:
        raise Unexplained(f"no rule refers to {control}: name those that answer it in {MANIFEST}")
    return found


def judge_collection(folder: Path) -> Judged:
    """Run `hardened-ec2 check` on a folder, in a process of its own and within a time.

    Args:
        folder: The folder of a collection.

    Returns:
        What it says, templates named by their path under the folder's parent.

    Raises:
        Unexplained: If it crashes, hangs, or gives up on a template that it could read.
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
    unusable: Counter[str] = Counter()
    for each in told["unreadable"]:
        if "cannot be judged" in each["reason"]:
            raise Unexplained(f"{each['template']}: {each['reason']}")
        unusable[_kind(each["reason"])] += 1
    found: dict[str, set[str]] = {}
    for finding in told["findings"]:
        template = str(Path(finding["template"]).relative_to(folder.parent))
        found.setdefault(template, set()).update(_said(finding))
    return Judged(
        found=found,
        templates=told["summary"]["templates"],
        unusable=unusable,
        errors=told["summary"]["errors"],
        warnings=told["summary"]["warnings"],
    )


def _said(finding: dict[str, Any]) -> set[str]:
    """Return the rule that found something, or each that could not be verified, marked as such."""
    if finding["rule"] != cannot_verify.id:
        return {finding["rule"]}
    return {_DOUBT + rule for rule in _RULE.findall(finding["message"])}


def _kind(reason: str) -> str:
    """Return a reason without what only one template has."""
    for start in ("it is not JSON", "it is not YAML", "its Resources section is empty"):
        if reason.startswith(start):
            return start
    if "appears twice" in reason:
        return "a key appears twice"
    return "it is no template: a section or a resource is malformed, or there is too much of it"


def differs(expected: Expectation, judged: Judged, rules: frozenset[str]) -> bool:
    """Tell whether the policy says otherwise than a checker's test expects.

    A doubt is a finding, where one is expected, if a rule that answers the control could have had
    it; where none is expected it is no finding: the policy says that it does not know.

    Args:
        expected: The expectation.
        judged: What the policy says of the collection.
        rules: The rules that answer the control.

    Returns:
        Whether it does.
    """
    found = judged.found.get(expected.path, set())
    if expected.finding:
        return not found & (rules | {_DOUBT + rule for rule in rules})
    return bool(found & rules)


def table(folder: Path) -> str:
    """Judge every collection and lay out what came of it.

    Args:
        folder: The folder of collections.

    Returns:
        The document, in Markdown.

    Raises:
        Unexplained: If a verdict differs without a reason, or a reason is given where none does.
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
    yield "# The policy beside other checkers, on their own templates"
    yield ""
    yield (
        "Written by `make comparison TEMPLATES=FOLDER`, from public templates that were fetched "
        "for the study and are not part of this project. No template crashed the check or took it "
        "past its time."
    )
    yield ""
    yield "## What was judged"
    yield ""
    yield "| collection | judged | errors | warnings | unusable |"
    yield "| --- | --- | --- | --- | --- |"
    for name, what in manifest["collections"].items():
        each = judged[name]
        unusable = "; ".join(f"{count}: {why}" for why, count in sorted(each.unusable.items()))
        yield f"| {what} | {each.templates} | {each.errors} | {each.warnings} | {unusable or '0'} |"
    yield ""
    yield "## Verdicts that the checkers' own tests expect"
    yield ""
    yield "| checker | compared | the same | otherwise, each explained below |"
    yield "| --- | --- | --- | --- |"
    for checker, count in sorted(compared.items()):
        yield f"| {checker} | {count} | {agreed[checker]} | {count - agreed[checker]} |"
    yield ""
    yield (
        "The same means: where a test expects a finding, a rule that answers the control finds one "
        "or says that it could not verify; where it expects none, none of those rules has one. "
        'A checker\'s "unknown" counts as none.'
    )
    yield ""
    yield "## Why the policy says otherwise"
    yield ""
    yield "| templates | expected | why not |"
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
