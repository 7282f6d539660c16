"""The comparison with other checkers: what counts as the same, and that all else is explained."""

import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from benchmarks.comparison import (
    MANIFEST,
    Expectation,
    Judged,
    Unexplained,
    answers,
    differs,
    expectations,
    judge_collection,
)

OPEN = """\
Resources:
  Group:
    Type: AWS::EC2::SecurityGroup
    Properties:
      GroupDescription: open
      SecurityGroupIngress: [{IpProtocol: tcp, FromPort: 22, ToPort: 22, CidrIp: 0.0.0.0/0}]
"""
ADMIN = frozenset({"HardenedEc2-AdminPortOpenToWorld"})


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    return tomllib.loads(MANIFEST.read_text("utf-8"))


def test_every_expectation_can_be_answered(manifest: dict[str, Any]) -> None:
    told = [*expectations(manifest)]
    assert len(told) > 100
    assert {each.because for each in told} - {""} == {*manifest["reasons"]}
    assert all(each.path.partition("/")[0] in manifest["collections"] for each in told)
    for each in told:
        answers(each.control, manifest)


def test_no_template_is_expected_to_have_a_finding_and_none(manifest: dict[str, Any]) -> None:
    counted = Counter((each.control, each.path) for each in expectations(manifest))
    assert set(counted.values()) == {1}


def test_the_rules_name_the_controls_that_they_answer(manifest: dict[str, Any]) -> None:
    assert answers("checkov CKV_AWS_24", manifest) == ADMIN
    with pytest.raises(Unexplained, match="no rule refers to checkov CKV_AWS_0"):
        answers("checkov CKV_AWS_0", manifest)


@pytest.mark.parametrize(
    ("said", "finding", "other"),
    [
        ({"HardenedEc2-AdminPortOpenToWorld"}, True, False),
        ({"HardenedEc2-AdminPortOpenToWorld"}, False, True),
        ({"HardenedEc2-ImplicitEgress"}, True, True),
        ({"HardenedEc2-ImplicitEgress"}, False, False),
        ({"could not verify HardenedEc2-AdminPortOpenToWorld"}, True, False),
        ({"could not verify HardenedEc2-AdminPortOpenToWorld"}, False, False),
        ({"could not verify HardenedEc2-ImdsHopLimit"}, True, True),
        (set(), True, True),
    ],
)
def test_what_counts_as_the_same(said: set[str], *, finding: bool, other: bool) -> None:
    expected = Expectation(control="a b", path="c/d.yaml", finding=finding, because="")
    judged = Judged(
        found={"c/d.yaml": said}, templates=1, unreadable=Counter(), errors=0, warnings=0
    )
    assert differs(expected, judged, ADMIN) is other


def test_a_collection_is_judged_by_the_command(tmp_path: Path) -> None:
    (tmp_path / "some").mkdir()
    (tmp_path / "some" / "open.yaml").write_text(OPEN)
    (tmp_path / "some" / "broken.json").write_text('{"AWSTemplateFormatVersion": "2010-09-09", {')
    judged = judge_collection(tmp_path / "some")
    assert "HardenedEc2-AdminPortOpenToWorld" in judged.found["some/open.yaml"]
    assert (judged.templates, judged.errors) == (1, 1)
    assert judged.unreadable == {"it is not JSON": 1}


def test_a_crash_is_not_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    crashing = tmp_path / "python"
    crashing.write_text("#!/bin/sh\necho Traceback >&2\nexit 1\n")
    crashing.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(crashing))
    with pytest.raises(Unexplained, match="ended with 1: Traceback"):
        judge_collection(tmp_path)
