from typing import Any

import pytest

from hardened_ec2.policy.resolve.deployment import Deployment
from hardened_ec2.policy.resolve.values import (
    ABSENT,
    Base64,
    Content,
    Reference,
    Text,
    Tree,
    Unknown,
    Value,
    as_bool,
    as_int,
    why_unknown,
)
from tests.unit.policy.templates import NO_VALUE, if_, ref, resource, template


def values(raw: object, **sections: Any) -> tuple[Value, ...]:  # noqa: ANN401
    given = template(
        {"A": resource("Any::Thing", P=raw), "Other": resource("Any::Other")}, **sections
    )
    (thing,) = Deployment([given]).resources("AWS::Any::Thing")
    return thing.properties.at("P")


def contents(raw: object, **sections: Any) -> list[Content]:  # noqa: ANN401
    return [value.content for value in values(raw, **sections)]


def only(raw: object, **sections: Any) -> Content:  # noqa: ANN401
    (content,) = contents(raw, **sections)
    return content


def parameters(**declared: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"Parameters": declared}


@pytest.mark.parametrize("literal", ["text", 22, 2.5, True, False, ""])
def test_literals_are_themselves(literal: object) -> None:
    assert only(literal) == literal


def test_null_and_no_value_are_absent() -> None:
    assert only(None) is ABSENT
    assert only(NO_VALUE) is ABSENT


def test_both_arms_of_if_are_seen_each_under_its_condition() -> None:
    yes, no = values(if_("IsProd", "required", "optional"))
    assert (yes.content, no.content) == ("required", "optional")
    assert yes.when == {(("condition", "app.template.json", "IsProd"), "true")}
    assert no.when == {(("condition", "app.template.json", "IsProd"), "false")}


def test_arms_that_exclude_each_other_are_not_seen() -> None:
    assert contents(if_("C", if_("C", 1, 2), if_("C", 3, 4))) == [1, 4]


def test_a_negated_condition_is_told_of_the_one_it_negates() -> None:
    conditions: dict[str, Any] = {"Conditions": {"IsDev": {"Fn::Not": [{"Condition": "IsProd"}]}}}
    assert contents(if_("IsProd", if_("IsDev", 1, 2), 3), **conditions) == [2, 3]


def test_conditions_that_negate_each_other_in_a_circle_end() -> None:
    conditions: dict[str, Any] = {
        "Conditions": {
            "A": {"Fn::Not": [{"Condition": "B"}]},
            "B": {"Fn::Not": [{"Condition": "A"}]},
        }
    }
    assert contents(if_("A", 1, 2), **conditions) == [1, 2]


def test_a_parameter_can_be_its_default_and_every_allowed_value() -> None:
    declared = parameters(P={"Type": "String", "Default": "b", "AllowedValues": ["a", "b"]})
    assert contents(ref("P"), **declared) == ["b", "a"]


def test_one_parameter_has_one_value_at_a_time() -> None:
    declared = parameters(P={"Type": "String", "AllowedValues": ["a", "b"]})
    assert contents({"Fn::Sub": "${P}-${P}"}, **declared) == ["a-a", "b-b"]


def test_a_parameter_without_default_is_unknown_and_says_so() -> None:
    content = only(ref("P"), **parameters(P={"Type": "String"}))
    assert content == Unknown("parameter P has no Default and no AllowedValues", "P")


def test_a_parameter_from_systems_manager_is_unknown_whatever_its_default() -> None:
    kind = "AWS::SSM::Parameter::Value<String>"
    content = only(ref("P"), **parameters(P={"Type": kind, "Default": "/cidr"}))
    assert content == Unknown("parameter P is read from Systems Manager at deployment", "P")


def test_a_list_parameter_is_split() -> None:
    declared = parameters(P={"Type": "CommaDelimitedList", "Default": "sg-1, sg-2"})
    (value,) = values(ref("P"), **declared)
    assert [entry.content for entry in value.entries()] == ["sg-1", "sg-2"]


@pytest.mark.parametrize("name", ["AWS::Region", "AWS::AccountId", "AWS::StackName"])
def test_pseudo_parameters_are_unknown(name: str) -> None:
    assert only(ref(name)) == Unknown(f"{name} is known only at deployment", name)


def test_a_name_that_means_nothing_is_unknown() -> None:
    assert only(ref("Nothing")) == Unknown(
        "Nothing is neither a parameter nor a resource of the template", "Nothing"
    )


@pytest.mark.parametrize(
    ("raw", "attribute"),
    [
        (ref("Other"), ""),
        ({"Fn::GetAtt": ["Other", "GroupId"]}, "GroupId"),
        ({"Fn::GetAtt": "Other.GroupId"}, "GroupId"),
        ({"Fn::GetAtt": ["Other", if_("C", "GroupId", "GroupId")]}, "GroupId"),
        ({"Fn::Sub": "${Other}"}, ""),
        ({"Fn::Sub": "${Other.GroupId}"}, "GroupId"),
    ],
)
def test_references_stay_references(raw: object, attribute: str) -> None:
    reference = Reference("app.template.json", "Other", attribute)
    for content in contents(raw):
        assert content in (reference, Text((reference,)))


def test_the_block_of_a_vpc_is_read_from_it() -> None:
    given = template(
        {
            "Vpc": resource("EC2::VPC", CidrBlock="10.0.0.0/16"),
            "A": resource("Any::Thing", P={"Fn::GetAtt": ["Vpc", "CidrBlock"]}),
        }
    )
    (thing,) = Deployment([given]).resources("AWS::Any::Thing")
    assert [value.content for value in thing.properties.at("P")] == ["10.0.0.0/16"]


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ({"Fn::Join": ["-", ["a", 1, True, NO_VALUE, "b"]]}, "a-1-true-b"),
        ({"Fn::Join": ["", []]}, ""),
        ({"Fn::Join": [",", {"Fn::Split": ["|", "a|b"]}]}, "a,b"),
        ({"Fn::Sub": "plain"}, "plain"),
        ({"Fn::Sub": ["${x}/${ y }", {"x": "a", "y": {"Fn::Join": ["", ["b", "c"]]}}]}, "a/bc"),
        ({"Fn::Sub": "${!Kept}"}, "${Kept}"),
        ({"Fn::Sub": "$${x}", "Unused": 1}, None),
        ({"Fn::Select": ["1", ["a", "b"]]}, "b"),
        ({"Fn::Select": [0, {"Fn::Split": [".", "10.0"]}]}, "10"),
        ({"Fn::Select": [1, {"Fn::Cidr": ["10.0.0.0/16", 2, 8]}]}, "10.0.1.0/24"),
    ],
)
def test_text_functions(raw: object, text: str | None) -> None:
    content = only(raw)
    if text is None:
        assert isinstance(content, Tree)
    else:
        assert content == text


def test_half_known_text_keeps_what_is_known() -> None:
    content = only({"Fn::Join": ["", ["arn:", ref("AWS::Partition"), ":iam::aws:policy/X"]]})
    assert isinstance(content, Text)
    assert str(content) == "arn:${AWS::Partition}:iam::aws:policy/X"
    assert content.parts[0] == "arn:"


def test_base64_keeps_its_argument() -> None:
    assert only({"Fn::Base64": {"Fn::Sub": "a${!b}"}}) == Base64("a${b}")
    assert only({"Fn::Base64": NO_VALUE}) is ABSENT


def test_a_dynamic_reference_is_one_unknown_even_when_split_over_a_join() -> None:
    raw = {"Fn::Join": ["", ["pw={{resolve:secretsmanager:", ref("Other"), ":SecretString}} x"]]}
    content = only(raw)
    assert isinstance(content, Text)
    before, secret, after = content.parts
    assert (before, after) == ("pw=", " x")
    assert isinstance(secret, Unknown)
    assert secret.name == "{{resolve:secretsmanager:${Other}:SecretString}}"


def test_a_dynamic_reference_in_a_literal_is_unknown() -> None:
    content = only("{{resolve:ssm:/cidr}}")
    assert content == Text(
        (Unknown("{{resolve:ssm:/cidr}} is read at deployment", "{{resolve:ssm:/cidr}}"),)
    )


def test_a_dynamic_reference_that_is_never_closed_is_text() -> None:
    assert only("{{resolve:ssm:/cidr") == "{{resolve:ssm:/cidr"


MAPPINGS: dict[str, Any] = {
    "Mappings": {"M": {"dev": {"cidr": "10.0.0.0/8"}, "prod": {"cidr": "0.0.0.0/0"}}}
}


def test_a_mapping_is_looked_up() -> None:
    assert only({"Fn::FindInMap": ["M", "dev", "cidr"]}, **MAPPINGS) == "10.0.0.0/8"


def test_a_mapping_under_an_unknown_key_can_be_every_entry() -> None:
    raw = {"Fn::FindInMap": ["M", ref("AWS::Region"), "cidr"]}
    assert contents(raw, **MAPPINGS) == ["10.0.0.0/8", "0.0.0.0/0"]


def test_a_mapping_key_that_is_a_parameter_is_followed() -> None:
    declared = parameters(E={"Type": "String", "Default": "prod"})
    raw = {"Fn::FindInMap": ["M", ref("E"), "cidr"]}
    assert only(raw, **MAPPINGS, **declared) == "0.0.0.0/0"


def test_a_mapping_that_has_no_such_key_is_its_default_value_or_unknown() -> None:
    assert only({"Fn::FindInMap": ["M", "x", "cidr"]}, **MAPPINGS) == Unknown(
        "Fn::FindInMap finds nothing"
    )
    assert only({"Fn::FindInMap": ["M", "x", "y", {"DefaultValue": "d"}]}, **MAPPINGS) == "d"


def test_what_is_taken_from_an_unknown_list_names_the_parameter() -> None:
    declared = parameters(P={"Type": "List<AWS::EC2::Subnet::Id>"})
    for raw in ({"Fn::Select": [0, ref("P")]}, {"Fn::Join": ["", ref("P")]}):
        assert only(raw, **declared) == Unknown(
            "parameter P has no Default and no AllowedValues", "P"
        )


@pytest.mark.parametrize(
    "raw",
    [
        {"Fn::GetAZs": ""},
        {"Fn::ImportValue": "nobody-exports-it"},
        {"Fn::Unheard": 1},
        {"Fn::If": ["C", 1]},
        {"Fn::If": "C"},
        {"Fn::Join": "x"},
        {"Fn::Join": ["", {"Fn::GetAZs": ""}]},
        {"Fn::Sub": 1},
        {"Fn::Sub": ["x", []]},
        {"Fn::Select": [9, ["a"]]},
        {"Fn::Select": [ref("AWS::Region"), ["a"]]},
        {"Fn::Split": ["", "x"]},
        {"Fn::Cidr": ["garbage", 1, 8]},
        {"Fn::Cidr": ["10.0.0.0/16", 1, 99]},
        {"Fn::FindInMap": ["M"]},
        {"Fn::GetAtt": "NoDot"},
        {"Fn::GetAtt": ["Missing", "Arn"]},
        {"Ref": ["x"]},
    ],
)
def test_what_cannot_be_resolved_is_unknown_with_a_reason(raw: object) -> None:
    content = only(raw)
    assert isinstance(content, Unknown)
    assert content.why


def test_what_refers_to_itself_is_unknown() -> None:
    cycle: dict[str, Any] = {"Fn::Join": ["", ["a"]]}
    cycle["Fn::Join"][1].append(cycle)
    content = only(cycle)
    assert isinstance(content, Text)
    assert content.parts[1] == Unknown("it refers to itself")


def test_functions_nested_without_end_are_unknown_not_a_crash() -> None:
    raw: object = "deep"
    for _ in range(400):
        raw = {"Fn::Join": ["", [raw]]}
    assert "nested more than 48 deep" in (why_unknown(only(raw)) or "")


def test_exponential_text_is_cut_short() -> None:
    raw: object = "x" * 1000
    for _ in range(14):
        raw = {"Fn::Sub": ["${a}${a}", {"a": raw}]}
    assert "the text is too long to follow" in (why_unknown(only(raw)) or "")


def test_many_choices_are_all_seen_though_not_all_together() -> None:
    raw = {"Fn::Join": ["", [if_(f"C{n}", f"<{n}a>", f"<{n}b>") for n in range(20)]]}
    found = contents(raw)
    assert len(found) < 70
    for n in range(20):
        for arm in "ab":
            assert any(isinstance(c, str) and f"<{n}{arm}>" in c for c in found)
    assert any(isinstance(content, Unknown) for content in found)


def test_a_place_with_too_many_alternatives_is_unknown_for_the_rest() -> None:
    declared = parameters(P={"Type": "String", "AllowedValues": [str(n) for n in range(100)]})
    found = contents(ref("P"), **declared)
    assert len(found) == 65
    assert found[-1] == Unknown("it can have more than 64 values")


def test_objects_are_entered_through_conditions() -> None:
    (value,) = values({"A": if_("C", {"B": 1})})
    assert [v.content for v in value.at("A", "B")] == [1, ABSENT]
    assert [v.place.path for v in value.at("A", "B")] == ["Properties.P.A.B"] * 2


def test_a_scalar_where_an_object_belongs_is_unknown() -> None:
    (value,) = values("text")
    (inner,) = value.at("A")
    assert inner.content == Unknown("'text' is given where an object is expected")


def test_an_include_can_add_what_is_missing() -> None:
    (value,) = values({"Fn::Transform": {"Name": "AWS::Include"}, "Given": 1})
    assert [v.content for v in value.at("Given")] == [1]
    assert [v.content for v in value.at("Missing")] == [Unknown("Fn::Transform can add it")]


@pytest.mark.parametrize(
    ("raw", "entries"),
    [
        ([1, 2], [1, 2]),
        ([1, NO_VALUE, 2], [1, 2]),
        ([if_("C", 1, 2)], [1, 2]),
        ([if_("C", [1, 2], NO_VALUE), 3], [1, 2, 3]),
        (if_("C", [1], [2, 3]), [1, 2, 3]),
        ("alone", ["alone"]),
        (NO_VALUE, []),
    ],
)
def test_lists_are_opened_through_conditions(raw: object, entries: list[object]) -> None:
    assert [entry.content for value in values(raw) for entry in value.entries()] == entries


def test_an_unknown_list_is_one_unknown_entry() -> None:
    (value,) = values({"Fn::GetAZs": ""})
    assert value.entries() == (value,)


@pytest.mark.parametrize(
    ("content", "number"),
    [
        (22, 22),
        ("22", 22),
        (" 22 ", 22),
        ("-1", -1),
        (22.0, 22),
        (22.5, None),
        (True, None),
        ("1_0", None),
        ("٢٢", None),
        ("", None),
        ("9" * 30, None),
        (ABSENT, None),
    ],
)
def test_numbers_in_every_spelling(content: Content, number: int | None) -> None:
    assert as_int(content) == number


@pytest.mark.parametrize(
    ("content", "answer"),
    [(True, True), ("true", True), ("True", True), (" FALSE", False), (1, None), ("yes", None)],
)
def test_booleans_in_every_spelling(content: Content, answer: object) -> None:
    assert as_bool(content) is answer
