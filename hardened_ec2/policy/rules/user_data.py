"""User data: what is written into it is readable by everything that runs on the server."""

from collections.abc import Iterator

from hardened_ec2.policy.findings import Severity
from hardened_ec2.policy.rule import (
    Case,
    Control,
    Framework,
    Outcome,
    doubtful,
    faulty,
    rule,
)
from hardened_ec2.policy.scope import Scope
from hardened_ec2.policy.secrets import secrets_in
from hardened_ec2.policy.servers import Kind, Server
from hardened_ec2.policy.user_data import (
    MARK,
    MAX_DECODED,
    USER_DATA_LIMIT,
    Layer,
    known_size,
    layers,
)
from hardened_ec2.policy.values import (
    ABSENT,
    Base64,
    Reference,
    Text,
    Tree,
    Unknown,
    Value,
    as_bool,
    describe,
    why_unknown,
)

_SECRET_REFERENCES = ("{{resolve:secretsmanager:", "{{resolve:ssm-secure:")


@rule(
    id="HardenedEc2-UserDataSecret",
    severity=Severity.ERROR,
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


def _in_layer(value: Value, layer: Layer) -> Iterator[Outcome]:
    inside = f" (in {layer.encoding})" if layer.encoding else ""
    if layer.cut:
        yield doubtful(value, f"only the first {MAX_DECODED:,} bytes{inside} were read")
    for origin in layer.origins:
        if isinstance(origin, Unknown) and origin.name.startswith(_SECRET_REFERENCES):
            yield faulty(value, f"{origin.name} is written into user data as plain text{inside}")
        elif isinstance(origin, Reference) and origin.attribute == "SecretAccessKey":
            yield faulty(value, f"the secret access key {origin} is written into user data{inside}")
    for secret in secrets_in(layer.text):
        text = layer.text[slice(*secret.value)]
        marks = [layer.origins[int(mark)] for mark in MARK.findall(text)]
        if marks and not any(_is_parameter(origin) for origin in marks):
            continue
        source = f", from parameter {describe(marks[0])}" if marks else ""
        yield faulty(
            value, f"line {secret.line} of the user data{inside} holds {secret.kind}{source}"
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
