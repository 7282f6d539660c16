"""Ways to a server that are no open port: Instance Connect Endpoints and Session Manager."""

import json
from collections.abc import Iterator
from typing import Final

from hardened_ec2.addresses import AddressSet
from hardened_ec2.policy.facts.groups import EGRESS_LIST, Groups
from hardened_ec2.policy.facts.ingress import TCP, read_rule
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
from hardened_ec2.policy.rules.subjects import Subject

_ENDPOINT: Final = "AWS::EC2::InstanceConnectEndpoint"
_TUNNELLED: Final = (22, 3389)
"""The ports that EC2 tunnels to."""


@rule(
    id="HardenedEc2-InstanceConnectEndpointReach",
    severity=Severity.WARNING,
    subject=Subject.ENDPOINTS,
    fact="An EC2 Instance Connect Endpoint reaches the servers it is for, and no others.",
    why=(
        "Whoever may open a tunnel through it reaches whatever it reaches: one that is let out to "
        "the whole network leads to every server that was left open inside."
    ),
    fix=(
        "Give it a security group of its own whose egress names the groups of those servers, on "
        "port 22."
    ),
)
def endpoint_reach(case: Case) -> Iterator[Outcome]:
    """Unite what the groups of each endpoint let out to the ports that it tunnels to."""
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
                yield faulty(listed, "it has no security group, so it gets its VPC's default group")
            for each in named:
                key = groups.key(each.content)
                if Groups.is_default(key):
                    yield faulty(each, f"{key[1]} is the default group of its VPC")
                elif not key[0]:
                    yield doubtful(each, f"what {key[1]} lets out is not in the templates")
                else:
                    yield from _reach(case, groups, each, egress.get(key, []))


def _reach(case: Case, groups: Groups, group: Value, rules: list[Value]) -> Iterator[Outcome]:
    resource = case.deployment.find(group.content)
    for egress in resource.properties.at(EGRESS_LIST) if resource is not None else ():
        when = together(group.when, egress.when)
        if when is not None and lets_everything_out(egress):
            yield Fault(
                place=group.place,
                message="its group names no egress, so EC2 lets it out to everywhere",
                when=when,
            )
    reached = AddressSet()
    for each in rules:
        for opening in read_rule(each, case.deployment, groups):
            if opening.peer is not None or not any(opening.admits(TCP, p) for p in _TUNNELLED):
                continue
            if opening.unknown:
                yield doubtful(each, f"how far the endpoint reaches: {opening.unknown}")
            elif together(group.when, opening.when) is not None:
                reached |= opening.addresses
    if reached.width > case.settings.whitelist_width:
        yield faulty(
            group,
            f"it reaches port 22 or 3389 of {spelled_addresses(reached)}, {reached.width} "
            f"addresses where {case.settings.whitelist_width} are allowed",
        )


@rule(
    id="HardenedEc2-InstanceConnectClientIp",
    severity=Severity.WARNING,
    subject=Subject.ENDPOINTS,
    fact="Servers see an EC2 Instance Connect Endpoint itself, not its clients' addresses.",
    why=(
        "Where the client's address is preserved, the group of each server has to let in the "
        "public addresses of all clients on port 22, and then does so by every other way too."
    ),
    fix="Write PreserveClientIp false, and let the servers' groups name the endpoint's group.",
)
def endpoint_client_ip(case: Case) -> Iterator[Outcome]:
    """Judge PreserveClientIp of every endpoint; EC2 preserves no address unless it is told to."""
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
    subject=Subject.DOCUMENTS,
    fact="Shell sessions of Session Manager are recorded, and encrypted wherever they are.",
    why=(
        "A shell as a user with sudo leaves no other trace that its user could not remove; and "
        "what is typed in it, passwords included, lies readable where its log is not encrypted."
    ),
    fix=(
        "Write cloudWatchLogGroupName with cloudWatchEncryptionEnabled true, or s3BucketName with "
        "s3EncryptionEnabled true, and a kmsKeyId."
    ),
    references=(
        Control(Framework.NIST, "AU-14"),
        Control(Framework.CHECKOV, "CKV_AWS_112"),
        Control(Framework.CHECKOV, "CKV_AWS_113"),
    ),
)
def session_recording(case: Case) -> Iterator[Outcome]:
    """Judge the inputs of session documents for shells; other kinds of sessions record nothing."""
    for document in case.deployment.resources("AWS::SSM::Document"):
        if not any(kind.content == "Session" for kind in document.properties.at("DocumentType")):
            continue
        for written in document.properties.at("Content"):
            content = _read(written)
            if content is None:
                yield doubtful(written, "the session document is not known: it is no plain JSON")
                continue
            for kind in content.at("sessionType"):
                if kind.content == "Standard_Stream":
                    yield from _recorded(content, kind.when)


def _read(written: Value) -> Value | None:
    """Return the document as an object, also where it is JSON in text."""
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
                message="sessions are recorded nowhere: no log group and no bucket is given",
                when=scenario or ALWAYS,
            )
            break
    for key in content.at("inputs", "kmsKeyId"):
        if not _is_given(key):
            yield faulty(key, "kmsKeyId is not given, so TLS alone encrypts a session")


def _is_given(value: Value) -> bool:
    return value.content is not ABSENT and value.content != ""


@rule(
    id="HardenedEc2-AccessScopeHole",
    severity=Severity.WARNING,
    subject=Subject.ACCESS_SCOPES,
    fact="What a Network Access Scope leaves out is named one by one.",
    why=(
        "A path that is left out is never a finding again: leave out every load balancer, and the "
        "one that somebody opens next year is no finding either."
    ),
    fix="Write Resources with the load balancer or gateway that is meant, not ResourceTypes.",
)
def access_scope_hole(case: Case) -> Iterator[Outcome]:
    """Report exclusions in which no resource statement and no packet header names anything."""
    for scope in case.deployment.resources("AWS::EC2::NetworkInsightsAccessScope"):
        for paths in scope.properties.at("ExcludePaths"):
            for path in paths.entries():
                why = why_unknown(path.content)
                if why is not None:
                    yield doubtful(path, f"what the scope leaves out is not known: {why}")
                elif not _names_anything(path):
                    yield faulty(path, "it leaves out paths by their kind, and names none of them")


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
