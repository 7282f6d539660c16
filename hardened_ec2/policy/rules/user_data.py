"""User data: what is written into it is readable by everything that runs on the server."""

import re
from collections.abc import Callable, Iterator
from typing import Final

from hardened_ec2.policy.facts.secrets import secrets_in
from hardened_ec2.policy.facts.servers import Kind, Server
from hardened_ec2.policy.facts.user_data import (
    MARK,
    MAX_DECODED,
    MAX_PARTS,
    USER_DATA_LIMIT,
    Layer,
    known_size,
    layers,
)
from hardened_ec2.policy.facts.weakening import Command, downloads_run, opened_logins, weakenings
from hardened_ec2.policy.findings import Severity
from hardened_ec2.policy.resolve.deployment import Resource
from hardened_ec2.policy.resolve.scenarios import When, together
from hardened_ec2.policy.resolve.scope import Scope
from hardened_ec2.policy.resolve.values import (
    ABSENT,
    Base64,
    Content,
    Place,
    Reference,
    Text,
    Tree,
    Unknown,
    Value,
    as_bool,
    describe,
    why_unknown,
)
from hardened_ec2.policy.rules.case import Case
from hardened_ec2.policy.rules.rule import (
    Control,
    Framework,
    Outcome,
    doubtful,
    faulty,
    rule,
)
from hardened_ec2.policy.rules.subjects import Subject

_INIT: Final = ("AWS::CloudFormation::Init", "AWS::CloudFormation::Authentication")
_DEEPEST: Final = 32
_SECRET_ATTRIBUTE: Final = re.compile(
    r"(?:secret|password|passphrase|token|(?:secretaccess|private|api)[_-]?key)\Z", re.IGNORECASE
)
"""Attributes that are secrets: of AWS::IAM::AccessKey, and of custom resources by their name."""

_SECRET_REFERENCES = ("{{resolve:secretsmanager:", "{{resolve:ssm-secure:")


@rule(
    id="HardenedEc2-UserDataSecret",
    severity=Severity.ERROR,
    subject=Subject.MACHINES,
    fact="User data holds no secret.",
    why=(
        "User data is plain text to every process that reaches the metadata service, to everyone "
        "who may call DescribeInstanceAttribute, and to everyone who reads the template."
    ),
    fix=(
        "Keep the secret in Secrets Manager or Parameter Store, let the role read it, and fetch it "
        "when the server boots: aws secretsmanager get-secret-value. Change the one that was here."
    ),
    references=(
        Control(Framework.CHECKOV, "CKV_AWS_46"),
        Control(Framework.TRIVY, "AWS-0029"),
        Control(Framework.TRIVY, "AWS-0129"),
        Control(Framework.PROWLER, "ec2_instance_secrets_user_data"),
        Control(Framework.PROWLER, "ec2_launch_template_no_secrets"),
    ),
)
def user_data_secret(case: Case) -> Iterator[Outcome]:
    """Look for secrets in every layer of user data, and for what resolves to one in it."""
    for server in _with_user_data(case):
        yield from _hidden_parameters(server)
        for value in server.at("UserData"):
            unread = _unread(value)
            if unread is not None:
                yield doubtful(value, f"the user data is not known: {unread}")
            for layer in layers(value.content):
                yield from _in_layer(value, layer)


@rule(
    id="HardenedEc2-UserDataSize",
    severity=Severity.ERROR,
    subject=Subject.MACHINES,
    fact=f"User data is at most {USER_DATA_LIMIT:,} bytes.",
    why=(
        "EC2 refuses to launch a server with more, so that the hardening in it, or the fleet that "
        "should replace a broken server, never runs."
    ),
    fix="Move scripts to Amazon S3 or into the image, and fetch them from a short user data.",
)
def user_data_size(case: Case) -> Iterator[Outcome]:
    """Measure what is known of user data; what is not can only add to it."""
    for server in _with_user_data(case):
        for value in server.at("UserData"):
            size, complete = known_size(value.content)
            if size > USER_DATA_LIMIT:
                known = "" if complete else "at least "
                yield faulty(
                    value,
                    f"user data is {known}{size:,} bytes, EC2 takes {USER_DATA_LIMIT:,}",
                )


@rule(
    id="HardenedEc2-UserDataOpensLogin",
    severity=Severity.ERROR,
    subject=Subject.MACHINES,
    fact="User data opens no login and no metadata that the image keeps shut.",
    why=(
        "One line of a script undoes the hardening of the template around it: passwords and root "
        "over SSH are guessed, the Docker API is root, and IMDSv1 hands out the role."
    ),
    fix=(
        "Take the line out: log in with keys from a whitelist, an EC2 Instance Connect Endpoint or "
        "Session Manager, and leave HttpTokens required."
    ),
)
def user_data_opens_login(case: Case) -> Iterator[Outcome]:
    """Look for such settings in every layer of user data."""
    yield from _commands(case, opened_logins)


@rule(
    id="HardenedEc2-UserDataWeakensHost",
    severity=Severity.WARNING,
    subject=Subject.MACHINES,
    fact="User data switches off nothing that guards the server.",
    why=(
        "Firewall, SELinux, signatures of packages: what a script switches off to make something "
        "run stays off, and nobody looks there again."
    ),
    fix="Give the program what it needs (a rule, a policy module, a key) and leave the guard on.",
)
def user_data_weakens_host(case: Case) -> Iterator[Outcome]:
    """Look for such commands in every layer of user data."""
    yield from _commands(case, weakenings)


@rule(
    id="HardenedEc2-UserDataPipesToShell",
    severity=Severity.WARNING,
    subject=Subject.MACHINES,
    fact="User data runs nothing from the network that it has not checked.",
    why=(
        "Whoever holds the other end, its domain or the way there is root on every server that "
        "boots, and no two servers need run the same."
    ),
    fix=(
        "Build it into the image or install a signed package; or save it, compare it with a "
        "checksum written in the user data (sha256sum --check), and then run it."
    ),
)
def user_data_pipes_to_shell(case: Case) -> Iterator[Outcome]:
    """Look for such commands in every layer of user data."""
    yield from _commands(case, downloads_run)


@rule(
    id="HardenedEc2-MetadataSecret",
    severity=Severity.ERROR,
    subject=Subject.RESOURCES,
    fact="What cfn-init reads from a resource's Metadata holds no secret.",
    why=(
        "Metadata is plain text to everyone who may call DescribeStackResource or read the "
        "template, and to every server of the stack."
    ),
    fix=(
        "Let the server's role read the secret when it boots; AWS::CloudFormation::Authentication "
        'takes "roleName" for Amazon S3.'
    ),
    references=(
        Control(Framework.CHECKOV, "CKV_SECRET_2"),
        Control(Framework.KICS, "9ecb6b21"),
    ),
)
def metadata_secret(case: Case) -> Iterator[Outcome]:
    """Look for secrets in the Metadata that cfn-init and cfn-hup read."""
    for resource in case.deployment.everything():
        metadata = resource.raw.get("Metadata") or {}
        for key in _INIT:
            if key not in metadata:
                continue
            place = resource.place.under("Metadata").under(key)
            yield from _hidden_in(resource.scope, metadata[key], resource.when, place)
            for value, name in _read_by_init(resource, key):
                yield from _in_metadata(value, name)


def _read_by_init(resource: Resource, key: str) -> Iterator[tuple[Value, str]]:
    """Yield everything that stands under a key of Metadata, each with the name it stands under."""
    metadata = resource.raw.get("Metadata") or {}
    for content, when in resource.scope.resolve(metadata[key]) if key in metadata else ():
        joined = together(resource.when, when)
        if joined is not None:
            place = resource.place.under("Metadata").under(key)
            yield from _leaves(Value(content, joined, place), key)


def _leaves(value: Value, name: str, depth: int = 0) -> Iterator[tuple[Value, str]]:
    content = value.content
    if not isinstance(content, Tree) or depth == _DEEPEST:
        yield value, name
    elif isinstance(content.raw, dict):
        for key in content.raw:
            for inner in value.at(str(key)):
                yield from _leaves(inner, str(key), depth + 1)
    else:
        for entry in value.entries():
            yield from _leaves(entry, name, depth + 1)


def _in_metadata(value: Value, name: str) -> Iterator[Outcome]:
    content = value.content
    if isinstance(content, Tree):
        yield doubtful(value, "the metadata is nested too deeply to be read")
    elif isinstance(content, Unknown) and not content.name:
        yield doubtful(value, f"the metadata is not known: {content.why}")
    elif isinstance(content, str | Text | Unknown | Reference):
        parts = content.parts if isinstance(content, Text) else (content,)
        # The name of a setting says of a bare value that it is a password.
        named = Text((f"{name}: ", *parts)) if _is_one_line(content) else content
        for layer in layers(Base64(named)):
            yield from _in_layer(value, layer, "metadata")


def _is_one_line(content: Content) -> bool:
    return not (isinstance(content, str | Text) and ("\n" in str(content) or " " in str(content)))


def _commands(case: Case, find: Callable[[str], tuple[Command, ...]]) -> Iterator[Outcome]:
    for server in _with_user_data(case):
        for value in server.at("UserData"):
            for layer in layers(value.content):
                inside = f" (in {layer.encoding})" if layer.encoding else ""
                for command in find(layer.text):
                    yield faulty(
                        value, f"line {command.line} of the user data{inside} {command.what}"
                    )
    # What cfn-init writes and runs, it writes and runs as root, called from user data.
    for resource in case.deployment.everything():
        for value, _ in _read_by_init(resource, _INIT[0]):
            if isinstance(value.content, str | Text):
                for layer in layers(Base64(value.content)):
                    for command in find(layer.text):
                        yield faulty(value, f"line {command.line} of the metadata {command.what}")


def _hidden_in(scope: Scope, raw: object, when: When, place: Place) -> Iterator[Outcome]:
    for declaring, name in scope.parameters_in(raw):
        if as_bool(declaring.parameter(name).get("NoEcho", False)):
            yield faulty(
                Value(ABSENT, when, place), f"NoEcho parameter {name} ends in it as plain text"
            )


def _with_user_data(case: Case) -> Iterator[Server]:
    return (server for server in case.servers if server.kind is not Kind.NETWORK_INTERFACE)


def _hidden_parameters(server: Server) -> Iterator[Outcome]:
    """Report NoEcho parameters: hidden in the console, plain text in user data."""
    for holder in (*server.own, *server.behind):
        content = holder.content
        if not (
            isinstance(content, Tree)
            and isinstance(content.raw, dict)
            and isinstance(content.scope, Scope)
        ):
            continue
        for scope, name in content.scope.parameters_in(content.raw.get("UserData")):
            if as_bool(scope.parameter(name).get("NoEcho", False)):
                place = holder.place.under("UserData")
                yield faulty(
                    Value(ABSENT, holder.when, place),
                    f"NoEcho parameter {name} ends in user data as plain text",
                )


def _in_layer(value: Value, layer: Layer, where: str = "user data") -> Iterator[Outcome]:
    inside = f" (in {layer.encoding})" if layer.encoding else ""
    if layer.cut:
        what = f"more than {MAX_DECODED:,} bytes or {MAX_PARTS:,} parts are encoded in it{inside}"
        yield doubtful(value, f"{what}, and the rest was not read")
    for origin in layer.origins:
        if isinstance(origin, Unknown) and origin.name.startswith(_SECRET_REFERENCES):
            yield faulty(value, f"{origin.name} is written into {where} as plain text{inside}")
        elif isinstance(origin, Reference) and _SECRET_ATTRIBUTE.search(origin.attribute):
            yield faulty(value, f"the secret {origin} is written into {where}{inside}")
    for secret in secrets_in(layer.text):
        text = layer.text[slice(*secret.value)]
        marks = [layer.origins[int(mark)] for mark in MARK.findall(text)]
        if marks and not any(_is_parameter(origin) for origin in marks):
            continue
        source = f", from parameter {describe(marks[0])}" if marks else ""
        yield faulty(
            value, f"line {secret.line} of the {where}{inside} holds {secret.kind}{source}"
        )


def _is_parameter(origin: Unknown | Reference) -> bool:
    """Tell whether a person types the value: ids, names and regions are no secrets."""
    return (
        isinstance(origin, Unknown)
        and bool(origin.name)
        and not origin.name.startswith(("AWS::", "{{"))
    )


def _unread(value: Value) -> str | None:
    """Say why some of the user data cannot be looked into; none when all of it can."""
    content = value.content.of if isinstance(value.content, Base64) else value.content
    if isinstance(content, Text):
        nameless = [p for p in content.parts if isinstance(p, Unknown) and not p.name]
        return "; ".join(dict.fromkeys(part.why for part in nameless)) or None
    return why_unknown(content)
