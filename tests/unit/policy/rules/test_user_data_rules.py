import base64
import gzip
from typing import Any

import pytest

from hardened_ec2.policy import Severity, Template, judge
from hardened_ec2.policy.facts.user_data import USER_DATA_LIMIT, known_size, layers
from hardened_ec2.policy.resolve.values import Base64, Unknown
from tests.unit.policy.templates import (
    SOUND,
    found,
    get_att,
    if_,
    instance,
    judged,
    message,
    ref,
    resource,
    server,
)

SECRET = "UserDataSecret"  # noqa: S105 - the name of a rule
UNREAD = "more than 1,048,576 bytes or 1,000 parts are encoded in it, and the rest was not read"
SIZE = "UserDataSize"

PARAMETERS: dict[str, Any] = {
    "Parameters": {
        "Hidden": {"Type": "String", "NoEcho": True},
        "HiddenToo": {"Type": "String", "NoEcho": "true", "Default": "x"},
        "Plain": {"Type": "String"},
        "Known": {"Type": "String", "Default": "PASSWORD=hunter2"},
    }
}

SCRIPT = "#!/bin/sh\nexport PASSWORD=hunter2\n"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def zipped(text: str) -> str:
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def joined(*parts: object) -> dict[str, Any]:
    return {"Fn::Base64": {"Fn::Join": ["", list(parts)]}}


def multipart(encoding: str, body: str) -> str:
    return (
        'Content-Type: multipart/mixed; boundary="X"\nMIME-Version: 1.0\n\n--X\n'
        f"Content-Type: text/x-shellscript\nContent-Transfer-Encoding: {encoding}\n\n"
        f"{body}\n--X--\n"
    )


PASSWORD = "contains a value for PASSWORD"  # noqa: S105 - a message


@pytest.mark.parametrize(
    ("user_data", "text"),
    [
        ({"Fn::Base64": SCRIPT}, f"line 2 of the user data {PASSWORD}"),
        (encoded(SCRIPT), f"line 2 of the user data {PASSWORD}"),
        (zipped(SCRIPT), f"line 2 of the user data {PASSWORD}"),
        (
            joined("#!/bin/sh\nexport PASS", "WORD=hun", "ter2\n"),
            f"line 2 of the user data {PASSWORD}",
        ),
        (
            {"Fn::Base64": {"Fn::Sub": ["export ${n}=${v}", {"n": "PASSWORD", "v": "hunter2"}]}},
            PASSWORD,
        ),
        ({"Fn::Base64": if_("C", "#!/bin/sh", SCRIPT)}, f"{PASSWORD} (when condition C is false)"),
        ({"Fn::Base64": multipart("7bit", SCRIPT)}, PASSWORD),
        ({"Fn::Base64": multipart("base64", encoded(SCRIPT))}, f"(in base64) {PASSWORD}"),
        ({"Fn::Base64": multipart("base64", zipped(SCRIPT))}, f"(in gzip) {PASSWORD}"),
        (joined("--X\n\n", {"Fn::Base64": SCRIPT}, "\n--X--"), PASSWORD),
        (
            joined("--X\n\n", {"Fn::Base64": {"Fn::Sub": f"{SCRIPT}${{Server2}}"}}),
            f"(in base64) {PASSWORD}",
        ),
        ({"Fn::Base64": f"echo {encoded(SCRIPT)} | base64 -d | sh"}, f"(in base64) {PASSWORD}"),
        (
            {
                "Fn::Base64": "powershell -enc "
                + base64.b64encode(SCRIPT.encode("utf-16-le")).decode()
            },
            PASSWORD,
        ),
        (joined("#!/bin/sh\n", ref("Known")), PASSWORD),
        (joined("#!/bin/sh\nPASSWORD=", ref("Plain")), f"{PASSWORD}, from parameter ${{Plain}}"),
        (
            joined("PASSWORD={{resolve:secretsmanager:prod/db:SecretString:password}}\n"),
            "{{resolve:secretsmanager:prod/db:SecretString:password}} is written into user data",
        ),
        (
            joined("X={{resolve:secretsmanager:", ref("Server2"), ":SecretString}}"),
            "{{resolve:secretsmanager:${Server2}:SecretString}} is written into user data",
        ),
        (
            joined("{{resolve:ssm-secure:/db}}"),
            "{{resolve:ssm-secure:/db}} is written into user data",
        ),
        (
            joined("key ", ref("Hidden")),
            "NoEcho parameter Hidden is written into user data as plain text",
        ),
        (
            joined("key ", {"Fn::Sub": "${HiddenToo}"}),
            "NoEcho parameter HiddenToo is written into user data",
        ),
        (
            joined("key ", if_("C", ref("Hidden"), "x")),
            "NoEcho parameter Hidden is written into user data",
        ),
        (
            joined(get_att("Server2", "SecretAccessKey")),
            "the secret Server2.SecretAccessKey is written",
        ),
        (joined(get_att("Server2", "privateKey")), "the secret Server2.privateKey is written"),
        (joined(get_att("Server2", "Admin.Password")), "the secret Server2.Admin.Password is"),
        (joined(get_att("Server2", "ClientSecret")), "the secret Server2.ClientSecret is written"),
    ],
)
def test_a_secret_is_an_error_however_it_is_wrapped(user_data: object, text: str) -> None:
    resources = {**server(UserData=user_data), "Server2": resource("IAM::AccessKey")}
    findings = found(SECRET, resources, **PARAMETERS)
    assert findings
    assert all(finding.severity is Severity.ERROR for finding in findings)
    assert all(finding.path == "Properties.UserData" for finding in findings)
    assert any(text in finding.message for finding in findings), findings
    assert all("hunter2" not in finding.message for finding in findings)


@pytest.mark.parametrize(
    "user_data",
    [
        None,
        {"Fn::Base64": "#!/bin/sh\nTOKEN=$(aws secretsmanager get-secret-value --secret-id db)\n"},
        joined("#!/bin/sh\necho ", ref("AWS::Region"), " ", ref("Vpc"), get_att("Role", "Arn")),
        joined("SECRET_ARN=", ref("Vpc"), "\nNAME=", ref("Plain")),
        joined("TOKEN=", ref("Vpc")),
        joined("LEVEL={{resolve:ssm:/log/level}}"),
        {"Fn::Base64": {"Fn::FindInMap": ["M", ref("Hidden"), "script"]}},
        {"Fn::Base64": "#!/bin/sh\necho AAAAB3NzaC1yc2EAAAADAQABAAABgQC7AAAA >> authorized_keys\n"},
    ],
)
def test_user_data_without_a_secret_is_sound(user_data: object) -> None:
    mappings: dict[str, Any] = {"Mappings": {"M": {"a": {"script": "echo a"}}}}
    assert judged(server(UserData=user_data), **PARAMETERS, **mappings) == []


@pytest.mark.parametrize(
    "user_data",
    [
        ref("Plain"),
        {"Fn::Base64": ref("Plain")},
        joined("a", {"Fn::Unheard": 1}),
        {"Fn::GetAZs": ""},
    ],
)
def test_user_data_that_is_not_known_cannot_be_verified(user_data: object) -> None:
    resources = server(UserData=user_data)
    assert found(SECRET, resources, **PARAMETERS) == []
    assert "the user data is not known" in message("CannotVerify", resources, **PARAMETERS)


def test_a_hidden_parameter_is_followed_into_a_nested_stack() -> None:
    child = Template(
        name="child.json",
        document={
            "Parameters": {"Passed": {"Type": "String"}},
            "Resources": server(UserData=joined("key ", ref("Passed"))),
        },
    )
    stack = resource(
        "CloudFormation::Stack", TemplateURL="child.json", Parameters={"Passed": ref("Hidden")}
    )
    parent = Template(name="parent.json", document={**PARAMETERS, "Resources": {"Stack": stack}})
    messages = [finding.message for finding in judge([child, parent])]
    assert "NoEcho parameter Hidden is written into user data as plain text" in messages


def test_launch_templates_and_configurations_are_read_too() -> None:
    data = {"UserData": encoded(SCRIPT)}
    resources = {
        "Template": resource("EC2::LaunchTemplate", LaunchTemplateData=data),
        "Old": resource("AutoScaling::LaunchConfiguration", **data),
    }
    assert [f.logical_id for f in found(SECRET, resources)] == ["Old", "Template"]


LIMIT = "x" * USER_DATA_LIMIT


@pytest.mark.parametrize(
    "user_data", [{"Fn::Base64": LIMIT}, encoded(LIMIT), joined(LIMIT, ref("Vpc"))]
)
def test_user_data_up_to_the_limit_is_sound(user_data: object) -> None:
    assert found(SIZE, server(UserData=user_data)) == []


@pytest.mark.parametrize(
    ("user_data", "size"),
    [
        ({"Fn::Base64": LIMIT + "x"}, "16,385 bytes"),
        (encoded(LIMIT + "x"), "16,385 bytes"),
        (joined(LIMIT, ref("Vpc"), "x"), "at least 16,385 bytes"),
        ({"Fn::Base64": "\u00e9" * 8193}, "16,386 bytes"),
        (joined("--X\n", {"Fn::Base64": "x" * 12288}, "\n"), "16,389 bytes"),
        (if_("C", {"Fn::Base64": LIMIT + "x"}), "16,385 bytes"),
    ],
)
def test_user_data_over_the_limit_is_an_error(user_data: object, size: str) -> None:
    (finding,) = found(SIZE, server(UserData=user_data))
    assert finding.severity is Severity.ERROR
    assert finding.message.startswith(f"user data is {size}, EC2 accepts 16,384")


def test_a_text_that_is_no_utf8_is_measured_all_the_same() -> None:
    assert known_size(Base64("\ud800")) == (3, True)
    assert known_size(Unknown("no")) == (0, False)


def test_layers_end() -> None:
    text = SCRIPT
    for _ in range(8):
        text = f"echo {encoded(text)}"
    assert len(list(layers(Base64(text)))) <= 6


def test_a_zip_bomb_is_opened_only_so_far() -> None:
    bomb = base64.b64encode(gzip.compress(b"a" * 20_000_000, mtime=0)).decode()
    opened = list(layers(Base64(f"x {bomb}")))
    assert max(len(layer.text) for layer in opened) <= 2**20


def members(*texts: str) -> str:
    return base64.b64encode(
        b"".join(gzip.compress(text.encode(), mtime=0) for text in texts)
    ).decode()


def test_every_member_of_a_gzip_file_is_read() -> None:
    user_data = members("#!/bin/sh\necho hello\n", "", "export PASS", "WORD=hunter2\n")
    assert message(SECRET, server(UserData=user_data)) == f"line 3 of the user data {PASSWORD}"
    inner = joined("write_files:\n- encoding: gz+b64\n  content: ", user_data)
    assert PASSWORD in message(SECRET, server(UserData=inner))
    assert judged(server(UserData=members("#!/bin/sh\n", "echo hello\n"))) == []


def test_what_a_bomb_hides_behind_its_limit_is_said_to_be_unread() -> None:
    user_data = members("a" * 2**19, "\u00e9" * 2**20, SCRIPT)
    assert found(SECRET, server(UserData=user_data)) == []
    assert UNREAD in message("CannotVerify", server(UserData=user_data))


@pytest.mark.parametrize(
    "part",
    [
        zipped("a " * 2**19),
        zipped("\x00" * 2**20),
        base64.b64encode(b"echo hello world").decode(),
    ],
    ids=["text", "noise", "small"],
)
def test_many_bombs_are_opened_no_further_than_one(part: str) -> None:
    user_data = zipped(f"{part}\n\n" * (2**20 // (len(part) + 2)))
    opened = list(layers(user_data))
    assert sum(len(layer.text) for layer in opened) < 3 * 2**20
    assert len(opened) < 1100
    assert UNREAD in message("CannotVerify", server(UserData=user_data))


def test_as_many_parts_as_anyone_writes_are_all_read() -> None:
    parts = [base64.b64encode(f"echo hello to file {n}".encode()).decode() for n in range(999)]
    last = base64.b64encode(SCRIPT.encode()).decode()
    assert PASSWORD in message(SECRET, server(UserData={"Fn::Base64": "\n\n".join([*parts, last])}))


@pytest.mark.parametrize(
    "user_data",
    [
        base64.b64encode(b"#!/bin/sh\nx=\x00\x01\xff\nPASSWORD=hunter2\n").decode(),
        {"Fn::Base64": "Content-Transfer-Encoding: Quoted-Printable\n\nPASS=\nWORD=3Dhunter2\n"},
        {"Fn::Base64": f"echo {base64.b64encode(b'password=hunter2').decode()} | base64 -d"},
        base64.b64encode(gzip.compress(SCRIPT.encode())[:-9]).decode(),
        members(SCRIPT) + "\n",
    ],
    ids=["binary", "quoted-printable", "short", "truncated", "newline"],
)
def test_no_disguise_of_the_outer_text_hides_a_secret(user_data: object) -> None:
    findings = found(SECRET, server(UserData=user_data))
    assert any("contains a value for" in finding.message for finding in findings)


def test_an_instance_and_its_template_are_told_once() -> None:
    resources = {
        **SOUND,
        "Server": instance(UserData=None, LaunchTemplate={"LaunchTemplateId": ref("Template")}),
        "Template": resource(
            "EC2::LaunchTemplate", LaunchTemplateData={"UserData": encoded(SCRIPT)}
        ),
    }
    assert [finding.logical_id for finding in found(SECRET, resources)] == ["Template"]


def test_every_reason_why_user_data_is_not_known_is_said() -> None:
    unheard = [{"Fn::Unheard": 1}, {"Fn::Unseen": 1}]
    resources = server(UserData=joined("a", *unheard, unheard[0]))
    assert message("CannotVerify", resources).endswith(
        ": the user data is not known: Fn::Unheard is evaluated at deployment; "
        "Fn::Unseen is evaluated at deployment"
    )


@pytest.mark.parametrize(
    ("parts", "holds"),
    [
        ((ref("Plain"), ref("AWS::Region")), True),
        ((ref("AWS::Region"), ref("Plain")), True),
        ((ref("AWS::Region"),), False),
        ((ref("AWS::StackName"), ref("AWS::Region")), False),
        ((ref("Group"),), False),
        ((get_att("Group", "GroupId"),), False),
    ],
)
def test_only_what_a_person_types_is_a_secret(parts: tuple[object, ...], holds: bool) -> None:  # noqa: FBT001
    resources = server(UserData=joined("#!/bin/sh\nPASSWORD=", *parts, "\n"))
    secrets = [each for each in found(SECRET, resources, **PARAMETERS) if PASSWORD in each.message]
    assert bool(secrets) == holds


def test_a_reference_to_a_parameter_of_systems_manager_is_no_secret() -> None:
    secret = "{{resolve:ssm:/app/password}}"  # noqa: S105 - a reference
    resources = server(UserData=joined("#!/bin/sh\nPASSWORD=", secret, "\n"))
    assert found(SECRET, resources) == []
