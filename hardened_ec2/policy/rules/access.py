"""EC2 Instance Connect Endpoints, Session Manager and Network Access Scopes."""

import json
from collections.abc import Iterator
from typing import Final

from hardened_ec2.addresses import AddressSet
from hardened_ec2.policy.facts.groups import EGRESS_LIST, Groups
from hardened_ec2.policy.facts.ingress import TCP, read_group_rule
from hardened_ec2.policy.facts.reach import spelled_addresses
from hardened_ec2.policy.findings import Severity
from hardened_ec2.policy.resolve.scenarios import ALWAYS, When, holds, scenarios, together
from hardened_ec2.policy.resolve.values import (
    ABSENT,
    PLAIN,
    Tree,
    Value,
    as_bool,
    describe,
    why_unknown,
)
from hardened_ec2.policy.rules.case import Case
from hardened_ec2.policy.rules.groups import egress_rules, lets_everything_out
from hardened_ec2.policy.rules.rule import (
    Control,
    Fault,
    Framework,
    Outcome,
    doubtful,
    faulty,
    rule,
)
from hardened_ec2.policy.rules.subjects import Resources

_ENDPOINT: Final = "AWS::EC2::InstanceConnectEndpoint"
_TUNNELLED: Final = (22, 3389)
"""The ports that an EC2 Instance Connect Endpoint can tunnel to."""

_ENDPOINTS: Final = Resources("EC2 Instance Connect Endpoints", (_ENDPOINT,))
_DOCUMENTS: Final = Resources("Systems Manager documents", ("AWS::SSM::Document",))
_ACCESS_SCOPES: Final = Resources(
    "Network Access Scopes", ("AWS::EC2::NetworkInsightsAccessScope",)
)


@rule(
    id="HardenedEc2-InstanceConnectEndpointReach",
    severity=Severity.WARNING,
    subject=_ENDPOINTS,
    fact="An EC2 Instance Connect Endpoint can reach only the servers it is for.",
    why=(
        "Anyone allowed to open a tunnel through the endpoint reaches everything that it can "
        "reach: with wide egress, that is SSH and RDP on every server that was left open "
        "inside the network."
    ),
    fix=(
        "Give the endpoint a security group of its own whose SecurityGroupEgress allows port "
        "22 to the security groups of those servers only."
    ),
)
def endpoint_reach(case: Case) -> Iterator[Outcome]:
    """Count the addresses that the groups of each endpoint allow it to tunnel to."""
    groups = Groups(case.deployment)
    egress = egress_rules(case)
    for endpoint in case.deployment.resources(_ENDPOINT):
        for listed in endpoint.properties.at("SecurityGroupIds"):
            why = why_unknown(listed.content)
            named = listed.entries()
            if why is not None:
                yield doubtful(listed, f"SecurityGroupIds is not known: {why}")
                continue
            if not named:
                yield faulty(
                    listed, "it has no security group, so it gets the default group of its VPC"
                )
            for each in named:
                key = groups.key(each.content)
                if Groups.is_default(key):
                    yield faulty(each, f"{key[1]} is the default group of its VPC")
                elif not key[0]:
                    yield doubtful(each, f"the egress rules of {key[1]} are not in the templates")
                else:
                    yield from _reach(case, groups, each, egress.get(key, []))


def _reach(case: Case, groups: Groups, group: Value, rules: list[Value]) -> Iterator[Outcome]:
    resource = case.deployment.find(group.content)
    for egress in resource.properties.at(EGRESS_LIST) if resource is not None else ():
        when = together(group.when, egress.when)
        if when is not None and lets_everything_out(egress):
            yield Fault(
                place=group.place,
                message="its group has no egress rules, so EC2 allows all outbound traffic",
                when=when,
            )
    reached = AddressSet()
    for each in rules:
        for opening in read_group_rule(each, case.deployment, groups):
            if opening.peer is not None or not any(opening.admits(TCP, p) for p in _TUNNELLED):
                continue
            if opening.unknown:
                yield doubtful(each, f"what the endpoint can reach is not known: {opening.unknown}")
            elif together(group.when, opening.when) is not None:
                reached |= opening.addresses
    if reached.width > case.settings.whitelist_width:
        yield faulty(
            group,
            f"it can reach port 22 or 3389 of {spelled_addresses(reached)}, {reached.width} "
            f"addresses where {case.settings.whitelist_width} are allowed",
        )


@rule(
    id="HardenedEc2-InstanceConnectClientIp",
    severity=Severity.WARNING,
    subject=_ENDPOINTS,
    fact="Servers see the address of an EC2 Instance Connect Endpoint, not its clients' addresses.",
    why=(
        "With client addresses preserved, the security group of each server has to allow port "
        "22 from every client's public address, and such a rule also admits connections that "
        "bypass the endpoint."
    ),
    fix=(
        "Write PreserveClientIp false, and let the servers' security groups allow the "
        "endpoint's security group."
    ),
)
def endpoint_client_ip(case: Case) -> Iterator[Outcome]:
    """Judge PreserveClientIp of every endpoint; the default is false."""
    for endpoint in case.deployment.resources(_ENDPOINT):
        for answer in endpoint.properties.at("PreserveClientIp"):
            why = why_unknown(answer.content)
            if why is not None:
                yield doubtful(answer, f"PreserveClientIp is not known: {why}")
            elif as_bool(answer.content) is True:
                yield faulty(answer, "PreserveClientIp is true")


@rule(
    id="HardenedEc2-SessionRecording",
    severity=Severity.WARNING,
    subject=_DOCUMENTS,
    fact="Session Manager records shell sessions, and encrypts both the session and its log.",
    why=(
        "A user with sudo can erase every other trace of a session on the server, and an "
        "unencrypted log exposes what was typed in it, passwords included."
    ),
    fix=(
        "Write cloudWatchLogGroupName with cloudWatchEncryptionEnabled true, or s3BucketName "
        "with s3EncryptionEnabled true, and a kmsKeyId."
    ),
    references=(
        Control(Framework.NIST, "AU-14"),
        Control(Framework.CHECKOV, "CKV_AWS_112"),
        Control(Framework.CHECKOV, "CKV_AWS_113"),
    ),
)
def session_recording(case: Case) -> Iterator[Outcome]:
    """Judge the inputs of session documents for shells; other session types have no log."""
    for document in case.deployment.resources("AWS::SSM::Document"):
        if not any(kind.content == "Session" for kind in document.properties.at("DocumentType")):
            continue
        for written in document.properties.at("Content"):
            content = _read(written)
            if content is None:
                yield doubtful(written, "the session document is not known: it is not plain JSON")
                continue
            for kind in content.at("sessionType"):
                if kind.content == "Standard_Stream":
                    yield from _recorded(content, kind.when)


def _read(written: Value) -> Value | None:
    """Return the document as an object, parsed where it is JSON text."""
    content = written.content
    if isinstance(content, Tree):
        return written
    if not isinstance(content, str):
        return None
    try:
        read = json.loads(content)
    except ValueError:
        return None
    return Value(Tree(PLAIN, read), written.when, written.place) if _is_object(read) else None


def _is_object(read: object) -> bool:
    return isinstance(read, dict)


def _recorded(content: Value, shell: When) -> Iterator[Outcome]:
    destinations: list[Value] = []
    for name, encrypted, what in (
        ("cloudWatchLogGroupName", "cloudWatchEncryptionEnabled", "log group"),
        ("s3BucketName", "s3EncryptionEnabled", "bucket"),
    ):
        named = [value for value in content.at("inputs", name) if _is_given(value)]
        destinations += named
        for answer in content.at("inputs", encrypted):
            if all(together(answer.when, destination.when) is None for destination in named):
                continue
            why = why_unknown(answer.content)
            if why is not None:
                yield doubtful(answer, f"{encrypted} is not known: {why}")
            elif as_bool(answer.content) is not True:
                given = "not given" if answer.content is ABSENT else describe(answer.content)
                yield faulty(answer, f"{encrypted} is {given}, so the {what} may be unencrypted")
    for scenario in scenarios([shell, *(destination.when for destination in destinations)]):
        if holds(shell, scenario) and not any(holds(each.when, scenario) for each in destinations):
            yield Fault(
                place=content.place,
                message="sessions are not recorded: neither cloudWatchLogGroupName nor "
                "s3BucketName is given",
                when=scenario or ALWAYS,
            )
            break
    for key in content.at("inputs", "kmsKeyId"):
        if not _is_given(key):
            yield faulty(key, "kmsKeyId is not given, so only TLS encrypts a session")


def _is_given(value: Value) -> bool:
    return value.content is not ABSENT and value.content != ""


@rule(
    id="HardenedEc2-AccessScopeHole",
    severity=Severity.WARNING,
    subject=_ACCESS_SCOPES,
    fact="The exclusions of a Network Access Scope name individual resources.",
    why=(
        "An excluded path is never reported: where all load balancers are excluded, the one "
        "that exposes a server next year goes unnoticed."
    ),
    fix=(
        "In ExcludePaths, name the load balancer or gateway with Resources instead of "
        "ResourceTypes."
    ),
)
def access_scope_hole(case: Case) -> Iterator[Outcome]:
    """Report exclusions that neither a resource nor a packet header narrows."""
    for scope in case.deployment.resources("AWS::EC2::NetworkInsightsAccessScope"):
        for paths in scope.properties.at("ExcludePaths"):
            for path in paths.entries():
                why = why_unknown(path.content)
                if why is not None:
                    yield doubtful(path, f"what the scope excludes is not known: {why}")
                elif not _names_anything(path):
                    yield faulty(path, "it excludes paths by resource type and names no resource")


def _names_anything(path: Value) -> bool:
    statements = [
        *(each for end in ("Source", "Destination") for each in path.at(end)),
        *(each for through in path.at("ThroughResources") for each in through.entries()),
    ]
    return any(
        named.entries()
        for statement in statements
        for named in statement.at("ResourceStatement", "Resources")
    ) or any(
        isinstance(header.content, Tree)
        for statement in statements
        for header in statement.at("PacketHeaderStatement")
    )
