"""The HTML report: complete, closed to the outside, closed to what templates say, bounded."""

import base64
import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from hardened_ec2.policy import RULES, Template
from hardened_ec2.policy.judging.baseline import Accepted, Baseline
from hardened_ec2.policy.judging.collection import Collection, collect
from hardened_ec2.policy.judging.validation_report import Acknowledgement
from hardened_ec2.policy.judging.verdict import Standing, Verdict, verdict
from hardened_ec2.policy.read.template import UnreadableTemplate
from hardened_ec2.policy.report.html import MAX_PICTURES, MAX_PLACES, as_html
from hardened_ec2.policy.report.visible import MAX_TEXT, visible
from hardened_ec2.policy.rules.rule import Framework
from tests.unit.policy.templates import (
    SOUND,
    get_att,
    group,
    instance,
    rule,
    server,
    server_with,
    template,
)

MADE = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)
EVIL = "<script>alert(1)</script>\"'>{{ 7 * 7 }}{% raw %}<!--]]>\u202e\u0000\ud800"


class Page(HTMLParser):
    """Reads what a browser or an assistive program needs, and fails on what is malformed."""

    VOID = frozenset({"meta", "br", "hr", "img", "link", "input"})
    DRAWN = frozenset({"rect", "line", "path", "circle"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text
        self.open: list[str] = []
        self.tags: dict[str, list[dict[str, str | None]]] = {}
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.setdefault(tag, []).append(dict(attrs))
        if tag not in self.VOID | self.DRAWN:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.setdefault(tag, []).append(dict(attrs))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    @property
    def attributes(self) -> list[tuple[str, str | None]]:
        return [pair for each in self.tags.values() for tag in each for pair in tag.items()]

    @property
    def words(self) -> str:
        body = re.sub(r"(?s)<style>.*</style>", "", self.text)
        return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", body))

    def section(self, name: str) -> str:
        return self.words_of(self.text.partition(f'<h2 id="{name}">')[2].partition("</section>")[0])

    @staticmethod
    def words_of(text: str) -> str:
        return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", text))


def judged(resources: Mapping[str, Any], **more: Any) -> Verdict:  # noqa: ANN401
    return verdict(Collection(templates=(template(resources),), unreadable=(), **more))


def page(found: Verdict) -> Page:
    return Page(as_html(found, made=MADE))


def test_it_fetches_nothing_and_runs_nothing() -> None:
    read = page(judged(server_with(rule("0.0.0.0/0"))))
    (policy,) = (each for each in read.tags["meta"] if "http-equiv" in each)
    (style,) = re.findall(r"(?s)<style>(.*?)</style>", read.text)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy["content"] == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    assert "url(" not in style
    assert "@import" not in style
    assert read.tags.keys().isdisjoint({"script", "link", "img", "iframe", "object", "form"})
    assert all(
        (value or "").startswith("#") for name, value in read.attributes if name in ("href", "src")
    )
    # The policy would refuse them, and the console say so.
    assert all(name != "style" and not name.startswith("on") for name, _ in read.attributes)


def test_every_link_leads_somewhere_and_every_id_is_one() -> None:
    read = page(judged(server_with(rule("0.0.0.0/0"), rule("10.0.0.0/8", ports=(443, 443)))))
    ids = [value for name, value in read.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    targets = {(value or "")[1:] for name, value in read.attributes if name == "href"}
    assert targets <= set(ids)
    named = {value for name, value in read.attributes if name == "aria-labelledby"}
    assert named <= set(ids)


def test_every_table_has_headers() -> None:
    read = page(judged(server_with(rule("0.0.0.0/0"))))
    assert len(read.tags["table"]) == len(read.tags["thead"])
    assert all(cell.get("scope") in ("col", "row") for cell in read.tags["th"])


def test_the_picture_and_the_table_say_the_same() -> None:
    read = page(judged(server_with(rule("203.0.113.0/28"), rule("10.0.0.0/8", ports=(443, 443)))))
    lanes = [each for each in read.tags["a"] if each.get("aria-label")]
    assert [lane["href"] for lane in lanes] == ["#s1w1", "#s1w2", "#s1"]
    assert lanes[0]["aria-label"] == (
        "Allowed, but without a route from the internet: 203.0.113.0/28 (16 public addresses), "
        "through group Group, to tcp port 22 of Server; the internet has no route to it"
    )
    words = read.section("servers")
    assert "203.0.113.0/28 16 public addresses tcp port 22 group Group" in words
    assert "app.template.json Group Properties.SecurityGroupIngress.0" in words


def test_a_server_that_nobody_reaches_says_so() -> None:
    words = page(judged(server_with())).section("servers")
    assert "Server no ingress" in words
    assert "Its security groups allow no ingress." in words


def test_findings_say_place_fault_reason_fix_and_who_asks() -> None:
    words = page(judged(server(Monitoring=False))).section("findings")
    monitoring = _rule("DetailedMonitoring")
    assert f"{monitoring.id} warning expected {monitoring.fact} why {monitoring.why}" in words
    assert f"fix {monitoring.fix} references" in words
    assert "checkov CKV_AWS_126" in words
    assert "app.template.json Server Properties.Monitoring" in words


def test_lines_and_construct_paths_are_told(tmp_path: Path) -> None:
    file = tmp_path / "open.yaml"
    file.write_text(
        "Resources:\n  Group:\n    Type: AWS::EC2::SecurityGroup\n"
        "    Metadata: {'aws:cdk:path': Stack/Group/Resource}\n    Properties:\n"
        "      SecurityGroupIngress:\n      - {IpProtocol: tcp, FromPort: 22, ToPort: 22,"
        " CidrIp: 0.0.0.0/0}\n"
    )
    read = page(verdict(collect([file])))
    words = read.section("findings")
    assert f"{file} :7" in words
    assert "construct Stack/Group/Resource" in words
    assert hashlib.sha256(file.read_bytes()).hexdigest() in read.section("inputs")


def test_what_could_not_be_verified_stands_apart() -> None:
    found = judged({**SOUND, "Server": instance(InstanceType={"Ref": "Kind"})})
    read = page(found)
    assert "HardenedEc2-InstanceType" in read.section("unverified")
    assert "HardenedEc2-InstanceType" not in read.section("holds")
    assert "0 errors and 0 warnings." in read.section("findings")
    assert found.standing(_rule("InstanceType")) is Standing.UNVERIFIED


def test_acceptances_keep_their_reasons() -> None:
    entry = Accepted(
        rule="HardenedEc2-KeyPair",
        template="app.template.json",
        logical_id="Server",
        reason="Break glass.",
    )
    other = Acknowledgement(
        pack="AwsSolutions",
        rule="AwsSolutions-EC29",
        construct="Stack/Server",
        template="",
        logical_id="",
        paths=(),
        message="",
        reason="Cattle.",
        where="Stack",
    )
    collection = Collection(
        templates=(template(server(KeyName="x")),), unreadable=(), acknowledged=(other,)
    )
    found = verdict(collection, baseline=Baseline(accepted=(entry,)))
    words = page(found).section("accepted")
    assert "Break glass. the baseline" in words
    assert "AwsSolutions AwsSolutions-EC29 Stack/Server Cattle. Stack" in words
    assert found.standing(_rule("KeyPair")) is Standing.ACCEPTED


def test_a_rule_that_holds_says_how_much_it_examined() -> None:
    found = judged({**SOUND, "Second": instance()})
    words = page(found).section("holds")
    assert f"HardenedEc2-ImdsV2 {_rule('ImdsV2').fact} 2 servers" in words
    assert "HardenedEc2-FleetZones (no Auto Scaling groups)" in words
    assert found.standing(_rule("FleetZones")) is Standing.NOTHING
    assert found.examined(_rule("UserDataSecret")) == 2


def test_the_matrix_has_every_control_with_the_worst_verdict() -> None:
    words = page(judged(server(MetadataOptions={"HttpTokens": "optional"}))).section("compliance")
    for framework in (Framework.SECURITY_HUB, Framework.CIS, Framework.NIST, Framework.PCI):
        assert framework.value in words
    assert (
        "EC2.8 ✗ violated HardenedEc2-ImageBuildMetadata - nothing to examine "
        "HardenedEc2-ImdsV2 ✗ violated"
    ) in words
    for each in RULES:
        for control in each.references:
            assert f" {control.id} " in words
    assert words.index(" EC2.9 ") < words.index(" EC2.13 ")


def test_unreadable_input_is_said_first() -> None:
    unreadable = (UnreadableTemplate("broken.yaml", "it is empty"),)
    read = page(verdict(Collection(templates=(template(SOUND),), unreadable=unreadable)))
    assert "✗ Incomplete 1 unreadable. In the rest: 0 errors" in read.words
    assert "broken.yaml it is empty" in read.section("unreadable")


def test_no_rule_holds_where_nothing_was_judged() -> None:
    words = page(verdict(Collection(templates=(), unreadable=()))).words
    assert f"holds 0, nothing to examine {len(RULES)}." in words
    assert "The templates contain no servers." in words


def test_what_a_template_says_stays_text() -> None:
    resources: dict[str, Any] = dict(server(KeyName=EVIL))
    resources[EVIL] = group(rule("0.0.0.0/0"), GroupDescription=EVIL)
    resources[f"{EVIL}2"] = instance(
        SecurityGroupIds=[get_att(EVIL, "GroupId"), EVIL], SubnetId=EVIL
    )
    found = verdict(
        Collection(
            templates=(Template(name=EVIL, document={"Resources": resources}),),
            unreadable=(UnreadableTemplate(EVIL, EVIL),),
        )
    )
    text = as_html(found, made=MADE)
    assert "<script" not in text
    assert "49" not in re.findall(r"script&gt;[^<]{0,40}", text)[0]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "\\u202e" in text
    assert not {"\u202e", "\u0000", "\ud800"} & set(text)
    text.encode()
    Page(text)


@pytest.mark.parametrize("name", ["مجموعة", "安全组" * 50, "L" * 5000, "a b\tc\nd"])
def test_names_of_every_script_and_length_are_shown(name: str) -> None:
    found = judged({**SOUND, name: group(rule("0.0.0.0/0"))})
    words = page(found).section("findings")
    assert visible(name)[:MAX_TEXT] in words


@pytest.mark.slow
def test_thousands_of_servers_are_a_page_of_bounded_size() -> None:
    resources = dict(SOUND)
    for number in range(MAX_PICTURES + 20):
        resources[f"Group{number}"] = group(rule(f"198.51.100.{number}/32"))
    for number in range(2000):
        resources[f"Server{number}"] = instance(
            SecurityGroupIds=[get_att(f"Group{number % (MAX_PICTURES + 20)}", "GroupId")],
            KeyName="x",
        )
    text = as_html(judged(resources), made=MADE)
    assert len(text) < 700_000
    read = Page(text)
    assert len([each for each in read.tags["svg"] if each.get("class") == "picture"]) == 50
    assert "The same applies to" in read.words
    assert f"And {2000 - MAX_PLACES:,} more findings of this rule" in read.words
    assert "more servers are not drawn" in read.words


def _rule(name: str) -> Any:  # noqa: ANN401
    (found,) = (each for each in RULES if each.id == f"HardenedEc2-{name}")
    return found
