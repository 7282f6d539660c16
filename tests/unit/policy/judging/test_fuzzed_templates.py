"""A short run of the fuzzer, and proof that it would see what it looks for."""

import json
from random import Random
from typing import Any

import pytest
import yaml

from hardened_ec2.policy.read.decoding import decode
from tests.fuzz import check as fuzzing
from tests.fuzz.check import Failure, check, fuzz
from tests.fuzz.mutation import mutated
from tests.fuzz.seeds import seeds
from tests.fuzz.short_form import short_form

pytestmark = pytest.mark.fuzz

SEEDS = seeds()


def with_attributes_split(node: Any) -> Any:  # noqa: ANN401 - decoded JSON
    """Return a document as YAML's short form has it: ``!GetAtt A.B`` is a list."""
    if isinstance(node, list):
        return [with_attributes_split(each) for each in node]
    if not isinstance(node, dict):
        return node
    dotted = node.get("Fn::GetAtt")
    if len(node) == 1 and isinstance(dotted, str):
        return {"Fn::GetAtt": dotted.split(".", 1)}
    return {key: with_attributes_split(value) for key, value in node.items()}


def test_templates_that_nobody_wrote_are_judged_alike_in_every_format() -> None:
    assert [outcome for outcome in fuzz(SEEDS, 150, seed=7) if outcome is not None] == []


def test_the_same_seed_makes_the_same_templates() -> None:
    def made(seed: int) -> str:
        return json.dumps(mutated(SEEDS[0], Random(seed)))  # noqa: S311 - not for secrets

    assert made(1) == made(1)
    assert made(1) != made(2)


def test_the_short_form_is_short_and_decodes_to_the_same() -> None:
    for seed in SEEDS:
        text = short_form(seed)
        assert decode(text) == with_attributes_split(seed)
        assert "!Ref" in text
        assert "Fn::GetAtt" not in text


def test_a_crash_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(_: object) -> None:
        raise KeyError("Type")

    monkeypatch.setattr(fuzzing, "judge", failing)
    failure = check(SEEDS[0])
    assert isinstance(failure, Failure)
    assert failure.what.startswith("KeyError at ")
    assert json.loads(failure.document) == SEEDS[0]


def test_a_verdict_that_depends_on_the_format_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(text: str) -> Any:  # noqa: ANN401 - decoded YAML
        return json.loads(text) if text.startswith("{") else yaml.safe_load(text.replace("22", "9"))

    monkeypatch.setattr(fuzzing, "decode", careless)
    monkeypatch.setattr(fuzzing, "short_form", yaml.safe_dump)
    wide = {"Resources": SEEDS[0]["Resources"] | {"Group": open_group()}}
    failure = check(wide)
    assert failure is not None
    assert failure.what.startswith("only as JSON, not as YAML: ")


def open_group() -> dict[str, Any]:
    rule = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIp": "0.0.0.0/0"}
    return {"Type": "AWS::EC2::SecurityGroup", "Properties": {"SecurityGroupIngress": [rule]}}


def test_a_judgement_that_takes_too_long_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzzing, "MAX_SECONDS", 0.0)
    failure = check(SEEDS[0])
    assert failure is not None
    assert failure.what.startswith("it takes ")
