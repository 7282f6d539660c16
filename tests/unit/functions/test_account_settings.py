"""The function's settings, one call at a time: EC2's API is scripted where no emulator has it."""

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from botocore.stub import Stubber
from mypy_boto3_ec2 import EC2Client

from hardened_ec2.account.ec2_attributes import Ec2Attributes
from hardened_ec2.account.functions.account_settings import handler
from hardened_ec2.account.functions.account_settings.settings import SETTINGS
from tests.unit.functions.conftest import CloudFormation

FUNCTIONS = Path(handler.__file__).parents[1]

WANTED = Ec2Attributes().instance_metadata_defaults
UNSET = {
    "HttpTokens": "no-preference",
    "HttpTokensEnforced": "no-preference",
    "HttpPutResponseHopLimit": -1,
    "InstanceMetadataTags": "no-preference",
}
HARDENED = {**WANTED, "HttpPutResponseHopLimit": 1}

KEY = "arn:aws:kms:us-east-1:111122223333:key/1"
AWS_KEY = "arn:aws:kms:us-east-1:111122223333:alias/aws/ebs"


@dataclass(frozen=True, kw_only=True)
class Switch:
    """A setting with two positions: the calls that read it, harden it and bring it back."""

    name: str
    wanted: dict[str, str]
    read: str
    found: dict[str, Any]
    harden: str
    undo: str
    arguments: dict[str, str] = field(default_factory=dict)

    @property
    def hardened(self) -> dict[str, Any]:
        """What EC2 answers once it is hardened, in the types that it answers in."""
        return {
            name: value == "true" if isinstance(self.found[name], bool) else value
            for name, value in self.wanted.items()
        }


SWITCHES = [
    Switch(
        name="SerialConsoleAccess",
        wanted={"SerialConsoleAccessEnabled": "false"},
        read="get_serial_console_access_status",
        found={"SerialConsoleAccessEnabled": True},
        harden="disable_serial_console_access",
        undo="enable_serial_console_access",
    ),
    Switch(
        name="EbsEncryptionByDefault",
        wanted={"EbsEncryptionByDefault": "true"},
        read="get_ebs_encryption_by_default",
        found={"EbsEncryptionByDefault": False},
        harden="enable_ebs_encryption_by_default",
        undo="disable_ebs_encryption_by_default",
    ),
    Switch(
        name="ImageBlockPublicAccess",
        wanted={"ImageBlockPublicAccessState": "block-new-sharing"},
        read="get_image_block_public_access_state",
        found={"ImageBlockPublicAccessState": "unblocked"},
        harden="enable_image_block_public_access",
        arguments={"ImageBlockPublicAccessState": "block-new-sharing"},
        undo="disable_image_block_public_access",
    ),
    Switch(
        name="EbsDefaultKmsKey",
        wanted={"KmsKeyId": KEY},
        read="get_ebs_default_kms_key_id",
        found={"KmsKeyId": AWS_KEY},
        harden="modify_ebs_default_kms_key_id",
        arguments={"KmsKeyId": KEY},
        undo="reset_ebs_default_kms_key_id",
    ),
]


def test_metadata_defaults_are_set_and_what_was_there_is_remembered(
    cloudformation: CloudFormation, ec2: Stubber
) -> None:
    ec2.add_response("get_instance_metadata_defaults", {"AccountLevel": {"HttpTokens": "optional"}})
    ec2.add_response("modify_instance_metadata_defaults", {"Return": True}, HARDENED)
    answer = cloudformation.ask("Create", "InstanceMetadataDefaults", **WANTED)
    assert answer["Status"] == "SUCCESS"
    physical_id = answer["PhysicalResourceId"]
    assert physical_id == (
        "InstanceMetadataDefaults?HttpTokens=optional&HttpTokensEnforced=no-preference"
        "&HttpPutResponseHopLimit=-1&InstanceMetadataTags=no-preference"
    )
    ec2.add_response("get_instance_metadata_defaults", {"AccountLevel": HARDENED})
    ec2.add_response(
        "modify_instance_metadata_defaults", {"Return": True}, {**UNSET, "HttpTokens": "optional"}
    )
    deleted = cloudformation.ask("Delete", "InstanceMetadataDefaults", physical_id, **WANTED)
    assert (deleted["Status"], deleted["PhysicalResourceId"]) == ("SUCCESS", physical_id)


def test_an_account_without_any_default_can_be_read(
    cloudformation: CloudFormation, ec2: Stubber
) -> None:
    ec2.add_response("get_instance_metadata_defaults", {})
    ec2.add_response("modify_instance_metadata_defaults", {"Return": True}, HARDENED)
    answer = cloudformation.ask("Create", "InstanceMetadataDefaults", **WANTED)
    assert "HttpTokens=no-preference" in answer["PhysicalResourceId"]


@pytest.mark.parametrize("switch", SWITCHES, ids=lambda each: each.name)
def test_a_setting_is_set_and_put_back(
    cloudformation: CloudFormation, ec2: Stubber, switch: Switch
) -> None:
    ec2.add_response(switch.read, switch.found)
    ec2.add_response(switch.harden, {}, switch.arguments)
    created = cloudformation.ask("Create", switch.name, **switch.wanted)
    ec2.add_response(switch.read, switch.hardened)
    ec2.add_response(switch.undo, {}, {})
    deleted = cloudformation.ask(
        "Delete", switch.name, created["PhysicalResourceId"], **switch.wanted
    )
    assert [created["Status"], deleted["Status"]] == ["SUCCESS", "SUCCESS"]


@pytest.mark.parametrize("switch", SWITCHES, ids=lambda each: each.name)
def test_what_already_is_right_is_left_alone_and_stays(
    cloudformation: CloudFormation, ec2: Stubber, switch: Switch
) -> None:
    """No write is scripted, so that any would fail: hardened before, hardened after."""
    for _ in range(2):
        ec2.add_response(switch.read, switch.hardened)
    created = cloudformation.ask("Create", switch.name, **switch.wanted)
    again = cloudformation.ask("Create", switch.name, **switch.wanted)
    deleted = cloudformation.ask(
        "Delete", switch.name, created["PhysicalResourceId"], **switch.wanted
    )
    assert {each["Status"] for each in (created, again, deleted)} == {"SUCCESS"}
    assert created["PhysicalResourceId"] == again["PhysicalResourceId"]


def test_a_change_that_does_not_show_yet_is_put_back_too(
    cloudformation: CloudFormation, ec2: Stubber
) -> None:
    """Blocking public images takes up to ten minutes; a rollback does not wait for it."""
    ec2.add_response(
        "get_image_block_public_access_state", {"ImageBlockPublicAccessState": "unblocked"}
    )
    ec2.add_response("disable_image_block_public_access", {}, {})
    answer = cloudformation.ask(
        "Delete",
        "ImageBlockPublicAccess",
        "ImageBlockPublicAccess?ImageBlockPublicAccessState=unblocked",
        ImageBlockPublicAccessState="block-new-sharing",
    )
    assert answer["Status"] == "SUCCESS"


def test_an_update_and_its_rollback_keep_the_physical_id(
    cloudformation: CloudFormation, ec2: Stubber
) -> None:
    physical_id = "InstanceMetadataDefaults?HttpTokens=optional"
    two_hops = {**WANTED, "HttpPutResponseHopLimit": "2"}
    for now, wanted in ((HARDENED, two_hops), ({**HARDENED, "HttpPutResponseHopLimit": 2}, WANTED)):
        ec2.add_response("get_instance_metadata_defaults", {"AccountLevel": now})
        ec2.add_response(
            "modify_instance_metadata_defaults",
            {"Return": True},
            {**HARDENED, "HttpPutResponseHopLimit": int(wanted["HttpPutResponseHopLimit"])},
        )
        answer = cloudformation.ask("Update", "InstanceMetadataDefaults", physical_id, **wanted)
        assert (answer["Status"], answer["PhysicalResourceId"]) == ("SUCCESS", physical_id)


def test_a_failed_create_is_answered_and_its_delete_changes_nothing(
    cloudformation: CloudFormation, ec2: Stubber
) -> None:
    ec2.add_response("get_serial_console_access_status", {"SerialConsoleAccessEnabled": True})
    ec2.add_client_error(
        "disable_serial_console_access", "UnauthorizedOperation", "You are not authorized"
    )
    failed = cloudformation.ask("Create", "SerialConsoleAccess", SerialConsoleAccessEnabled="false")
    assert failed["Status"] == "FAILED"
    assert failed["Reason"].startswith("SerialConsoleAccess: ")
    assert "You are not authorized" in failed["Reason"]
    assert "2026/01/01/[$LATEST]1" in failed["Reason"]
    assert failed["PhysicalResourceId"] == "SerialConsoleAccess"
    deleted = cloudformation.ask(
        "Delete", "SerialConsoleAccess", "SerialConsoleAccess", SerialConsoleAccessEnabled="false"
    )
    assert deleted["Status"] == "SUCCESS"


def test_a_failed_update_keeps_the_physical_id(
    cloudformation: CloudFormation, ec2: Stubber
) -> None:
    ec2.add_client_error("get_ebs_default_kms_key_id", "InternalError")
    answer = cloudformation.ask("Update", "EbsDefaultKmsKey", "EbsDefaultKmsKey?KmsKeyId=1")
    assert (answer["Status"], answer["PhysicalResourceId"]) == (
        "FAILED",
        "EbsDefaultKmsKey?KmsKeyId=1",
    )


def test_a_delete_that_fails_says_so(cloudformation: CloudFormation, ec2: Stubber) -> None:
    ec2.add_response("get_serial_console_access_status", {"SerialConsoleAccessEnabled": False})
    ec2.add_client_error("enable_serial_console_access", "UnauthorizedOperation")
    answer = cloudformation.ask(
        "Delete", "SerialConsoleAccess", "SerialConsoleAccess?SerialConsoleAccessEnabled=true"
    )
    assert answer["Status"] == "FAILED"


def test_a_declarative_policy_of_another_value_is_named(
    cloudformation: CloudFormation, ec2: Stubber
) -> None:
    held = {
        **HARDENED,
        "HttpPutResponseHopLimit": 2,
        "ManagedBy": "declarative-policy",
        "ManagedExceptionMessage": "Ask platform@",
    }
    ec2.add_response("get_instance_metadata_defaults", {"AccountLevel": held})
    answer = cloudformation.ask("Create", "InstanceMetadataDefaults", **WANTED)
    assert answer["Status"] == "FAILED"
    assert "a declarative-policy holds it at" in answer["Reason"]
    assert "ec2_attributes=None" in answer["Reason"]
    assert "Ask platform@" in answer["Reason"]


def test_a_declarative_policy_of_the_same_value_is_welcome_and_not_in_the_way(
    cloudformation: CloudFormation, ec2: Stubber
) -> None:
    held = {"SerialConsoleAccessEnabled": False, "ManagedBy": "declarative-policy"}
    for _ in range(2):
        ec2.add_response("get_serial_console_access_status", held)
    created = cloudformation.ask(
        "Create", "SerialConsoleAccess", SerialConsoleAccessEnabled="false"
    )
    deleted = cloudformation.ask(
        "Delete", "SerialConsoleAccess", "SerialConsoleAccess?SerialConsoleAccessEnabled=true"
    )
    assert [created["Status"], deleted["Status"]] == ["SUCCESS", "SUCCESS"]


def test_an_unknown_setting_is_answered_too(cloudformation: CloudFormation) -> None:
    answer = cloudformation.ask("Create", "Firewall")
    assert (answer["Status"], answer["PhysicalResourceId"]) == ("FAILED", "Firewall")


def test_the_answer_names_the_request(cloudformation: CloudFormation) -> None:
    answer = cloudformation.ask("Delete", "SerialConsoleAccess", "SerialConsoleAccess")
    assert {key: answer[key] for key in ("StackId", "RequestId", "LogicalResourceId")} == {
        "StackId": "stack",
        "RequestId": "request",
        "LogicalResourceId": "GuardrailsSerialConsoleAccess",
    }
    (request,) = cloudformation.requests
    assert request.get_method() == "PUT"
    assert request.headers == {"Content-type": ""}


def test_an_answer_that_is_not_taken_is_put_again(cloudformation: CloudFormation) -> None:
    cloudformation.refusals = handler.ANSWER_ATTEMPTS - 1
    cloudformation.ask("Delete", "SerialConsoleAccess", "SerialConsoleAccess")
    assert len(cloudformation.requests) == handler.ANSWER_ATTEMPTS
    assert len(cloudformation.answers) == 1


def test_an_answer_that_is_never_taken_fails_the_function(cloudformation: CloudFormation) -> None:
    """Lambda then tries the event again."""
    cloudformation.refusals = handler.ANSWER_ATTEMPTS
    with pytest.raises(TimeoutError):
        cloudformation.ask("Delete", "SerialConsoleAccess", "SerialConsoleAccess")


def test_nothing_is_sent_but_by_https(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.unit.functions.conftest.URL", "file:///etc/passwd")
    with pytest.raises(ValueError, match="'file:///etc/passwd': CloudFormation's are https"):
        CloudFormation().ask("Delete", "SerialConsoleAccess", "SerialConsoleAccess")


def test_a_long_reason_is_cut(cloudformation: CloudFormation, ec2: Stubber) -> None:
    ec2.add_client_error("get_ebs_default_kms_key_id", "InternalError", "x" * 9000)
    answer = cloudformation.ask("Create", "EbsDefaultKmsKey", KmsKeyId=KEY)
    assert len(json.dumps(answer)) < 4096


def test_every_action_is_one_that_ec2_has(client: EC2Client) -> None:
    """A misspelt action is a permission that is missing only at a deployment."""
    known = set(client.meta.service_model.operation_names)
    for setting in SETTINGS.values():
        actions = [
            *setting.actions,
            *(a for each in setting.resource_actions.values() for a in each),
        ]
        for action in actions:
            service, _, operation = action.partition(":")
            assert service == "ec2"
            assert operation in known
            assert "*" not in action


def test_it_runs_on_its_own_as_lambda_loads_it() -> None:
    """Only the asset and boto3: nothing else of this package is there."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "import account_settings.handler as handler;"
        "assert callable(handler.on_event);"
        "print(sorted(m for m in sys.modules if m.startswith(('hardened_ec2', 'aws_cdk'))))"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, str(FUNCTIONS)],
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
    )
    assert done.stdout.strip() == "[]"
