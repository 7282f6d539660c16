"""CloudFormation, as the function sees it: an event comes, an answer is put somewhere."""

import io
import json
import os
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from mypy_boto3_ec2 import EC2Client

from hardened_ec2.account.functions.account_settings import handler
from hardened_ec2.account.functions.account_settings.handler import Event

URL = "https://cloudformation-custom-resource-response.s3.amazonaws.com/answer?signature=x"


class Context:
    log_stream_name = "2026/01/01/[$LATEST]1"


@dataclass
class CloudFormation:
    """Asks the function, and keeps what it answered.

    ``refusals`` is how often the place of the answer refuses it first.
    """

    answers: list[dict[str, Any]] = field(default_factory=list)
    requests: list[urllib.request.Request] = field(default_factory=list)
    refusals: int = 0

    def urlopen(self, request: urllib.request.Request, timeout: float) -> io.BytesIO:
        assert timeout > 0
        self.requests.append(request)
        if self.refusals:
            self.refusals -= 1
            raise TimeoutError("S3 is slow")
        assert isinstance(request.data, bytes)
        self.answers.append(json.loads(request.data))
        return io.BytesIO()

    def ask(
        self, request: str, name: str, physical_id: str | None = None, **values: str
    ) -> dict[str, Any]:
        event: Event = {
            "RequestType": request,
            "ResponseURL": URL,
            "StackId": "stack",
            "RequestId": "request",
            "ResourceType": f"Custom::{name}",
            "LogicalResourceId": f"Guardrails{name}",
            "ResourceProperties": {"ServiceToken": "arn", "ServiceTimeout": "600", **values},
        }
        if physical_id is not None:
            event["PhysicalResourceId"] = physical_id
        handler.on_event(event, Context())
        return self.answers[-1]


def forget_the_caller(patch: pytest.MonkeyPatch) -> None:
    """Take away what whoever runs the tests has set for AWS: endpoints, profiles, credentials."""
    for name in [*os.environ]:
        if name.startswith("AWS_"):
            patch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        patch.setenv(name, os.devnull)


def client_of_nobody() -> EC2Client:
    """Make a client that no environment and no file of the caller's reaches."""
    with pytest.MonkeyPatch.context() as patch:
        forget_the_caller(patch)
        return boto3.Session(
            region_name="us-east-1",
            # No test may reach an account, whoever runs it.
            aws_access_key_id="testing",
            aws_secret_access_key="testing",  # noqa: S106 - that is the point
        ).client("ec2")


@pytest.fixture(scope="session")
def client() -> EC2Client:
    """One for all: EC2's model takes longer to load than a test to run."""
    return client_of_nobody()


@pytest.fixture(autouse=True)
def _no_other_client(client: EC2Client, monkeypatch: pytest.MonkeyPatch) -> None:
    # The emulator asks the environment too, whatever the client was made with.
    forget_the_caller(monkeypatch)
    monkeypatch.setattr(handler, "_client", lambda: client)


@pytest.fixture
def cloudformation(monkeypatch: pytest.MonkeyPatch) -> CloudFormation:
    made = CloudFormation()
    monkeypatch.setattr(urllib.request, "urlopen", made.urlopen)
    monkeypatch.setattr(handler, "sleep", lambda _seconds: None)
    return made


@pytest.fixture
def ec2(client: EC2Client) -> Iterator[Stubber]:
    """EC2's API with scripted answers: each call must come, in order, with just these arguments."""
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()
