"""Templates to begin with: the sound ones of the tests, and the bad ones with their twins."""

from typing import Any, Final

from tests.unit.policy.facts.test_load_balancers import SSH, classic, fleet, in_a_row
from tests.unit.policy.rules.test_what_checkers_miss import CASES, SECTIONS
from tests.unit.policy.templates import GATEWAY, SOUND, instance, ref

_SECTIONS: Final[dict[str, Any]] = {
    "AWSTemplateFormatVersion": "2010-09-09",
    **SECTIONS,
    "Parameters": {
        **SECTIONS["Parameters"],
        "P": {"Type": "String", "Default": "0.0.0.0/0", "AllowedValues": ["10.0.0.0/8"]},
        "L": {"Type": "CommaDelimitedList", "Default": "sg-1,sg-2"},
    },
    "Mappings": {"M": {"eu-west-1": {"cidr": "203.0.113.7/32"}, "us-east-1": {"cidr": "::/0"}}},
    "Outputs": {"Id": {"Value": ref("Server"), "Export": {"Name": "id"}}},
}


def seeds() -> tuple[dict[str, Any], ...]:
    """Return the templates, each as decoded."""
    resources = [
        SOUND,
        {**SOUND, **GATEWAY},
        SSH,
        classic(),
        fleet(TargetGroupARNs=[ref("Targets")]),
    ]
    resources.append(in_a_row({"IpProtocol": "-1", "CidrIp": "0.0.0.0/0"}, {"IpProtocol": "-1"}))
    for case in CASES.values():
        resources += [dict(case.bad), dict(case.good)]
    resources.append({**SOUND, "Second": {**instance(), "Condition": "C"}})
    return tuple({**_SECTIONS, "Resources": dict(each)} for each in resources)
