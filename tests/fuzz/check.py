"""What has to hold of every template: no crash, bounded time, one verdict whatever its format."""

import json
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

import yaml

from hardened_ec2.policy import Template, UnreadableTemplate, judge
from hardened_ec2.policy.read.decoding import UndecodableText, decode
from tests.fuzz.mutation import mutated
from tests.fuzz.short_form import short_form

MAX_SECONDS: Final = 5.0
"""CPU seconds for the three verdicts on one template."""

_LONG: Final = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

Verdict = tuple[str, ...]


@dataclass(frozen=True)
class Failure:
    """A template for which it does not hold.

    Args:
        what: What is wrong, in one line.
        document: The template, as JSON.
    """

    what: str
    document: str


def fuzz(begin: Sequence[dict[str, Any]], count: int, seed: int) -> Iterator[Failure | None]:
    """Judge templates made from others.

    Args:
        begin: What they are made from.
        count: How many.
        seed: Which; the same seed makes the same templates.

    Yields:
        For each, what is wrong with the judgement; none when nothing is.
    """
    random = Random(seed)  # noqa: S311 - not for secrets
    for _ in range(count):
        yield check(mutated(random.choice(begin), random))


def check(document: dict[str, Any]) -> Failure | None:
    """Judge one template in every form, and say what is wrong with the judgement."""
    text = json.dumps(document)
    started = time.process_time()
    try:
        verdicts = verdicts_on(
            {
                "JSON": text,
                "YAML": yaml.dump(document, Dumper=_LONG, sort_keys=False, allow_unicode=True),
                "short YAML": short_form(document),
            }
        )
    except Exception as error:  # noqa: BLE001 - any exception is what is looked for
        cause = error.__cause__ or error
        where = traceback.extract_tb(cause.__traceback__)[-1]
        what = f"{type(cause).__name__} at {where.filename}:{where.lineno}: {error}"
        return Failure(" ".join(what.split()), text)
    if time.process_time() - started > MAX_SECONDS:
        return Failure(f"it takes {time.process_time() - started:.1f} s", text)
    if len(set(verdicts.values())) > 1:
        return Failure(_difference(verdicts), text)
    return None


def verdicts_on(texts: dict[str, str]) -> dict[str, Verdict]:
    """Judge texts; what is decoded to the very same document is judged once."""
    known: dict[str, Verdict] = {}
    found: dict[str, Verdict] = {}
    for name, text in texts.items():
        try:
            document = decode(text)
        except UndecodableText as error:
            found[name] = (f"undecodable: {error}",)
            continue
        same = json.dumps(document)
        if same not in known:
            known[same] = _verdict(document)
        found[name] = known[same]
    return found


def _verdict(document: Any) -> Verdict:  # noqa: ANN401 - decoded JSON
    try:
        template = Template(name="t", document=document)
    except UnreadableTemplate as error:
        return (error.reason,)
    return tuple(f"{f.rule} {f.place} {f.message}" for f in judge([template]))


def _difference(verdicts: dict[str, Verdict]) -> str:
    first = set(verdicts["JSON"])
    for name, other in verdicts.items():
        for finding in sorted(first ^ set(other)):
            which = "JSON" if finding in first else name
            return f"only as {which}, not as {'JSON' if which == name else name}: {finding}"
    return "the order of findings differs"
