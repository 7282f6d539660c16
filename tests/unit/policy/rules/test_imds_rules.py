from typing import Any

import pytest

from hardened_ec2.policy import Severity
from tests.unit.policy.templates import (
    NO_VALUE,
    SOUND,
    found,
    if_,
    instance,
    judged,
    message,
    ref,
    resource,
    server,
)

V2 = "ImdsV2"
HOPS = "ImdsHopLimit"
UNSET: dict[str, Any] = {"Parameters": {"Unset": {"Type": "String"}}}
GOOD = {"HttpTokens": "required", "HttpPutResponseHopLimit": 1}


def options(**changed: object) -> dict[str, Any]:
    return server(MetadataOptions={k: v for k, v in (GOOD | changed).items() if v is not None})


@pytest.mark.parametrize(
    ("resources", "path", "text"),
    [
        (options(HttpTokens="optional"), ".MetadataOptions.HttpTokens", "HttpTokens is 'optional'"),
        (options(HttpTokens=None), ".MetadataOptions", "HttpTokens is not given"),
        (server(MetadataOptions=None), ".MetadataOptions", "HttpTokens is not given"),
        (server(MetadataOptions={}), ".MetadataOptions", "HttpTokens is not given"),
        (options(HttpTokens="Required"), ".MetadataOptions.HttpTokens", "HttpTokens is 'Required'"),
        (
            options(HttpTokens=if_("C", "required", "optional")),
            ".MetadataOptions.HttpTokens",
            "answers without a token (when condition C is false)",
        ),
        (options(HttpTokens=if_("C", "required")), ".MetadataOptions", "HttpTokens is not given"),
        (
            server(MetadataOptions=if_("C", GOOD, {"HttpEndpoint": "disabled"} | {"x": 1})),
            None,
            "",
        ),
        (
            server(MetadataOptions=if_("C", GOOD, {"HttpTokens": "optional"})),
            ".MetadataOptions.HttpTokens",
            "(when condition C is false)",
        ),
        (
            options(HttpTokens="optional", HttpEndpoint=if_("C", "disabled", "enabled")),
            ".MetadataOptions.HttpTokens",
            "(when condition C is false)",
        ),
    ],
)
def test_a_service_that_answers_without_a_token_is_an_error(
    resources: dict[str, Any], path: str | None, text: str
) -> None:
    findings = found(V2, resources)
    if path is None:
        assert findings == []
        return
    (finding,) = findings
    assert finding.severity is Severity.ERROR
    assert (finding.logical_id, finding.path) == ("Server", f"Properties{path}")
    assert text in finding.message
    assert "AWS Security Hub EC2.8" in finding.references


@pytest.mark.parametrize(
    "resources",
    [
        options(),
        server(MetadataOptions={"HttpEndpoint": "disabled"}),
        options(HttpTokens={"Fn::Join": ["", ["requ", "ired"]]}),
    ],
)
def test_a_token_or_no_service_is_sound(resources: dict[str, Any]) -> None:
    assert judged(resources) == []


def test_tokens_that_are_not_known_cannot_be_verified() -> None:
    resources = options(HttpTokens=ref("Unset"))
    assert found(V2, resources, **UNSET) == []
    assert message("CannotVerify", resources, **UNSET) == (
        "could not verify HardenedEc2-ImdsV2: HttpTokens is not known: parameter Unset has no "
        "Default and no AllowedValues"
    )


def test_options_that_are_not_known_are_one_finding_for_all_rules() -> None:
    resources = server(MetadataOptions=ref("Unset"))
    text = message("CannotVerify", resources, **UNSET)
    assert text.startswith("could not verify HardenedEc2-ImdsV2, HardenedEc2-ImdsHopLimit: ")


@pytest.mark.parametrize(
    ("hops", "text"),
    [
        (2, "HttpPutResponseHopLimit is 2, at most 1 is allowed without declared containers"),
        ("2", "HttpPutResponseHopLimit is 2, at most 1 is allowed without declared containers"),
        (3, "HttpPutResponseHopLimit is 3, at most 1 is allowed"),
        (64, "HttpPutResponseHopLimit is 64, at most 1 is allowed"),
        (if_("C", 1, 2), "without declared containers (when condition C is false)"),
    ],
)
def test_more_than_one_hop_is_an_error(hops: object, text: str) -> None:
    (finding,) = found(HOPS, options(HttpPutResponseHopLimit=hops))
    assert finding.severity is Severity.ERROR
    assert finding.path == "Properties.MetadataOptions.HttpPutResponseHopLimit"
    assert finding.message.endswith(text)


def declared(hops: object, containers: object) -> dict[str, Any]:
    resources = options(HttpPutResponseHopLimit=hops)
    resources["Server"]["Metadata"] = {"hardened-ec2": {"containers": containers}}
    return resources


def test_a_declared_container_host_may_have_two_hops_and_no_more() -> None:
    assert judged(declared(2, containers=True)) == []
    assert message(HOPS, declared(3, containers=True)) == (
        "HttpPutResponseHopLimit is 3, at most 2 is allowed"
    )


@pytest.mark.parametrize("containers", [False, "no", 1, None, {"a": True}, ref("Unset")])
def test_a_declaration_is_made_in_plain_words(containers: object) -> None:
    assert found(HOPS, declared(2, containers), **UNSET)


def test_a_hop_limit_that_is_not_given_is_the_image_s_to_choose() -> None:
    resources = options(HttpPutResponseHopLimit=None)
    assert found(HOPS, resources) == []
    assert message("CannotVerify", resources).endswith(
        ": HttpPutResponseHopLimit is not given, so the image decides: 1 or 2"
    )


@pytest.mark.parametrize(
    ("hops", "why"), [(ref("Unset"), "parameter Unset has no"), ("two", "'two' is not a number")]
)
def test_a_hop_limit_that_is_not_known_cannot_be_verified(hops: object, why: str) -> None:
    resources = options(HttpPutResponseHopLimit=hops)
    assert f"HttpPutResponseHopLimit is not known: {why}" in message(
        "CannotVerify", resources, **UNSET
    )


def test_no_hop_counts_when_the_service_is_off() -> None:
    assert judged(options(HttpEndpoint="disabled", HttpPutResponseHopLimit=64)) == []


def launch_template(**options_given: object) -> dict[str, Any]:
    data = {**instance(SubnetId=None)["Properties"], "MetadataOptions": options_given}
    return resource("EC2::LaunchTemplate", LaunchTemplateData=data)


def test_a_launch_template_of_its_own_is_judged() -> None:
    resources = {**SOUND, "Server": launch_template(HttpTokens="optional")}
    (finding,) = found(V2, resources)
    assert finding.path == "Properties.LaunchTemplateData.MetadataOptions.HttpTokens"


def test_an_instance_takes_the_options_of_its_launch_template() -> None:
    resources = {
        **server(MetadataOptions=None, LaunchTemplate={"LaunchTemplateId": ref("Template")}),
        "Template": resource("EC2::LaunchTemplate", LaunchTemplateData={"MetadataOptions": GOOD}),
    }
    assert judged(resources) == []


def test_an_instance_that_overrides_a_good_launch_template_is_found() -> None:
    resources = {
        **server(
            MetadataOptions={"HttpTokens": "optional", "HttpPutResponseHopLimit": 1},
            LaunchTemplate={"LaunchTemplateId": ref("Template")},
        ),
        "Template": resource("EC2::LaunchTemplate", LaunchTemplateData={"MetadataOptions": GOOD}),
    }
    assert [finding.logical_id for finding in found(V2, resources)] == ["Server"]


def test_what_is_wrong_in_the_launch_template_is_told_there_once() -> None:
    resources = {
        **server(MetadataOptions=None, LaunchTemplate={"LaunchTemplateId": ref("Template")}),
        "Second": instance(
            MetadataOptions=None, LaunchTemplate={"LaunchTemplateId": ref("Template")}
        ),
        "Template": resource(
            "EC2::LaunchTemplate",
            LaunchTemplateData={"MetadataOptions": GOOD | {"HttpTokens": "optional"}},
        ),
    }
    assert [finding.logical_id for finding in found(V2, resources)] == ["Template"]


def test_a_launch_template_outside_the_templates_cannot_be_verified() -> None:
    resources = server(MetadataOptions=None, LaunchTemplate={"LaunchTemplateId": "lt-1"})
    findings = found("CannotVerify", resources)
    assert findings
    assert {finding.path for finding in findings} == {"Properties.LaunchTemplate"}
    assert found(V2, resources) == []


def test_a_container_host_may_declare_it_on_its_launch_template() -> None:
    template = launch_template(HttpTokens="required", HttpPutResponseHopLimit=2)
    template["Metadata"] = {"hardened-ec2": {"containers": "true"}}
    assert found(HOPS, {**SOUND, "Server": template}) == []


def test_a_launch_configuration_is_judged_too() -> None:
    resources = {"Old": resource("AutoScaling::LaunchConfiguration", MetadataOptions=NO_VALUE)}
    assert [finding.logical_id for finding in found(V2, resources)] == ["Old"]
