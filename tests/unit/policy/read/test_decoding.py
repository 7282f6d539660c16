"""Templates as text: JSON and YAML say the same, lines are found, nothing is without a limit."""

import itertools
import json
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from hardened_ec2.policy.read.decoding import MAX_DEPTH, UndecodableText, decode, marks
from hardened_ec2.policy.read.json_marks import json_marks
from hardened_ec2.policy.read.marks import Marks

SHORT = """
Conditions:
  Big: !Equals [!Ref Size, big]
Resources:
  Server:
    Type: AWS::EC2::Instance
    Condition: Big
    Properties:
      ImageId: !FindInMap [Images, !Ref "AWS::Region", Id]
      SubnetId: !Select [0, !Split [",", !ImportValue Subnets]]
      SecurityGroupIds: [!GetAtt Group.GroupId, !GetAtt [Other, GroupId]]
      KeyName: !If [Big, !Ref Key, !Ref "AWS::NoValue"]
      UserData: !Base64 {"Fn::Sub": "${AWS::StackName}"}
      Tags: !Join ["", [a, !Sub "b${C}"]]
"""
LONG = {
    "Conditions": {"Big": {"Fn::Equals": [{"Ref": "Size"}, "big"]}},
    "Resources": {
        "Server": {
            "Type": "AWS::EC2::Instance",
            "Condition": "Big",
            "Properties": {
                "ImageId": {"Fn::FindInMap": ["Images", {"Ref": "AWS::Region"}, "Id"]},
                "SubnetId": {
                    "Fn::Select": [0, {"Fn::Split": [",", {"Fn::ImportValue": "Subnets"}]}]
                },
                "SecurityGroupIds": [
                    {"Fn::GetAtt": ["Group", "GroupId"]},
                    {"Fn::GetAtt": ["Other", "GroupId"]},
                ],
                "KeyName": {"Fn::If": ["Big", {"Ref": "Key"}, {"Ref": "AWS::NoValue"}]},
                "UserData": {"Fn::Base64": {"Fn::Sub": "${AWS::StackName}"}},
                "Tags": {"Fn::Join": ["", ["a", {"Fn::Sub": "b${C}"}]]},
            },
        }
    },
}
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8"), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=12,
).map(lambda value: {"Resources": value})


def test_short_forms_are_written_out() -> None:
    assert decode(SHORT) == LONG


def test_a_condition_is_named_by_its_short_form_too() -> None:
    assert decode("A: !Not [!Condition Big]") == {"A": {"Fn::Not": [{"Condition": "Big"}]}}


def test_an_attribute_may_have_dots() -> None:
    assert decode("A: !GetAtt Stack.Outputs.Group") == {
        "A": {"Fn::GetAtt": ["Stack", "Outputs.Group"]}
    }


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2010-09-09", "2010-09-09"),
        ("012345678901", "012345678901"),
        ("22", 22),
        ("'22'", "22"),
        ("true", True),
        ("yes", True),
        ("~", None),
        ("", None),
        ("1.5", 1.5),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("::/0", "::/0"),
        ("!Sub 22", {"Fn::Sub": "22"}),
        ("! plain", "plain"),
    ],
)
def test_scalars_are_what_cloudformation_takes_them_for(written: str, read: object) -> None:
    assert decode(f"A: {written}") == {"A": read}


def test_anchors_and_merges_are_followed() -> None:
    assert decode("A: &a {x: 1, y: 2}\nB: *a\nC: {<<: *a, y: 3}") == {
        "A": {"x": 1, "y": 2},
        "B": {"x": 1, "y": 2},
        "C": {"x": 1, "y": 3},
    }


def test_a_merge_in_quotes_is_a_key_as_any_other() -> None:
    text = "A: &a {x: 1}\nB: {<<: *a}\nC: {'<<': *a}"
    assert decode(text) == {"A": {"x": 1}, "B": {"x": 1}, "C": {"<<": {"x": 1}}}


@settings(deadline=None)
@given(document=DOCUMENTS)
def test_json_and_yaml_of_one_document_are_the_same(document: dict[str, Any]) -> None:
    assert decode(json.dumps(document)) == document
    assert decode(yaml.safe_dump(document)) == document


@pytest.mark.parametrize("text", [SHORT, json.dumps(LONG, indent=1), json.dumps(LONG, indent="\t")])
def test_every_property_has_its_line(text: str) -> None:
    found = marks(text)
    assert found is not None
    lines = text.splitlines()
    for name in ("ImageId", "SubnetId", "UserData"):
        line = found.line_of(("Resources", "Server", "Properties", name))
        assert name in lines[line - 1]
    assert "Server" in lines[found.line_of(("Resources", "Server")) - 1]
    nearest = found.line_of(("Resources", "Server", "Properties", "Nothing", "0"))
    assert "Properties" in lines[nearest - 1]


ALIAS_BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{','.join([f'*{old}'] * 10)}]\n"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
BAD = {
    "tabs": ("A:\n\t- b", "cannot start any token at line 2 column 1"),
    "truncated": ("A: [1,", "it is not YAML: did not find expected node content at line "),
    "truncated JSON": ('{"A": ', "it is not JSON: Expecting value at line 1 column 7"),
    "alias bomb": (ALIAS_BOMB, "more than 2,000,000 values, aliases followed"),
    "alias of itself": ("A: &a [*a]", r"the alias \*a at line 1 refers to no anchor"),
    "unknown alias": ("A: *b", r"the alias \*b at line 1 refers to no anchor"),
    "JSON levels": ("[" * 100_000, "nested too deeply"),
    "YAML levels": ("a: " + "[" * 10_000, f"more than {MAX_DEPTH} levels at line 1"),
    "block levels": (
        "".join(f"{' ' * depth}a:\n" for depth in range(1000)),
        f"more than {MAX_DEPTH} levels at line {MAX_DEPTH + 1}",
    ),
    "key twice": ("A: 1\nA: 2", "the key A appears twice in one object at line 2"),
    "object as key": ("? [b]\n: 3", "a key is not text at line 1"),
    "two documents": ("A: 1\n--- \nB: 2", "a second document at line 2"),
    "control character": ("A: \x00", "control characters are not allowed"),
    "attribute": ("A: !GetAtt Group", "write !GetAtt Group.Attribute"),
    "merge": ("A:\n  <<: 7", "<< merges what is not an object, in the object at line 2"),
    "nothing": ("# only this\n", "it is empty"),
    "huge number": ('{"A": ' + "9" * 5_000 + "}", "it is not JSON: Exceeds the limit"),
}


@pytest.mark.parametrize("bad", BAD)
def test_what_cannot_be_read_is_refused_at_once_and_says_where(bad: str) -> None:
    text, reason = BAD[bad]
    started = time.process_time()
    with pytest.raises(UndecodableText, match=reason):
        decode(text)
    assert time.process_time() - started < 5


def test_yaml_without_pyyaml_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(UndecodableText, match=r"pip install 'hardened-ec2\[cli\]'"):
        decode("A: 1")
    assert decode('{"A": 1}') == {"A": 1}


def test_the_reader_without_libyaml_reads_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    assert decode(SHORT) == LONG


@pytest.mark.parametrize("form", ["short", "long"])
def test_a_property_behind_a_condition_has_its_line(form: str) -> None:
    text = (
        "Options: !If\n- IsProd\n- Tokens: required\n- Hops: 1\n  Tokens: optional\n"
        if form == "short"
        else "Options:\n  Fn::If:\n  - IsProd\n  - Tokens: required\n  - Hops: 1\n"
    )
    found = marks(text)
    assert found is not None
    first = 3 if form == "short" else 4
    assert found.line_of(("Options", "Tokens")) == first
    assert found.line_of(("Options", "Hops")) == first + 1
    assert found.line_of(("Options", "Nowhere")) == 1


@pytest.mark.parametrize(
    "text", ['{"A": 1,\n"B": {"C": 1,\n"C": 2}}', 'A: 1\nB: {C: 1,\n  "C": 2}']
)
def test_a_key_that_stands_twice_is_refused_in_both_formats(text: str) -> None:
    with pytest.raises(UndecodableText, match="the key C appears twice in one object at line 3"):
        decode(text)


def test_json_is_nested_no_deeper_than_yaml() -> None:
    deep = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert decode(deep) == decode(f"# YAML\n{deep}")
    for text in (f"[{deep}]", f"# YAML\n[{deep}]"):
        with pytest.raises(UndecodableText, match="it is nested too deeply"):
            decode(text)


def test_a_number_in_base_60_ends() -> None:
    assert decode("Port: 1:22") == {"Port": 82}
    endless = ":".join(["1"] * 200_000)
    assert decode(f"Port: {endless}") == {"Port": endless}


@pytest.mark.parametrize("tag", ["!!python/object:os.system", "!!set", "!!binary", "!a/b", "!<x>"])
def test_a_tag_that_cloudformation_has_not_is_refused(tag: str) -> None:
    with pytest.raises(UndecodableText, match=r"at line 2 is not one of CloudFormation's"):
        decode(f"A:\n  {tag} {{}}")


_SCALARS = st.none() | st.booleans() | st.integers() | st.text('ab\\"\n{}[],:é ', max_size=5)
_DOCUMENTS = st.dictionaries(
    st.text('ab\\"/\té:{', max_size=4),
    st.recursive(
        _SCALARS,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.text('ab\\"/\té:{', max_size=4), inner, max_size=3)
        ),
        max_leaves=12,
    ),
)


def _lines(found: Marks) -> dict[tuple[str, ...], int]:
    lines: dict[tuple[str, ...], int] = {(): found.line}
    for key, inner in found.inside.items():
        lines |= {(key, *path): line for path, line in _lines(inner).items()}
    return lines


def _expected(value: object, line: int, text: Iterator[int]) -> dict[tuple[str, ...], int]:
    """Walk a text that has one key, entry or bracket a line, as it was written."""
    lines: dict[tuple[str, ...], int] = {(): line}
    if isinstance(value, dict | list) and value:
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in pairs:
            at = next(text)
            lines |= {(str(key), *path): n for path, n in _expected(inner, at, text).items()}
        next(text)  # the bracket that closes
    return lines


@given(_DOCUMENTS)
def test_the_lines_of_json_are_those_it_was_written_on(document: dict[str, Any]) -> None:
    text = json.dumps(document, indent=1)
    found = json_marks(text)
    assert _lines(found) == _expected(document, 1, itertools.count(2))
    on_one_line = json_marks(json.dumps(document, ensure_ascii=False))
    assert _lines(on_one_line) == dict.fromkeys(_lines(found), 1)


def test_the_lines_of_json_are_those_that_yaml_tells() -> None:
    text = '{\n"Resources": {\n "A":\n  {"Type": "T", "P": [1, {"x":\n null}, "]"]}\n}\n}'
    as_yaml = marks("# not JSON\n" + text)
    assert as_yaml is not None
    assert {path: line + 1 for path, line in _lines(json_marks(text)).items()} == _lines(as_yaml)


def test_lines_of_json_need_no_yaml(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    found = marks('{"a":\n{"b": 1}}')
    assert found is not None
    assert found.line_of(("a", "b")) == 2
