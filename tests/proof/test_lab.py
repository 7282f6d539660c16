"""The lab itself: its metadata service, and the security group rules that it reads."""

import subprocess
from collections.abc import Iterator
from ipaddress import ip_network

import pytest

from lab.commands import LabError
from lab.machines.guest import key
from lab.machines.network import WHITELIST, Network, network
from lab.template.assembly import read
from lab.template.security_group import Rule, rules

pytestmark = pytest.mark.proof

SSH = tuple(
    Rule(protocol="tcp", ports=(22, 22), addresses=ip_network(client)) for client in WHITELIST
)
TTL = ("--header", "X-aws-ec2-metadata-token-ttl-seconds: 60")


@pytest.fixture(scope="module")
def net() -> Iterator[Network]:
    with (
        network(SSH, ()) as made,
        made.services(user_data=b"#!/bin/sh\n", public_key=key("admin").public, hop_limit=1),
    ):
        yield made


def curl(net: Network, *arguments: str) -> tuple[int, str]:
    """Run curl in the router's namespace, which has the addresses, so that no hop is in between."""
    done = subprocess.run(
        net.router.command(
            *("curl", "--silent", "--max-time", "5", "--globoff", "--write-out", " %{http_code}"),
            *arguments,
        ),
        capture_output=True,
        text=True,
        check=False,
    )
    body, _, status = done.stdout.rpartition(" ")
    return int(status), body


def token(net: Network, address: str) -> str:
    status, got = curl(net, "--request", "PUT", *TTL, f"http://{address}/latest/api/token")
    assert status == 200
    return got


@pytest.mark.parametrize("address", ["169.254.169.254", "[fd00:ec2::254]"])
def test_the_metadata_wants_a_token(net: Network, address: str) -> None:
    url = f"http://{address}/latest/user-data"
    assert curl(net, url)[0] == 401
    assert curl(net, "--header", "X-aws-ec2-metadata-token: guessed", url)[0] == 401
    header = ("--header", f"X-aws-ec2-metadata-token: {token(net, address)}")
    assert curl(net, *header, url) == (200, "#!/bin/sh\n")
    keys = f"http://{address}/2021-03-23/meta-data/public-keys/"
    assert curl(net, *header, keys) == (200, "0=admin")
    assert curl(net, *header, f"{keys}0/openssh-key") == (200, key("admin").public)
    assert curl(net, *header, f"http://{address}/latest/meta-data/nothing")[0] == 404


def test_a_token_is_not_given_to_a_proxy(net: Network) -> None:
    url = "http://169.254.169.254/latest/api/token"
    put = ("--request", "PUT")
    assert curl(net, *put, *TTL, "--header", "X-Forwarded-For: 192.0.2.1", url)[0] == 403
    assert curl(net, *put, url)[0] == 400


def test_a_group_is_read_as_it_is_in_the_template() -> None:
    group = {"Fn::GetAtt": ["Group", "GroupId"]}
    resources = {
        "Group": {
            "Type": "AWS::EC2::SecurityGroup",
            "Properties": {
                "SecurityGroupIngress": [
                    {"CidrIp": "203.0.113.0/24", "IpProtocol": "tcp", "FromPort": 22, "ToPort": 23}
                ]
            },
        },
        "Alone": {
            "Type": "AWS::EC2::SecurityGroupIngress",
            "Properties": {"GroupId": group, "CidrIpv6": "2001:db8::/32", "IpProtocol": "-1"},
        },
        "Peer": {
            "Type": "AWS::EC2::SecurityGroupIngress",
            "Properties": {"GroupId": group, "SourceSecurityGroupId": "sg-1", "IpProtocol": "-1"},
        },
        "Other": {
            "Type": "AWS::EC2::SecurityGroupIngress",
            "Properties": {"GroupId": "sg-2", "CidrIp": "0.0.0.0/0", "IpProtocol": "-1"},
        },
    }
    assert [rule.match("saddr") for rule in rules(resources, ["Group"], "Ingress")] == [
        "ip saddr 203.0.113.0/24 tcp dport 22-23",
        "ip6 saddr 2001:db8::/32",
    ]
    assert rules(resources, ["Group"], "Egress") == ()


def test_a_rule_that_the_lab_cannot_hold_is_an_error() -> None:
    prefix_list = {"SourcePrefixListId": "pl-1", "IpProtocol": "tcp", "FromPort": 1, "ToPort": 2}
    group = {
        "Type": "AWS::EC2::SecurityGroup",
        "Properties": {"SecurityGroupIngress": [prefix_list]},
    }
    with pytest.raises(LabError, match="needs a literal CidrIp or CidrIpv6"):
        rules({"Group": group}, ["Group"], "Ingress")


def test_a_template_without_a_server_is_an_error() -> None:
    with pytest.raises(LabError, match="0 instances"):
        read({})
