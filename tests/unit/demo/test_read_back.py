from dataclasses import replace

import pytest

from demo.deployed import (
    Deployment,
    FlowLog,
    Group,
    LogGroup,
    Network,
    Rule,
    Server,
    Subnet,
    Volume,
)
from demo.read_back import Expectation, judge
from hardened_ec2.addresses import AddressSet

USER_DATA = b"Content-Type: multipart/mixed\n\n#cloud-boothook\n"
EXPECTATION = Expectation(
    ssh_from=AddressSet.of("203.0.113.0/29"), public_stacks=frozenset({"Bastion"})
)
TIME = Rule(protocol="udp", first_port=123, last_port=123, peer="169.254.169.123/32")


def tcp(port: int, peer: str, last_port: int | None = None) -> Rule:
    return Rule(protocol="tcp", first_port=port, last_port=last_port or port, peer=peer)


def everything(peer: str) -> Rule:
    return Rule(protocol="-1", first_port=-1, last_port=-1, peer=peer)


def group(
    group_id: str = "sg-own", *, ingress: tuple[Rule, ...] = (), egress: tuple[Rule, ...] = (TIME,)
) -> Group:
    return Group(group_id=group_id, name=group_id, ingress=ingress, egress=egress)


SERVER = Server(
    path="Server/Server",
    http_endpoint="enabled",
    http_tokens="required",
    http_put_response_hop_limit=1,
    http_protocol_ipv6="disabled",
    instance_metadata_tags="disabled",
    groups=(group(ingress=(tcp(22, "sg-door"), tcp(22, "203.0.113.7/32"))),),
    public_addresses=(),
    volumes=(Volume(volume_id="vol-1", encrypted=True),),
    termination_protected=True,
    monitoring="enabled",
    key_name="",
    user_data=USER_DATA,
    template_user_data=USER_DATA,
    statements=({"Effect": "Allow", "Action": "ssm:UpdateInstanceInformation"},),
)
NETWORK = Network(
    path="Network/Vpc",
    default_group=group("sg-default", egress=()),
    subnets=(Subnet(subnet_id="subnet-1", gives_public_addresses=False),),
    flow_logs=(FlowLog(traffic_type="ALL", status="ACTIVE"),),
    log_groups=(LogGroup(kms_key_id="key", retention_in_days=365),),
    endpoint_groups=(group("sg-endpoints", ingress=(tcp(443, "sg-own"),)),),
    ssh_endpoint_groups=(group("sg-door", egress=(TIME, tcp(22, "sg-own"))),),
)


def open_locks(server: Server = SERVER, network: Network = NETWORK) -> list[str]:
    deployment = Deployment(
        servers=(server,),
        networks=(network,),
        groups={each: each for each in ("sg-own", "sg-door", "sg-endpoints")},
        missing=(),
    )
    return [row.lock for row in judge(deployment, EXPECTATION) if not row.holds]


def with_ingress(*rules: Rule) -> Server:
    return replace(SERVER, groups=(group(ingress=rules),))


def with_egress(*rules: Rule) -> Server:
    return replace(SERVER, groups=(group(egress=rules),))


def test_everything_holds_when_everything_is_as_expected() -> None:
    assert open_locks() == []


@pytest.mark.parametrize(
    ("server", "lock"),
    [
        (replace(SERVER, http_tokens="optional"), "IMDS session tokens"),
        (replace(SERVER, http_put_response_hop_limit=2), "IMDS hop limit"),
        (replace(SERVER, http_protocol_ipv6="enabled"), "IMDS over IPv6, tags"),
        (replace(SERVER, instance_metadata_tags="enabled"), "IMDS over IPv6, tags"),
        (replace(SERVER, groups=(group("sg-default"),)), "security group"),
        (with_ingress(tcp(22, "0.0.0.0/0")), "SSH"),
        (with_ingress(tcp(22, "203.0.113.0/28")), "SSH"),
        (with_ingress(tcp(22, "2001:db8::/64")), "SSH"),
        (with_ingress(tcp(22, "sg-of-somebody-else")), "SSH"),
        (with_ingress(tcp(22, "pl-0123")), "SSH"),
        (with_egress(everything("0.0.0.0/0")), "egress"),
        (with_egress(tcp(443, "0.0.0.0/1"), tcp(443, "128.0.0.0/1")), "egress"),
        (with_egress(tcp(443, "::/0")), "egress"),
        (with_egress(), "egress"),
        (with_ingress(tcp(443, "203.0.113.7/32")), "other ports"),
        (replace(SERVER, public_addresses=("198.51.100.9",)), "public address"),
        (replace(SERVER, public_addresses=("2001:db8::9",)), "public address"),
        (replace(SERVER, path="Bastion/Bastion"), "public address"),
        (replace(SERVER, volumes=(Volume(volume_id="vol-1", encrypted=False),)), "volumes"),
        (replace(SERVER, volumes=()), "volumes"),
        (replace(SERVER, termination_protected=False), "termination protection"),
        (replace(SERVER, monitoring="disabled"), "detailed monitoring"),
        (replace(SERVER, key_name="mine"), "key pair"),
        (replace(SERVER, template_user_data=USER_DATA + b"\n"), "user data"),
        (replace(SERVER, user_data=b"", template_user_data=None), "user data"),
        (replace(SERVER, user_data=b"#!/bin/sh", template_user_data=b"#!/bin/sh"), "user data"),
        (replace(SERVER, statements=({"Effect": "Allow", "Action": "*"},)), "role"),
        (replace(SERVER, statements=({"Effect": "Allow", "Action": ["a:B", "s3:*"]},)), "role"),
        (replace(SERVER, statements=({"Effect": "Allow", "NotAction": "iam:*"},)), "role"),
        (replace(SERVER, statements=()), "role"),
    ],
)
def test_a_server_that_is_off_in_one_point_is_reported_in_that_point(
    server: Server, lock: str
) -> None:
    assert open_locks(server) == [lock]


@pytest.mark.parametrize(
    "rule",
    [tcp(1, "0.0.0.0/0", last_port=65535), everything("0.0.0.0/0"), everything("198.51.100.9/32")],
    ids=lambda rule: rule.ports,
)
def test_a_wide_rule_opens_ssh_and_other_ports(rule: Rule) -> None:
    assert open_locks(with_ingress(rule)) == ["SSH", "other ports"]


@pytest.mark.parametrize(
    ("network", "lock"),
    [
        (
            replace(NETWORK, default_group=group("d", ingress=(everything("d"),), egress=())),
            "default security group",
        ),
        (
            replace(NETWORK, default_group=group("d", egress=(everything("0.0.0.0/0"),))),
            "default security group",
        ),
        (
            replace(NETWORK, subnets=(Subnet(subnet_id="s", gives_public_addresses=True),)),
            "subnets",
        ),
        (replace(NETWORK, subnets=()), "subnets"),
        (replace(NETWORK, flow_logs=()), "flow logs"),
        (
            replace(NETWORK, flow_logs=(FlowLog(traffic_type="REJECT", status="ACTIVE"),)),
            "flow logs",
        ),
        (
            replace(NETWORK, log_groups=(LogGroup(kms_key_id="", retention_in_days=1),)),
            "flow log storage",
        ),
        (
            replace(NETWORK, log_groups=(LogGroup(kms_key_id="key", retention_in_days=0),)),
            "flow log storage",
        ),
        (replace(NETWORK, log_groups=()), "flow log storage"),
        (
            replace(NETWORK, endpoint_groups=(group(ingress=(tcp(443, "10.0.0.0/16"),)),)),
            "interface endpoints",
        ),
        (replace(NETWORK, endpoint_groups=()), "interface endpoints"),
        (
            replace(NETWORK, ssh_endpoint_groups=(group(egress=(tcp(22, "10.0.0.0/16"),)),)),
            "Instance Connect Endpoint",
        ),
        (
            replace(NETWORK, ssh_endpoint_groups=(group(egress=(everything("sg-own"),)),)),
            "Instance Connect Endpoint",
        ),
        (
            replace(NETWORK, ssh_endpoint_groups=(group(ingress=(tcp(22, "sg-own"),)),)),
            "Instance Connect Endpoint",
        ),
        (replace(NETWORK, ssh_endpoint_groups=()), "Instance Connect Endpoint"),
    ],
)
def test_a_network_that_is_off_in_one_point_is_reported_in_that_point(
    network: Network, lock: str
) -> None:
    assert open_locks(network=network) == [lock]


def test_a_bastion_may_have_one_public_address() -> None:
    bastion = replace(SERVER, path="Bastion/Bastion", public_addresses=("198.51.100.9",))

    assert open_locks(bastion) == []


def test_a_disabled_metadata_service_needs_no_tokens() -> None:
    assert open_locks(replace(SERVER, http_endpoint="disabled", http_tokens="optional")) == []


def test_a_denied_wildcard_is_no_grant() -> None:
    denied = {"Effect": "Deny", "Action": "*"}

    assert open_locks(replace(SERVER, statements=(*SERVER.statements, denied))) == []


def test_a_row_names_what_was_found_by_its_place_in_the_app() -> None:
    deployment = Deployment(
        servers=(SERVER,), networks=(), groups={"sg-own": "A/B", "sg-door": "Net/Door"}, missing=()
    )

    ssh = next(row for row in judge(deployment, EXPECTATION) if row.lock == "SSH")

    assert ssh.found == "Net/Door, 203.0.113.7/32"
