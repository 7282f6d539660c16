import json
from hashlib import sha256
from pathlib import Path

import pytest

from hardened_ec2.policy import Template, UnreadableTemplate
from hardened_ec2.policy.read.template import MAX_TEMPLATE_BYTES

GROUP = {"Resources": {"Group": {"Type": "AWS::EC2::SecurityGroup"}}}


def written(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "app.template.json"
    path.write_bytes(content)
    return path


def test_a_json_file_is_read_and_named_as_given(tmp_path: Path) -> None:
    path = written(tmp_path, json.dumps(GROUP).encode())
    template = Template.load(path)
    assert template.name == str(path)
    assert template.resources == GROUP["Resources"]


def test_the_digest_is_that_of_the_file_or_as_given(tmp_path: Path) -> None:
    content = json.dumps(GROUP).encode()
    assert Template.load(written(tmp_path, content)).digest == sha256(content).hexdigest()
    assert Template(name="app", document=GROUP, text="{}").digest == ""
    assert Template(name="app", document=GROUP, digest="c0ffee").digest == "c0ffee"


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    path = written(tmp_path, b"\xef\xbb\xbf" + json.dumps(GROUP).encode())
    assert list(Template.load(path).resources) == ["Group"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b" \n\t", "it is empty"),
        (b'{"Resources": ', "it is not JSON: Expecting value at line 1 column 15"),
        (b"Resources:\n  A: 1\n", "resource A is a number, not an object"),
        (
            b"Resources:\n\tA: 1\n",
            "it is not YAML: found character that cannot start any token at line 2 column 1",
        ),
        (b'{"Resources": {"A": NaN}}', "it is not JSON: NaN is not a JSON value"),
        (b"\x00\xff\xfe", "it is not UTF-8 text: byte 1 is 0xff"),
        (b"[" * 10_000 + b"]" * 10_000, "it is nested too deeply"),
        (b"[]", "it holds a list, not a template object"),
        (b"null", "it holds null, not a template object"),
        (b"7", "it holds a number, not a template object"),
        (b"{}", "it has no Resources section, so it is not a CloudFormation template"),
        (b'{"Resources": {}}', "its Resources section is empty"),
        (b'{"Resources": []}', "Resources is a list, not an object"),
        (b'{"Resources": {"A": 1}}', "resource A is a number, not an object"),
        (b'{"Resources": {"A": {}}}', "resource A has no Type"),
        (b'{"Resources": {"A": {"Type": {"Ref": "B"}}}}', "resource A has no Type"),
        (
            b'{"Resources": {"A": {"Type": "X", "Properties": []}}}',
            "Properties of resource A is a list, not an object",
        ),
        (
            b'{"Resources": {"A": {"Type": "X", "Metadata": "m"}}}',
            "Metadata of resource A is a string, not an object",
        ),
        (
            b'{"Parameters": true, "Resources": {"A": {"Type": "X"}}}',
            "Parameters is a Boolean, not an object",
        ),
    ],
)
def test_what_is_no_template_is_refused_with_the_reason(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    path = written(tmp_path, content)
    with pytest.raises(UnreadableTemplate) as caught:
        Template.load(path)
    assert caught.value.template == str(path)
    assert caught.value.reason == reason
    assert str(caught.value) == f"{path}: {reason}"


def test_a_number_of_thousands_of_digits_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, b'{"Resources": ' + b"9" * 10_000 + b"}")
    with pytest.raises(UnreadableTemplate, match="it is not JSON"):
        Template.load(path)


def test_a_file_that_is_too_large_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    path = tmp_path / "large.json"
    with path.open("wb") as file:
        file.truncate(MAX_TEMPLATE_BYTES + 1)
    with pytest.raises(UnreadableTemplate, match=f"larger than {MAX_TEMPLATE_BYTES} bytes"):
        Template.load(path)


@pytest.mark.parametrize("name", ["missing.json", ".", "a\x00b"])
def test_a_path_that_cannot_be_read_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnreadableTemplate, match="it cannot be read"):
        Template.load(tmp_path / name if name != "." else tmp_path)


def test_loops_are_no_resources_but_are_kept() -> None:
    document = {"Resources": {"Fn::ForEach::Loop": [], **GROUP["Resources"]}}
    assert list(Template(name="t", document=document).resources) == ["Group"]
