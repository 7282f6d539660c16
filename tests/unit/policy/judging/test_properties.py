"""What holds for every template, tried on templates that nobody would write."""

import contextlib
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hardened_ec2.addresses import AddressSet
from hardened_ec2.policy import Template, UnreadableTemplate, judge
from hardened_ec2.policy.facts.ingress import TCP, Opening
from hardened_ec2.policy.facts.reach import reaches, united
from hardened_ec2.policy.resolve.deployment import Deployment
from hardened_ec2.policy.resolve.scenarios import ALWAYS, When, holds, scenarios, together
from hardened_ec2.policy.resolve.values import Place
from tests.unit.policy.templates import (
    SOUND,
    found,
    group,
    if_,
    instance,
    ref,
    resource,
    rule,
    server_with,
    template,
)

few = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)

NAMES = ["Vpc", "Group", "Server", "C", "P", "AWS::NoValue", "AWS::Region", "Missing"]
FUNCTIONS = ["Ref", "Fn::If", "Fn::Join", "Fn::Sub", "Fn::Select", "Fn::Split", "Fn::Cidr"]
FUNCTIONS += ["Fn::GetAtt", "Fn::FindInMap", "Fn::Base64", "Fn::ImportValue", "Fn::Transform"]
KEYS = ["SecurityGroupIngress", "CidrIp", "FromPort", "IpProtocol", "Ebs", "HttpTokens", "Groups"]

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-2, 70000)
    | st.floats()
    | st.sampled_from(
        [*NAMES, "", "0.0.0.0/0", "::/0", "tcp", "${P}", "{{resolve:ssm:x}}", "\ud800"]
    )
)
anything: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(FUNCTIONS), inner, min_size=1, max_size=1)
        | st.dictionaries(st.sampled_from([*KEYS, *FUNCTIONS]), inner, max_size=3)
    ),
    max_leaves=12,
)


@st.composite
def broken_templates(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a sound template with some of its values replaced by anything at all."""
    resources: dict[str, Any] = {}
    for logical_id, sound in SOUND.items():
        properties = dict(sound["Properties"])
        for key in draw(st.sets(st.sampled_from(sorted(properties)), max_size=3)):
            properties[key] = draw(anything)
        resources[logical_id] = {**sound, "Properties": properties, "Condition": draw(scalars)}
    section = st.dictionaries(st.sampled_from(NAMES), anything, max_size=3)
    return {
        "Resources": resources,
        "Parameters": draw(section),
        "Conditions": draw(section),
        "Mappings": draw(section),
        "Outputs": draw(section),
        "Transform": draw(anything),
    }


@few
@given(broken_templates())
def test_no_template_makes_the_judgement_crash(document: dict[str, Any]) -> None:
    given_template = Template(name="t", document=document)
    assert judge([given_template]) == judge([given_template])


@few
@given(anything)
def test_a_document_is_a_template_or_is_refused(document: Any) -> None:  # noqa: ANN401
    with contextlib.suppress(UnreadableTemplate):
        judge([Template(name="t", document=document)])


@few
@given(anything, anything)
def test_both_arms_of_an_if_are_seen(yes: Any, no: Any) -> None:  # noqa: ANN401
    given_template = template({"A": resource("X::X::X", Yes=yes, No=no, Both=if_("Own", yes, no))})
    (thing,) = Deployment([given_template]).resources("AWS::X::X::X")
    arms = [str(v.content) for key in ("Yes", "No") for v in thing.properties.at(key)]
    both = [str(value.content) for value in thing.properties.at("Both")]
    assert sorted(both) == sorted(arms)


subjects = st.sampled_from([("condition", "t", name) for name in "ABC"])
whens = st.dictionaries(subjects, st.sampled_from(["true", "false"]), max_size=3).map(
    lambda chosen: frozenset(chosen.items())
)


@few
@given(whens, whens)
def test_two_whens_join_to_what_holds_in_both(left: When, right: When) -> None:
    joined = together(left, right)
    assert joined == together(right, left)
    in_both = [s for s in scenarios([left, right]) if holds(left, s) and holds(right, s)]
    assert (joined is None) == (in_both == [])
    if joined is not None:
        assert all(holds(joined, scenario) for scenario in in_both)


def opening(first: int, last: int, octet: int, place: int) -> Opening:
    return Opening(
        protocol=TCP,
        first=min(first, last),
        last=max(first, last),
        addresses=AddressSet.of(f"10.0.0.{octet}"),
        when=ALWAYS,
        place=Place("t", "Group", str(place)),
    )


ports = st.integers(0, 8)
openings = st.lists(st.builds(opening, ports, ports, st.integers(0, 3), st.integers()), max_size=5)


@few
@given(openings)
def test_reaches_say_for_every_port_what_its_rules_say(rules: list[Opening]) -> None:
    pieces = list(reaches(rules))
    for port in range(9):
        expected = united(each for each in rules if each.admits(TCP, port))
        covering = [piece for piece in pieces if piece.first <= port <= piece.last]
        assert len(covering) == bool(expected)
        assert [piece.addresses for piece in covering] == [expected] * bool(expected)


@few
@given(openings, st.randoms())
def test_the_order_of_rules_does_not_change_the_union(rules: list[Opening], random: Random) -> None:
    shuffled = list(rules)
    random.shuffle(shuffled)
    assert [(r.first, r.last, r.addresses) for r in reaches(rules)] == [
        (r.first, r.last, r.addresses) for r in reaches(shuffled)
    ]


@few
@given(st.integers(0, 6), st.integers(1, 2))
def test_the_internet_is_found_however_finely_it_is_cut(bits: int, groups: int) -> None:
    blocks = [f"{n << (8 - bits)}.0.0.0/{bits}" for n in range(2**bits)]
    rules = [rule(block) for block in blocks]
    half = len(rules) // 2 if groups > 1 else 0
    resources = {
        **SOUND,
        "Group": group(*rules[half:]),
        "Second": group(*rules[:half]),
        "Server": instance(SecurityGroupIds=[ref("Group"), ref("Second")]),
    }
    assert found("AdminPortOpenToWorld", resources)


@pytest.mark.parametrize("bits", [9, 10])
def test_blocks_that_are_each_no_world_are_found_together(bits: int) -> None:
    rules = [rule(f"8.{n << (16 - bits)}.0.0/{bits}") for n in range(2 ** (bits - 8))]
    assert found("AdminPortTooWide", server_with(*rules))
