"""Every report uses the same words for a verdict, and counts them the same."""

import json
import re

import pytest

from hardened_ec2.cli.check import FORMATS
from hardened_ec2.policy import RULES
from hardened_ec2.policy.judging.baseline import Accepted, Baseline
from hardened_ec2.policy.judging.collection import Collection
from hardened_ec2.policy.judging.verdict import Standing, Verdict, verdict
from hardened_ec2.policy.read.template import UnreadableTemplate
from hardened_ec2.policy.report.html import as_html
from hardened_ec2.policy.report.sarif import as_sarif
from hardened_ec2.policy.report.summary import finding_counts, rule_counts
from hardened_ec2.policy.report.text_and_json import as_json, as_text
from tests.unit.policy.templates import SOUND, instance, template


@pytest.fixture
def judged() -> Verdict:
    """One rule or more for every word, and a finding of every kind."""
    resources = {
        **SOUND,
        "Server": instance(
            KeyName="mine",
            MetadataOptions={"HttpTokens": "optional", "HttpPutResponseHopLimit": 1},
            InstanceType={"Ref": "Kind"},
            DisableApiTermination=False,
        ),
    }
    key_pair = Accepted(
        rule="HardenedEc2-KeyPair",
        template="app.template.json",
        logical_id="Server",
        reason="Break glass.",
    )
    collection = Collection(
        templates=(template(resources),),
        unreadable=(UnreadableTemplate("broken.yaml", "it is empty"),),
    )
    return verdict(collection, baseline=Baseline(accepted=(key_pair,)))


def words(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html))


def test_every_rule_and_every_finding_is_counted_once(judged: Verdict) -> None:
    rules = rule_counts(judged)
    assert all(rules.values())
    assert sum(rules.values()) == len(RULES)
    counts = finding_counts(judged)
    assert all(counts.values())
    kinds = ("errors", "warnings", "not verified", "accepted")
    findings = len(judged.findings) + len(judged.accepted)
    assert sum(counts[kind] for kind in kinds) == findings


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_reports_findings_accepted_ones_and_unreadable_inputs(
    judged: Verdict, form: str
) -> None:
    report = FORMATS[form](judged)
    assert all(finding.rule in report for finding in judged.violations)
    assert all(finding.path in report for finding in judged.not_verified)
    assert "Break glass." in report
    assert "broken.yaml" in report


def test_all_reports_count_rules_the_same(judged: Verdict) -> None:
    counts = rule_counts(judged)
    spelled = ", ".join(f"{word} {number}" for word, number in counts.items())
    assert f"rules: {spelled}\n" in as_text(judged)
    assert f"policy rules: {spelled}." in words(as_html(judged))
    assert json.loads(as_json(judged))["summary"]["rules"] == counts
    assert json.loads(as_sarif(judged))["runs"][0]["properties"]["rules"] == counts


def test_all_reports_count_findings_the_same(judged: Verdict) -> None:
    counts = finding_counts(judged)
    errors, warnings = counts["errors"], counts["warnings"]
    unverified, accepted = counts["not verified"], counts["accepted"]
    some = f"{warnings} warning{'' if warnings == 1 else 's'}, {unverified} not verified"
    assert f"{some}, {accepted} accepted, 1 unreadable\n" in as_text(judged)
    page = words(as_html(judged))
    assert f"1 unreadable. In the rest: {errors} error, {some}, {accepted} accepted" in page
    summary = json.loads(as_json(judged))["summary"]
    assert {word: summary[word] for word in counts} == counts
    properties = json.loads(as_sarif(judged))["runs"][0]["properties"]
    assert {word: properties[word] for word in counts} == counts


def test_lines_of_text_and_results_of_sarif_add_up_to_the_counts(judged: Verdict) -> None:
    counts = finding_counts(judged)
    lines = as_text(judged).splitlines()
    labels = {"ERROR": "errors", "WARNING": "warnings"}
    for label in ("ERROR", "WARNING", "NOT VERIFIED", "ACCEPTED", "UNREADABLE"):
        found = [line for line in lines if line.startswith(f"{label} ")]
        assert len(found) == counts[labels.get(label, label.lower())]
    results = json.loads(as_sarif(judged))["runs"][0]["results"]
    verdicts = [result["properties"]["verdict"] for result in results]
    assert verdicts.count("violated") == counts["errors"] + counts["warnings"]
    assert verdicts.count("not verified") == counts["not verified"]
    assert verdicts.count("accepted") == counts["accepted"]


def test_all_reports_give_each_rule_the_same_word(judged: Verdict) -> None:
    expected = {rule.id: judged.standing(rule).value for rule in RULES}
    assert json.loads(as_json(judged))["rules"] == expected
    rules = json.loads(as_sarif(judged))["runs"][0]["tool"]["driver"]["rules"]
    assert {rule["id"]: rule["properties"]["verdict"] for rule in rules} == expected
    page = as_html(judged)
    holds = page.partition('<h2 id="holds">')[2].partition("<h3>")[0]
    held = {rule for rule, word in expected.items() if word == Standing.HOLDS}
    assert set(re.findall(r"HardenedEc2-\w+", holds)) == held


def test_what_was_not_read_is_no_rule_s_verdict() -> None:
    found = verdict(Collection(templates=(), unreadable=(UnreadableTemplate("a", "b"),)))
    assert rule_counts(found)["nothing to examine"] == len(RULES)
    assert finding_counts(found)["unreadable"] == 1
