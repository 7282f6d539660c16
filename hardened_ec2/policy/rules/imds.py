"""The instance metadata service (IMDS), which hands out the credentials of a server's role."""

from collections.abc import Iterator
from typing import Final

from hardened_ec2.policy.facts.servers import Kind, Server
from hardened_ec2.policy.findings import Severity
from hardened_ec2.policy.resolve.scenarios import together
from hardened_ec2.policy.resolve.values import ABSENT, Value, as_int, describe, why_unknown
from hardened_ec2.policy.rules.case import Case
from hardened_ec2.policy.rules.rule import (
    Control,
    Doubt,
    Fault,
    Framework,
    Outcome,
    doubtful,
    faulty,
    rule,
)
from hardened_ec2.policy.rules.subjects import Subject

CONTAINERS: Final = "containers"
"""What a container host declares in its Metadata: ``{"hardened-ec2": {"containers": true}}``."""

CONTAINER_HOP_LIMIT: Final = 2
"""One hop to the host, one more across the bridge to its containers."""


@rule(
    id="HardenedEc2-ImdsV2",
    severity=Severity.ERROR,
    subject=Subject.MACHINES,
    fact="The instance metadata service requires a session token (IMDSv2) or is disabled.",
    why=(
        "Without the token, one forged request from the server (SSRF, an open proxy, a "
        "misconfigured web application firewall) reads the credentials of its role."
    ),
    fix='Write MetadataOptions with HttpTokens "required", or HttpEndpoint "disabled".',
    references=(
        Control(Framework.SECURITY_HUB, "EC2.8"),
        Control(Framework.SECURITY_HUB, "EC2.170"),
        Control(Framework.SECURITY_HUB, "AutoScaling.3"),
        Control(Framework.CIS, "5.7"),
        Control(Framework.NIST, "AC-6"),
        Control(Framework.CONTROL_TOWER, "CT.EC2.PR.1"),
        Control(Framework.CONTROL_TOWER, "CT.AUTOSCALING.PR.2"),
        Control(Framework.CDK_NAG, "EC2IMDSv2Enabled"),
        Control(Framework.CHECKOV, "CKV_AWS_79"),
        Control(Framework.TRIVY, "AWS-0028"),
        Control(Framework.TRIVY, "AWS-0130"),
        Control(Framework.PROWLER, "ec2_instance_imdsv2_enabled"),
        Control(Framework.PROWLER, "ec2_launch_template_imdsv2_required"),
    ),
)
def imds_v2(case: Case) -> Iterator[Outcome]:
    """Judge HttpTokens of every server whose endpoint is not disabled."""
    for options in _enabled_options(case):
        for tokens in options.at("HttpTokens"):
            if tokens.content == "required":
                continue
            if tokens.content is ABSENT:
                yield faulty(
                    options,
                    "HttpTokens is not given, so the image or the account decides whether the "
                    "metadata service answers without a token",
                )
            elif (why := why_unknown(tokens.content)) is not None:
                yield doubtful(tokens, f"HttpTokens is not known: {why}")
            else:
                yield faulty(
                    tokens,
                    f"HttpTokens is {describe(tokens.content)}, so the metadata service answers "
                    "without a token",
                )


@rule(
    id="HardenedEc2-ImdsHopLimit",
    severity=Severity.ERROR,
    subject=Subject.MACHINES,
    fact="The IMDS hop limit is 1, or 2 on a declared container host.",
    why=(
        "Each further hop lets a container, a proxy or a VPN client behind the server fetch "
        "the credentials of its role."
    ),
    fix=(
        "Write HttpPutResponseHopLimit 1; for a host whose containers need the metadata "
        'service, write 2 and declare it: Metadata {"hardened-ec2": {"containers": true}}, '
        "which Imds.for_containers() does."
    ),
    references=(
        Control(Framework.SECURITY_HUB, "AutoScaling.4"),
        Control(Framework.CONTROL_TOWER, "CT.EC2.PR.2"),
        Control(Framework.CONTROL_TOWER, "CT.AUTOSCALING.PR.3"),
        Control(Framework.CHECKOV, "CKV_AWS_341"),
    ),
)
def hop_limit(case: Case) -> Iterator[Outcome]:
    """Judge HttpPutResponseHopLimit of every server whose endpoint is not disabled."""
    for server in _with_metadata(case):
        limit = CONTAINER_HOP_LIMIT if _hosts_containers(case, server) else 1
        for options in _enabled(server):
            for hops in options.at("HttpPutResponseHopLimit"):
                yield from _judged_hops(hops, limit)


@rule(
    id="HardenedEc2-ImdsTags",
    severity=Severity.WARNING,
    subject=Subject.MACHINES,
    fact="Instance tags are kept out of instance metadata.",
    why=(
        "Tags say what a server is for, who owns it and how it is deployed: one request to the "
        "metadata service gives an attacker a map of the environment."
    ),
    fix=(
        'Omit InstanceMetadataTags or write "disabled"; where the server needs its tags, let '
        "its role call ec2:DescribeTags."
    ),
)
def imds_tags(case: Case) -> Iterator[Outcome]:
    """Judge InstanceMetadataTags of every server whose endpoint is not disabled."""
    for options in _enabled_options(case):
        if why_unknown(options.content) is not None:
            continue
        for tags in options.at("InstanceMetadataTags"):
            why = why_unknown(tags.content)
            if why is not None:
                yield doubtful(tags, f"InstanceMetadataTags is not known: {why}")
            elif tags.content not in (ABSENT, "disabled"):
                yield faulty(tags, f"InstanceMetadataTags is {describe(tags.content)}")


def _judged_hops(hops: Value, limit: int) -> Iterator[Fault | Doubt]:
    number = as_int(hops.content)
    if hops.content is ABSENT:
        # For images registered with IMDSv2, such as Amazon Linux 2023, EC2 chooses 2.
        yield doubtful(hops, "HttpPutResponseHopLimit is not given, so the image decides: 1 or 2")
    elif number is None:
        why = why_unknown(hops.content) or f"{describe(hops.content)} is not a number"
        yield doubtful(hops, f"HttpPutResponseHopLimit is not known: {why}")
    elif number > limit:
        declared = "" if number > CONTAINER_HOP_LIMIT else " without declared containers"
        yield faulty(
            hops,
            f"HttpPutResponseHopLimit is {number}, at most {limit} is allowed{declared}",
        )


def _with_metadata(case: Case) -> Iterator[Server]:
    return (server for server in case.servers if server.kind is not Kind.NETWORK_INTERFACE)


def _enabled_options(case: Case) -> Iterator[Value]:
    for server in _with_metadata(case):
        yield from _enabled(server)


def _enabled(server: Server) -> Iterator[Value]:
    """Yield the metadata options of a server under which the endpoint is enabled."""
    for options in server.at("MetadataOptions"):
        for endpoint in options.at("HttpEndpoint"):
            when = together(options.when, endpoint.when)
            if endpoint.content != "disabled" and when is not None:
                yield Value(options.content, when, options.place)


def _hosts_containers(case: Case, server: Server) -> bool:
    """Whether the server, or the launch template its options come from, declares containers."""
    if server.resource.declares(CONTAINERS):
        return True
    places = {options.place[:2] for options in server.at("MetadataOptions")}
    return any(
        resource.declares(CONTAINERS)
        for resource in case.deployment.resources(Kind.LAUNCH_TEMPLATE)
        if resource.key in places
    )
