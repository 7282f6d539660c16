"""Who uses a security group, also in templates that nobody would write."""

import pytest

from tests.unit.policy.templates import found, group, resource, rule


@pytest.mark.parametrize("attribute", [{"a": "b"}, 7, [], None, True])
def test_an_attribute_of_nothing_is_no_user_and_no_accident(attribute: object) -> None:
    resources = {
        "Open": group(rule("0.0.0.0/0", ports=(8080, 8080))),
        "Other": resource("SQS::Queue", QueueName={"Fn::GetAtt": attribute}),
    }
    messages = [each.message for each in found("CannotVerify", resources)]
    assert any("the templates do not show what uses it" in each for each in messages)


@pytest.mark.parametrize("attribute", [["Open", "GroupId"], "Open.GroupId"])
def test_a_group_that_is_named_by_attribute_has_a_user(attribute: object) -> None:
    resources = {
        "Open": group(rule("0.0.0.0/0", ports=(8080, 8080))),
        "Other": resource("RDS::DBInstance", VPCSecurityGroups=[{"Fn::GetAtt": attribute}]),
    }
    messages = [each.message for each in found("CannotVerify", resources)]
    assert not any("the templates do not show what uses it" in each for each in messages)
