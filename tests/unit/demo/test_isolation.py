from pathlib import Path

import pytest

from demo.isolation import NO_ENDPOINT, isolate

HOME = Path("home")
CALLER = {
    "AWS_ACCESS_KEY_ID": "a real key",
    "AWS_SECRET_ACCESS_KEY": "a real secret",
    "AWS_SESSION_TOKEN": "a real token",
    "AWS_PROFILE": "production",
    "AWS_ENDPOINT_URL_EC2": "https://elsewhere.example",
    "aws_access_key_id": "a real key, in another case",
    "BOTO_CONFIG": "/home/caller/.boto",
    "CDK_DEFAULT_ACCOUNT": "111111111111",
    "CDK_DEPLOY_ROLE_ARN": "arn:aws:iam::111111111111:role/deploy",
    "HOME": "/home/caller",
    "HTTPS_PROXY": "http://proxy.example",
    "NODE_OPTIONS": "--require /home/caller/hook.js",
    "PATH": "/usr/bin",
    "LANG": "C.UTF-8",
}


def test_nothing_of_the_callers_accounts_is_left() -> None:
    isolated = isolate(CALLER, HOME, NO_ENDPOINT)

    secret = {value for name, value in CALLER.items() if name not in {"PATH", "LANG"}} & set(
        isolated.values()
    )
    assert secret == set()
    assert isolated["AWS_ACCESS_KEY_ID"] == isolated["AWS_SECRET_ACCESS_KEY"] == "emulator"
    assert isolated["AWS_CONFIG_FILE"] == isolated["AWS_SHARED_CREDENTIALS_FILE"] == "/dev/null"
    assert isolated["HOME"] == str(HOME)
    assert not [name for name in isolated if name.lower().endswith("_proxy")]


def test_what_leads_to_no_account_is_kept() -> None:
    isolated = isolate(CALLER, HOME, NO_ENDPOINT)

    assert isolated["LANG"] == "C.UTF-8"
    assert isolated["PATH"].endswith(":/usr/bin")


def test_keys_go_together_with_a_loopback_endpoint_only() -> None:
    isolated = isolate({}, HOME, "http://localhost:5000")

    assert isolated["AWS_ENDPOINT_URL"] == "http://localhost:5000"


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "https://ec2.us-east-1.amazonaws.com",
        "http://localhost.example:80",
        "http://localhost:80@ec2.example",
        "http://127.0.0.1:5000",
    ],
)
def test_any_other_endpoint_is_refused(endpoint: str) -> None:
    with pytest.raises(ValueError, match="write http://localhost:PORT"):
        isolate(CALLER, HOME, endpoint)
