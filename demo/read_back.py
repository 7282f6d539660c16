"""Judgement of a deployment: each lock as a row of found and expected values.

Pure: takes the plain values of `deployed` and never calls AWS. A row that does not hold says what
was found; a missing value is a row too.
"""

import gzip
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from demo.deployed import Deployment, Group, Network, Rule, Server, Statement
from hardened_ec2.addresses import AddressSet

SSH_PORT = 22
_TIME_SYNC = AddressSet.of("169.254.169.123/32")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One lock, on one resource.

    Args:
        lock: The name of the lock, the same for every resource of a kind.
        resource: Where it is in the app, the stack first.
        holds: Whether the found value is as expected.
        found: The value that AWS returned.
        expected: The expected value.
        why: What the lock prevents.
    """

    lock: str
    resource: str
    holds: bool
    found: str
    expected: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """Values that the deployment should have.

    Args:
        ssh_from: The addresses that may reach port 22.
        public_stacks: The stacks whose servers should have a public address.
    """

    ssh_from: AddressSet
    public_stacks: frozenset[str]


def judge(deployment: Deployment, expectation: Expectation) -> tuple[Row, ...]:
    """Compare a deployment with its expected values.

    Args:
        deployment: What was read.
        expectation: The expected values.

    Returns:
        A row for each lock of each server and network, networks first.
    """
    rows: list[Row] = []
    for network in deployment.networks:
        rows += _network_rows(network, deployment.groups)
    for server in deployment.servers:
        rows += _server_rows(server, deployment.groups, expectation)
    return tuple(rows)


def _server_rows(
    server: Server, own_groups: Mapping[str, str], expectation: Expectation
) -> Iterator[Row]:
    yield from _metadata_rows(server)
    yield from _traffic_rows(server, own_groups, expectation)
    yield from _instance_rows(server, expectation)
    yield _user_data_row(server)
    yield _role_row(server)


def _metadata_rows(server: Server) -> Iterator[Row]:
    yield Row(
        lock="IMDS session tokens",
        resource=server.path,
        holds=server.http_tokens == "required" or server.http_endpoint == "disabled",
        found=f"HttpTokens {server.http_tokens}",
        expected="HttpTokens required",
        why="a request forged through the server cannot fetch its credentials",
    )
    yield Row(
        lock="IMDS hop limit",
        resource=server.path,
        holds=server.http_put_response_hop_limit == 1,
        found=f"{server.http_put_response_hop_limit}",
        expected="1",
        why="a token does not cross into a container or a proxy behind the server",
    )
    ipv6, tags = server.http_protocol_ipv6, server.instance_metadata_tags
    yield Row(
        lock="IMDS over IPv6, tags",
        resource=server.path,
        holds=(ipv6, tags) == ("disabled", "disabled"),
        found=f"IPv6 {ipv6}, tags {tags}",
        expected="IPv6 disabled, tags disabled",
        why="one address to guard, and no tags to read",
    )


def _traffic_rows(
    server: Server, own_groups: Mapping[str, str], expectation: Expectation
) -> Iterator[Row]:
    names = [own_groups.get(group.group_id, group.name) for group in server.groups]
    yield Row(
        lock="security group",
        resource=server.path,
        holds=bool(names) and all(group.group_id in own_groups for group in server.groups),
        found=_list(names),
        expected="groups that its stack made",
        why="every resource without a group of its own joins the VPC's default group",
    )
    ingress = [rule for group in server.groups for rule in group.ingress]
    ssh = [rule for rule in ingress if _covers(rule, SSH_PORT)]
    yield Row(
        lock="SSH",
        resource=server.path,
        holds=all(
            _addresses(rule) <= expectation.ssh_from if _is_cidr(rule) else rule.peer in own_groups
            for rule in ssh
        ),
        found=_list(own_groups.get(rule.peer, rule.peer) for rule in ssh),
        expected=f"groups of these stacks, and {expectation.ssh_from}",
        why="nobody can guess passwords on a closed port",
    )
    other = [rule for rule in ingress if not _is_only(rule, SSH_PORT) and _is_cidr(rule)]
    yield Row(
        lock="other ports",
        resource=server.path,
        holds=not other,
        found=_rules(other, own_groups),
        expected="none open to an address",
        why="a closed port cannot be attacked",
    )
    egress = [rule for group in server.groups for rule in group.egress]
    # Joined: two rules to half the internet each reach the internet.
    reached = AddressSet.of(*(rule.peer for rule in egress if _is_cidr(rule)))
    yield Row(
        lock="egress",
        resource=server.path,
        holds=bool(egress) and not reached.is_world,
        found=_rules(egress, own_groups),
        expected="rules, and none to the world",
        why="an intruder cannot fetch tools or send data home",
    )


def _instance_rows(server: Server, expectation: Expectation) -> Iterator[Row]:
    public = server.path.partition("/")[0] in expectation.public_stacks
    yield Row(
        lock="public address",
        resource=server.path,
        holds=len(server.public_addresses) == int(public),
        found=_list(server.public_addresses),
        expected="one, as a bastion has" if public else "none",
        why="the internet cannot reach a server without a public address",
    )
    clear = [volume.volume_id for volume in server.volumes if not volume.encrypted]
    yield Row(
        lock="volumes",
        resource=server.path,
        holds=bool(server.volumes) and not clear,
        found=f"volumes: {len(server.volumes)}, not encrypted: {_list(clear)}",
        expected="all encrypted",
        why="a copied snapshot is unreadable without the key",
    )
    yield Row(
        lock="termination protection",
        resource=server.path,
        holds=server.termination_protected,
        found=_on(server.termination_protected),
        expected="on",
        why="one wrong call does not terminate the server",
    )
    yield Row(
        lock="detailed monitoring",
        resource=server.path,
        holds=server.monitoring == "enabled",
        found=server.monitoring,
        expected="enabled",
        why="metrics show an attack within one minute instead of five",
    )
    yield Row(
        lock="key pair",
        resource=server.path,
        holds=not server.key_name,
        found=server.key_name or "none",
        expected="none",
        why="no key exists that is never rotated",
    )


def _user_data_row(server: Server) -> Row:
    size = len(server.user_data)
    same = server.user_data == server.template_user_data
    text = server.user_data
    if text.startswith(b"\x1f\x8b"):
        text = gzip.decompress(text)
    boothook = text.startswith(b"Content-Type: multipart/") and b"#cloud-boothook" in text
    return Row(
        lock="user data",
        resource=server.path,
        holds=same and boothook,
        found=f"{size} bytes, {'as' if same else 'not as'} in the template, "
        f"{'with' if boothook else 'without'} the boothook",
        expected="as in the template, with the boothook",
        why="sshd and the metadata service are locked before anyone can log in",
    )


def _role_row(server: Server) -> Row:
    wide = sorted({action for each in server.statements for action in _wildcard_actions(each)})
    return Row(
        lock="role",
        resource=server.path,
        holds=bool(server.statements) and not wide,
        found=f"statements: {len(server.statements)}, wildcard actions: {_list(wide)}",
        expected="some, without wildcard actions",
        why="stolen credentials grant little",
    )


def _network_rows(network: Network, own_groups: Mapping[str, str]) -> Iterator[Row]:
    default = network.default_group
    yield Row(
        lock="default security group",
        resource=network.path,
        holds=not default.ingress and not default.egress,
        found=f"in: {_rules(default.ingress, own_groups)}; "
        f"out: {_rules(default.egress, own_groups)}",
        expected="in: none; out: none",
        why="a resource that joins it by accident reaches nothing",
    )
    open_subnets = [subnet.subnet_id for subnet in network.subnets if subnet.gives_public_addresses]
    yield Row(
        lock="subnets",
        resource=network.path,
        holds=bool(network.subnets) and not open_subnets,
        found=f"subnets: {len(network.subnets)}, assigning public addresses: {_list(open_subnets)}",
        expected="none assigns public addresses",
        why="a server is never public by default",
    )
    kinds = [f"{log.traffic_type} {log.status}" for log in network.flow_logs]
    yield Row(
        lock="flow logs",
        resource=network.path,
        holds="ALL ACTIVE" in kinds,
        found=_list(kinds),
        expected="ALL ACTIVE",
        why="attempts can be investigated afterwards",
    )
    kept = [
        f"{'encrypted' if log.kms_key_id else 'not encrypted'}, "
        f"{f'{log.retention_in_days} days' if log.retention_in_days else 'forever'}"
        for log in network.log_groups
    ]
    yield Row(
        lock="flow log storage",
        resource=network.path,
        holds=bool(kept)
        and all(log.kms_key_id and log.retention_in_days for log in network.log_groups),
        found=_list(kept),
        expected="encrypted, with a retention",
        why="only permitted principals read the evidence, and it expires",
    )
    yield _private_door_row(network, own_groups)
    yield _ssh_door_row(network, own_groups)


def _private_door_row(network: Network, own_groups: Mapping[str, str]) -> Row:
    rules = [rule for group in network.endpoint_groups for rule in group.ingress]
    return Row(
        lock="interface endpoints",
        resource=network.path,
        holds=bool(network.endpoint_groups)
        and all(_is_only(rule, 443) and rule.peer in own_groups for rule in rules),
        found=_rules(rules, own_groups) if network.endpoint_groups else "no endpoint",
        expected="HTTPS from groups of these stacks",
        why="named servers reach AWS services without the internet",
    )


def _ssh_door_row(network: Network, own_groups: Mapping[str, str]) -> Row:
    groups = network.ssh_endpoint_groups
    rules = _real_rules(groups)
    return Row(
        lock="Instance Connect Endpoint",
        resource=network.path,
        holds=bool(groups)
        and not any(group.ingress for group in groups)
        and all(_is_only(rule, SSH_PORT) and rule.peer in own_groups for rule in rules),
        found=_rules(rules, own_groups) if groups else "no endpoint",
        expected="SSH to groups of these stacks",
        why="IAM authorizes SSH, and the endpoint reaches nothing else",
    )


def _real_rules(groups: Iterable[Group]) -> list[Rule]:
    """Egress without the time service's link-local address, which security groups never filter."""
    return [
        rule
        for group in groups
        for rule in group.egress
        if not (_is_cidr(rule) and _addresses(rule) <= _TIME_SYNC)
    ]


def _covers(rule: Rule, port: int) -> bool:
    return rule.protocol == "-1" or (
        rule.protocol == "tcp" and rule.first_port <= port <= rule.last_port
    )


def _is_only(rule: Rule, port: int) -> bool:
    return (rule.protocol, rule.first_port, rule.last_port) == ("tcp", port, port)


def _is_cidr(rule: Rule) -> bool:
    return "/" in rule.peer


def _addresses(rule: Rule) -> AddressSet:
    return AddressSet.of(rule.peer)


def _wildcard_actions(statement: Statement) -> list[str]:
    if statement["Effect"] != "Allow":
        return []
    if "NotAction" in statement:
        return ["NotAction"]
    actions = statement["Action"]
    named = [actions] if isinstance(actions, str) else actions
    return [action for action in named if re.fullmatch(r"\*|[^:]+:\*", action)]


def _list(items: Iterable[str]) -> str:
    return ", ".join(items) or "none"


def _rules(rules: Iterable[Rule], own_groups: Mapping[str, str]) -> str:
    return _list(f"{rule.ports} {own_groups.get(rule.peer, rule.peer)}" for rule in rules)


def _on(value: bool) -> str:  # noqa: FBT001 - a word for a boolean
    return "on" if value else "off"
