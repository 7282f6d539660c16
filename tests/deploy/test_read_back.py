from typing import Any

import pytest

from demo.deployed import Deployment
from demo.read_back import Row, judge
from tests.deploy import insecure
from tests.deploy.conftest import EXPECTATION, Emulated

NETWORK = "HardenedEc2Network/Vpc"
SERVER = "HardenedEc2Server/Server"
BASTION = "HardenedEc2Bastion/Bastion"

NETWORK_LOCKS = (
    "default security group",
    "subnets",
    "flow logs",
    "flow log storage",
    "interface endpoints",
    "Instance Connect Endpoint",
)
SERVER_LOCKS = (
    "IMDS session tokens",
    "IMDS hop limit",
    "IMDS over IPv6, tags",
    "security group",
    "SSH",
    "other ports",
    "egress",
    "public address",
    "volumes",
    "termination protection",
    "detailed monitoring",
    "key pair",
    "user data",
    "role",
)


@pytest.fixture(scope="package")
def insecure_rows(account: Emulated) -> tuple[Row, ...]:
    account.create_stack(insecure.NAME, insecure.TEMPLATE)
    return judge(account.read({insecure.NAME: insecure.TEMPLATE}), EXPECTATION)


def find(rows: tuple[Row, ...], resource: str, lock: str) -> Row:
    (row,) = (row for row in rows if (row.resource, row.lock) == (resource, lock))
    return row


@pytest.mark.parametrize("lock", NETWORK_LOCKS)
def test_the_network_is_locked(rows: tuple[Row, ...], lock: str) -> None:
    row = find(rows, NETWORK, lock)

    assert row.holds, row.found


@pytest.mark.parametrize("resource", [SERVER, BASTION])
@pytest.mark.parametrize("lock", SERVER_LOCKS)
def test_the_servers_are_locked(rows: tuple[Row, ...], resource: str, lock: str) -> None:
    row = find(rows, resource, lock)

    assert row.holds, row.found


@pytest.mark.parametrize("lock", NETWORK_LOCKS)
def test_an_open_network_is_seen(insecure_rows: tuple[Row, ...], lock: str) -> None:
    row = find(insecure_rows, "Insecure/Vpc", lock)

    assert not row.holds, row.found


@pytest.mark.parametrize("lock", SERVER_LOCKS)
def test_an_open_server_is_seen(insecure_rows: tuple[Row, ...], lock: str) -> None:
    row = find(insecure_rows, "Insecure/Server", lock)

    assert not row.holds, row.found


def test_no_lock_goes_untested(rows: tuple[Row, ...]) -> None:
    assert {(row.resource, row.lock) for row in rows} == {
        *((NETWORK, lock) for lock in NETWORK_LOCKS),
        *((server, lock) for server in (SERVER, BASTION) for lock in SERVER_LOCKS),
    }


def test_everything_in_the_templates_was_created(deployment: Deployment) -> None:
    assert deployment.missing == ()


def test_what_was_not_created_is_told(account: Emulated) -> None:
    acl = {"Type": "AWS::EC2::NetworkAcl", "Properties": {"VpcId": "vpc-1"}}
    template = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}, "Acl": acl}}
    account.create_stack("Partial", template)

    assert account.read({"Partial": template}).missing == ("Partial/Acl (AWS::EC2::NetworkAcl)",)


def test_user_data_arrives_to_the_byte(deployment: Deployment) -> None:
    (server,) = (each for each in deployment.servers if each.path == SERVER)

    assert len(server.user_data) > 1000
    assert server.user_data == server.template_user_data


@pytest.mark.parametrize(
    ("name", "user_data"),
    [("Longer", "#cloud-boothook\n\n"), ("Empty", ""), ("Another", "#!/bin/sh\n")],
)
def test_user_data_that_is_not_the_templates_is_seen(
    account: Emulated, name: str, user_data: str
) -> None:
    account.create_stack(name, with_user_data("#cloud-boothook\n"))

    (deployed,) = account.read({name: with_user_data(user_data)}).servers

    assert deployed.user_data != deployed.template_user_data


def with_user_data(text: str) -> dict[str, Any]:
    server = {"ImageId": "ami-12c6146b", "UserData": {"Fn::Base64": text}}
    return {"Resources": {"Server": {"Type": "AWS::EC2::Instance", "Properties": server}}}
