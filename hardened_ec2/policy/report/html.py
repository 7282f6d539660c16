"""A verdict as one HTML file, as evidence for an audit.

Its Content Security Policy forbids scripts and requests, so text from a template stays text. Its
size is bounded; what is left out is counted.
"""

import base64
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from hardened_ec2.policy.facts.access import MAX_CHAINS
from hardened_ec2.policy.facts.servers import Server
from hardened_ec2.policy.facts.ways import Answer, Origin
from hardened_ec2.policy.findings import PACK_NAME, Finding, Severity
from hardened_ec2.policy.judging.baseline import Accepted
from hardened_ec2.policy.judging.verdict import Standing, Verdict
from hardened_ec2.policy.read.template import Template
from hardened_ec2.policy.report.compliance import matrix
from hardened_ec2.policy.report.picture import Picture, draw, spelled_senders
from hardened_ec2.policy.report.release import release
from hardened_ec2.policy.report.summary import finding_counts, rule_counts
from hardened_ec2.policy.report.visible import visible
from hardened_ec2.policy.resolve.scenarios import spelled_when
from hardened_ec2.policy.resolve.values import Place, Reference, as_bool, why_unknown
from hardened_ec2.policy.rules import RULES
from hardened_ec2.policy.rules.case import Case
from hardened_ec2.policy.rules.rule import Rule

MAX_PICTURES: Final = 50
"""Pictures in a report, most exposed servers first; servers reached in the same way share one."""

MAX_ROWS: Final = 500
"""Rows of a table."""

MAX_PLACES: Final = 100
"""Listed findings of one rule."""

_FOLDER: Final = Path(__file__).parent
_CLASSES: Final = {
    Origin.INTERNET: "internet",
    Origin.UNKNOWN: "unknown",
    Origin.BALANCER: "balancer-origin",
    Origin.INDIRECT: "indirect",
    Origin.PUBLIC: "public",
    Origin.BLOCKED: "blocked",
    Origin.INSIDE: "inside",
    None: "nobody",
}
_MARKS: Final = {
    Standing.VIOLATED: "✗ violated",
    Standing.UNVERIFIED: "? not verified",
    Standing.ACCEPTED: "○ accepted",
    Standing.HOLDS: "✓ holds",
    Standing.NOTHING: "- nothing to examine",
}


@dataclass(frozen=True, kw_only=True)
class Reached:
    """Servers that are reached in the same way; the picture shows the first.

    Args:
        case: The deployment.
        server: The first server.
        alike: The other servers.
        answer: The ways to them.
        facts: Their subnet, public address and Auto Scaling group, in words.
        picture: The picture.
    """

    case: Case
    server: Server
    alike: tuple[Server, ...]
    answer: Answer
    facts: tuple[str, ...]
    picture: Picture


def as_html(verdict: Verdict, *, made: datetime | None = None) -> str:
    """Return a verdict as HTML.

    Args:
        verdict: The verdict.
        made: When the report is generated. Default: now.

    Returns:
        One document: the ways to each server, as a picture and as a table; the findings by rule;
        what could not be verified; the accepted findings with their reasons; the rules that hold,
        each with the number of resources examined; the verdict on the controls of every framework.

    Source: WHATWG, "HTML Living Standard"; W3C, "Content Security Policy Level 3" and "Web Content
        Accessibility Guidelines (WCAG) 2.2".

    Example:
        >>> "<script" in as_html(verdict)
        False
    """
    style = (_FOLDER / "page.css").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    reached = sorted(_reached(verdict), key=lambda each: _rank(each.answer))
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            style=Markup(style),  # noqa: S704 - our own file, without text from templates
            style_digest=digest,
            made=(made or datetime.now(tz=UTC)).strftime("%Y-%m-%d %H:%M UTC"),
            release=release(),
            verdict=verdict,
            counts=finding_counts(verdict),
            rule_counts=rule_counts(verdict),
            severities=list(Severity),
            by_rule=list(_by_rule(verdict.violations)),
            reached=reached,
            servers=sum(1 + len(each.alike) for each in reached),
            from_internet=_count(reached, Origin.INTERNET),
            others=[each for each in verdict.acknowledged if each.pack != PACK_NAME],
            templates=[t for case in verdict.cases for t in case.deployment.templates],
            rules=RULES,
            standings=verdict.standings,
            matrix=matrix(verdict),
            settings=verdict.cases[0].settings if verdict.cases else None,
        )
    )


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalized,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        Standing=Standing,
        Origin=Origin,
        marks=_MARKS,
        classes=_CLASSES,
        max_pictures=MAX_PICTURES,
        max_rows=MAX_ROWS,
        max_places=MAX_PLACES,
        max_chains=MAX_CHAINS,
        spelled_when=spelled_when,
        spelled_senders=spelled_senders,
        accepted_by=_accepted_by,
        resources_of=_resources_of,
        lines=_line,
        construct=_construct,
    )
    return environment


def _finalized(value: object) -> object:
    """Pass every text that the page writes through `visible`."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _reached(verdict: Verdict) -> Iterator[Reached]:
    """Yield the servers, grouped by the ways to them."""
    for case in verdict.cases:
        alike: dict[object, list[Server]] = {}
        answers: dict[object, tuple[Answer, tuple[str, ...]]] = {}
        for server in case.servers:
            answer, facts = case.access.to(server), tuple(_facts(case, server))
            # The picture does not show where the ingress rules are, so that is no difference.
            ways = tuple(
                (w.senders, w.stations, w.protocol, w.ports, w.arrives, w.unknown, w.when)
                for w in answer.ways
            )
            key = (server.kind, ways, facts)
            alike.setdefault(key, []).append(server)
            answers.setdefault(key, (answer, facts))
        for shown, (first, *others) in alike.items():
            answer, facts = answers[shown]
            yield Reached(
                case=case,
                server=first,
                alike=tuple(others),
                answer=answer,
                facts=facts,
                picture=draw(answer, first.resource.logical_id, facts[0]),
            )


def _facts(case: Case, server: Server) -> Iterator[str]:
    private = case.placement.is_private(server, None)
    kinds = {True: "private subnet", False: "public subnet", None: "subnet not known"}
    yield kinds[private]
    addresses = case.placement.public_addresses(server)
    given = [why for value, why in addresses if as_bool(value.content) is True]
    if given:
        yield f"public address: {'; '.join(dict.fromkeys(given))}"
    elif addresses:
        reasons = dict.fromkeys(why_unknown(value.content) or why for value, why in addresses)
        yield f"public address not known: {'; '.join(reasons)}"
    else:
        yield "no public address in the templates"
    if server.fleets:
        yield f"launched by {', '.join(fleet.logical_id for fleet in server.fleets)}"


def _rank(answer: Answer) -> int:
    return len(Origin) if answer.origin is None else answer.origin.rank


def _count(reached: Sequence[Reached], origin: Origin) -> int:
    return sum(1 + len(each.alike) for each in reached if each.answer.origin is origin)


def _by_rule(findings: Sequence[Finding]) -> Iterator[tuple[Rule, list[Finding]]]:
    """Yield each rule that has findings, with these; errors first."""
    found: dict[str, list[Finding]] = {}
    for finding in findings:
        found.setdefault(finding.rule, []).append(finding)
    for severity in Severity:
        for rule in RULES:
            if rule.severity is severity and rule.id in found:
                yield rule, found[rule.id]


def _accepted_by(entry: Accepted) -> str:
    return f"the app, at {entry.where}" if entry.where else "the baseline"


def _resources_of(template: Template) -> int:
    return len(template.resources)


def _line(case: Case, place: Place) -> str:
    """Return the template, line, resource and property of an ingress rule."""
    template = next((t for t in case.deployment.templates if t.name == place.template), None)
    line = None if template is None else template.line(place.logical_id, place.path)
    return f"{place.template}{f':{line}' if line else ''} {place}"


def _construct(verdict: Verdict, finding: Finding) -> str:
    """Return the path of the construct behind a resource; empty without the CDK."""
    for case in verdict.cases:
        resource = case.deployment.find(Reference(finding.template, finding.logical_id))
        metadata = (resource.raw.get("Metadata") or {}) if resource is not None else {}
        path = metadata.get("aws:cdk:path")
        if isinstance(path, str):
            return path
    return ""
