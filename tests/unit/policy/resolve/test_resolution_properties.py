"""What a place can be, against an evaluation that knows every choice and takes no short cut."""

from collections.abc import Callable
from itertools import product
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from hardened_ec2.policy.resolve.deployment import Deployment
from hardened_ec2.policy.resolve.scenarios import When, holds
from hardened_ec2.policy.resolve.values import describe
from tests.unit.policy.templates import ref, resource, template

NAME = "app.template.json"
PARAMETERS = {"P": ("a", "b,c"), "Q": ("q",)}
SECTIONS: dict[str, Any] = {
    "Parameters": {
        "P": {"Type": "String", "Default": "a", "AllowedValues": ["a", "b,c"]},
        "Q": {"Type": "String", "Default": "q"},
    },
    "Conditions": {
        "C": {"Fn::Equals": [ref("AWS::Region"), "x"]},
        "D": {"Fn::Not": [{"Condition": "C"}]},
        "E": {"Fn::Equals": [ref("AWS::AccountId"), "x"]},
    },
    "Mappings": {"M": {"a": {"k": "low"}, "b,c": {"k": "high"}}},
}

Scenario = dict[str, Any]
SCENARIOS: list[Scenario] = [
    {"C": c, "D": not c, "E": e, "P": p, "Q": "q"}
    for c, e, p in product((True, False), (True, False), PARAMETERS["P"])
]


def calls(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    pair = st.tuples(inner, inner)
    return (
        st.builds(lambda c, p: {"Fn::If": [c, *p]}, st.sampled_from("CDE"), pair)
        | st.builds(lambda d, p: {"Fn::Join": [d, list(p)]}, st.sampled_from(["", "-", ","]), pair)
        | st.builds(lambda a: {"Fn::Sub": ["<${P}${v}${!P}>", {"v": a}]}, inner)
        | st.builds(lambda i, p: {"Fn::Select": [i, list(p)]}, st.sampled_from([0, "1"]), pair)
        | st.builds(lambda a: {"Fn::Select": [0, {"Fn::Split": [",", a]}]}, inner)
        | st.builds(lambda a: {"Fn::Join": ["+", {"Fn::Split": [",", a]}]}, inner)
    )


EXPRESSIONS = st.recursive(
    st.sampled_from(["x", "y,z", "", ref("P"), ref("Q"), {"Fn::FindInMap": ["M", ref("P"), "k"]}]),
    calls,
    max_leaves=6,
)


def evaluated(raw: Any, scenario: Scenario) -> Any:  # noqa: ANN401 - decoded JSON
    """Evaluate as CloudFormation does, when all whens are made."""
    if isinstance(raw, str):
        return raw
    if isinstance(raw, list):
        return [evaluated(each, scenario) for each in raw]
    ((function, argument),) = raw.items()
    return EVALUATE[function](argument, scenario)


EVALUATE: dict[str, Callable[[Any, Scenario], Any]] = {
    "Ref": lambda name, scenario: scenario[name],
    "Fn::If": lambda given, scenario: evaluated(given[1 if scenario[given[0]] else 2], scenario),
    "Fn::Join": lambda given, scenario: given[0].join(evaluated(given[1], scenario)),
    "Fn::Sub": lambda given, scenario: (
        f"<{scenario['P']}{evaluated(given[1]['v'], scenario)}${{P}}>"
    ),
    "Fn::Select": lambda given, scenario: evaluated(given[1], scenario)[int(given[0])],
    "Fn::Split": lambda given, scenario: evaluated(given[1], scenario).split(given[0]),
    "Fn::FindInMap": lambda _, scenario: SECTIONS["Mappings"]["M"][scenario["P"]]["k"],
}


def whens(scenario: Scenario) -> When:
    made = {
        (("condition", NAME, name), "true" if scenario[name] else "false") for name in ("C", "E")
    }
    return frozenset({*made, (("parameter", NAME, "P"), describe(scenario["P"]))})


@settings(max_examples=80, deadline=None, database=None)
@given(EXPRESSIONS)
def test_a_place_is_in_every_deployment_exactly_what_it_is_there(raw: Any) -> None:  # noqa: ANN401
    given_template = template({"A": resource("Any::Thing", P=raw)}, **SECTIONS)
    (thing,) = Deployment([given_template]).resources("AWS::Any::Thing")
    found = thing.properties.at("P")
    for scenario in SCENARIOS:
        deployed = {value.content for value in found if holds(value.when, whens(scenario))}
        assert deployed == {evaluated(raw, scenario)}
