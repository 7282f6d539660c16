"""The Lambda function behind the custom resources of `AccountGuardrails`.

Each setting is a resource of its own, so that CloudFormation's own life cycle is all there is:

- create sets it, and remembers what was found in the physical id, which never changes after;
- update sets it anew; a rollback is an update with the values of before;
- delete puts back what was found. `AccountGuardrails` has CloudFormation ask for that only when a
  first deploy is rolled back, or when it was told to.

A setting that already is what it should be is left alone, so that every event can come twice. When
it does, the second create finds what the first one set, and a delete then keeps that: the failure
is on the hardened side.
"""

import json
import logging
import urllib.request
from time import sleep
from typing import TYPE_CHECKING, Any, Protocol, TypedDict
from urllib.parse import parse_qsl, urlencode

import boto3
from botocore.config import Config

from .settings import ACCOUNT, SETTINGS, Setting, State

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

logger = logging.getLogger(__name__)
logger.setLevel(logging.INFO)

TYPE_PREFIX = "Custom::"
ANSWER_ATTEMPTS = 4
REASON_LENGTH = 1000
"""CloudFormation takes 4 KB of answer in all, and shows less."""


class Event(TypedDict, total=False):
    """What CloudFormation asks of a custom resource."""

    RequestType: str
    ResponseURL: str
    StackId: str
    RequestId: str
    ResourceType: str
    LogicalResourceId: str
    PhysicalResourceId: str
    ResourceProperties: dict[str, Any]


class Context(Protocol):
    """The part of Lambda's context that is used here."""

    @property
    def log_stream_name(self) -> str:
        """The log stream of this invocation."""


class ManagedElsewhereError(Exception):
    """A declarative policy of the organization holds the setting at another value."""


def on_event(event: Event, context: Context) -> None:
    """Do what CloudFormation asks, and answer it in every case.

    Args:
        event: What it asks.
        context: Lambda's context.
    """
    name = event["ResourceType"].removeprefix(TYPE_PREFIX)
    # A failed create is deleted by this id: it says that there is nothing to put back.
    physical_id = event.get("PhysicalResourceId", name)
    status, reason = "SUCCESS", ""
    try:
        physical_id = _carry_out(event, name, physical_id)
    except Exception as error:  # whatever it is, CloudFormation waits for an answer
        logger.exception("%s %s failed", event["RequestType"], name)
        status, reason = "FAILED", f"{name}: {error}"[:REASON_LENGTH]
    _answer(
        event["ResponseURL"],
        {
            "Status": status,
            "Reason": f"{reason} (log stream {context.log_stream_name})".strip(),
            "PhysicalResourceId": physical_id,
            "StackId": event["StackId"],
            "RequestId": event["RequestId"],
            "LogicalResourceId": event["LogicalResourceId"],
        },
    )


def _carry_out(event: Event, name: str, physical_id: str) -> str:
    """Create, update or delete, and return the physical id."""
    setting = SETTINGS[name]
    ec2 = _client()
    wanted = {
        key: str(value)
        for key, value in event["ResourceProperties"].items()
        if key not in ("ServiceToken", "ServiceTimeout")
    }
    if event["RequestType"] == "Delete":
        found = dict(parse_qsl(physical_id.partition("?")[2]))
        if found not in ({}, wanted):
            _put_back(ec2, name, setting, found)
        return physical_id
    before = setting.read(ec2)
    _set(ec2, name, setting, before, wanted)
    if event["RequestType"] == "Create" and setting.restorable:
        return f"{name}?{urlencode(before.values)}"
    return physical_id


def _set(
    ec2: "EC2Client", name: str, setting: Setting, before: State, wanted: dict[str, str]
) -> None:
    if before.values == wanted:
        logger.info("%s already is %s", name, wanted)
        return
    if before.managed_by != ACCOUNT:
        raise ManagedElsewhereError(
            f"a {before.managed_by} holds it at {before.values}, and {wanted} is wanted: have the "
            "organization's policy say the same, or leave it to the policy with "
            f"ec2_attributes=None. {before.message}".strip()
        )
    setting.write(ec2, wanted)
    logger.info("%s was %s and is %s", name, before.values, wanted)


def _put_back(ec2: "EC2Client", name: str, setting: Setting, found: dict[str, str]) -> None:
    now = setting.read(ec2)
    if now.managed_by != ACCOUNT:
        # What an organization has set since then is not the stack's to change, nor in its way.
        logger.info("%s stays %s", name, now.values)
        return
    # Whatever was read: EC2 takes minutes to show some changes, and a rollback comes sooner.
    setting.write(ec2, found)
    logger.info("%s was %s and is %s again", name, now.values, found)


def _client() -> "EC2Client":
    return boto3.client(
        "ec2",
        config=Config(
            connect_timeout=5,
            read_timeout=10,
            # Every try of a few calls must end before the two minutes of the function do.
            retries={"mode": "standard", "total_max_attempts": 3},
        ),
    )


def _answer(url: str, answer: dict[str, str]) -> None:
    """Put the answer where CloudFormation waits for it; a lost one costs the whole timeout."""
    if not url.startswith("https://"):
        raise ValueError(f"the ResponseURL is {url!r}: CloudFormation's are https")
    body = json.dumps(answer).encode()
    # The signature of the URL covers an empty content type, and no other.
    request = urllib.request.Request(  # noqa: S310 - https, see above
        url, data=body, method="PUT", headers={"Content-Type": ""}
    )
    for attempt in range(ANSWER_ATTEMPTS):
        try:
            with urllib.request.urlopen(request, timeout=10):  # noqa: S310 - https, see above
                return
        except OSError:
            logger.exception("answer %d of %d was not taken", attempt + 1, ANSWER_ATTEMPTS)
            if attempt + 1 == ANSWER_ATTEMPTS:
                raise
            sleep(2**attempt)
