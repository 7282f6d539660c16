"""User data and cfn-init metadata: secrets, size, and commands that undo the hardening."""

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
"""Attributes that are secrets: those of AWS::IAM::AccessKey, and of custom resources by name."""

_SECRET_REFERENCES = ("{{resolve:secretsmanager:", "{{resolve:ssm-secure:")


@rule(
    id="HardenedEc2-UserDataSecret",
    severity=Severity.ERROR,
    subject=Subject.MACHINES,
    fact="User data contains no secrets.",
    why=(
        "User data is plain text to every process that reaches the metadata service, to "
        "everyone who may call ec2:DescribeInstanceAttribute, and to everyone who can read the "
        "template."
    ),
    fix=(
        "Keep the secret in Secrets Manager or Parameter Store, let the role read it, and "
        "fetch it when the server boots: aws secretsmanager get-secret-value. Rotate the "
        "exposed secret."
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
    """Report secrets in every layer of user data, and references that resolve to one."""
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
        "EC2 refuses to launch a server with more: the hardening in it never runs, and an Auto "
        "Scaling group cannot replace a broken server."
    ),
    fix="Move scripts to Amazon S3 or into the image, and fetch them from short user data.",
)
def user_data_size(case: Case) -> Iterator[Outcome]:
    """Measure the known part of user data; unknown parts can only add to it."""
    for server in _with_user_data(case):
        for value in server.at("UserData"):
            size, complete = known_size(value.content)
            if size > USER_DATA_LIMIT:
                known = "" if complete else "at least "
                yield faulty(
                    value,
                    f"user data is {known}{size:,} bytes, EC2 accepts {USER_DATA_LIMIT:,}",
                )


@rule(
    id="HardenedEc2-UserDataOpensLogin",
    severity=Severity.ERROR,
    subject=Subject.MACHINES,
    fact="User data does not re-enable a login or metadata access that the image disables.",
    why=(
        "One line undoes the hardening of the template around it: passwords and root over SSH "
        "are guessed, the Docker API gives root, and IMDSv1 hands out the role's credentials."
    ),
    fix=(
        "Remove the line: log in with keys from a whitelist, through an EC2 Instance Connect "
        "Endpoint or through Session Manager, and leave HttpTokens required."
    ),
)
def user_data_opens_login(case: Case) -> Iterator[Outcome]:
    """Report settings and commands that open a login, in every layer of user data."""
    yield from _commands(case, opened_logins)


@rule(
    id="HardenedEc2-UserDataWeakensHost",
    severity=Severity.WARNING,
    subject=Subject.MACHINES,
    fact="User data leaves the server's protections enabled.",
    why=(
        "What a script disables to make something run (the firewall, SELinux, package "
        "signatures) stays disabled, and an attacker has one barrier less to pass."
    ),
    fix=(
        "Give the program what it needs (a firewall rule, a policy module, a signing key) and "
        "leave the protection enabled."
    ),
)
def user_data_weakens_host(case: Case) -> Iterator[Outcome]:
    """Report commands that disable a protection, in every layer of user data."""
    yield from _commands(case, weakenings)


@rule(
    id="HardenedEc2-UserDataPipesToShell",
    severity=Severity.WARNING,
    subject=Subject.MACHINES,
    fact="User data runs a download only after verifying it.",
    why=(
        "An attacker who controls the download's server, its domain or the connection to it is "
        "root on every server that boots."
    ),
    fix=(
        "Build it into the image or install a signed package; or save it, verify it against a "
        "checksum written in the user data (sha256sum --check), and then run it."
    ),
)
def user_data_pipes_to_shell(case: Case) -> Iterator[Outcome]:
    """Report commands that run an unverified download, in every layer of user data."""
    yield from _commands(case, downloads_run)


@rule(
    id="HardenedEc2-MetadataSecret",
    severity=Severity.ERROR,
    subject=Subject.RESOURCES,
    fact="The Metadata that cfn-init reads contains no secrets.",
    why=(
        "Metadata is plain text to everyone who may call cloudformation:DescribeStackResource "
        "or can read the template, and to every server of the stack."
    ),
    fix=(
        "Let the server's role read the secret when it boots; "
        'AWS::CloudFormation::Authentication takes "roleName" for Amazon S3.'
    ),
    references=(
        Control(Framework.CHECKOV, "CKV_SECRET_2"),
        Control(Framework.KICS, "9ecb6b21"),
    ),
)
def metadata_secret(case: Case) -> Iterator[Outcome]:
    """Report secrets in the Metadata that cfn-init and cfn-hup read."""
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
    """Yield every value under a key of Metadata, each with the key it is the value of."""
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
        # The key shows that a bare value is a password.
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
    # User data calls cfn-init, which writes files and runs commands as root.
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
                Value(ABSENT, when, place),
                f"NoEcho parameter {name} is written into it as plain text",
            )


def _with_user_data(case: Case) -> Iterator[Server]:
    return (server for server in case.servers if server.kind is not Kind.NETWORK_INTERFACE)


def _hidden_parameters(server: Server) -> Iterator[Outcome]:
    """Report NoEcho parameters: the console masks them, user data shows them."""
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
                    f"NoEcho parameter {name} is written into user data as plain text",
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
            value, f"line {secret.line} of the {where}{inside} contains {secret.kind}{source}"
        )


def _is_parameter(origin: Unknown | Reference) -> bool:
    """Whether a person enters the value: ids, names and Regions are not secrets."""
    return (
        isinstance(origin, Unknown)
        and bool(origin.name)
        and not origin.name.startswith(("AWS::", "{{"))
    )


def _unread(value: Value) -> str | None:
    """Return why some of the user data cannot be read; none when all of it can."""
    content = value.content.of if isinstance(value.content, Base64) else value.content
    if isinstance(content, Text):
        nameless = [p for p in content.parts if isinstance(p, Unknown) and not p.name]
        return "; ".join(dict.fromkeys(part.why for part in nameless)) or None
    return why_unknown(content)
