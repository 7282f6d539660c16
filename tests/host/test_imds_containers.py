"""Containers that may reach the metadata: those that are named, through both layers of the lock."""

import pytest

from tests.host.boot import core, run_command
from tests.host.machine import Machine
from tests.host.metadata_lab import METADATA, NEIGHBOURS, MetadataLab

pytestmark = [pytest.mark.host, pytest.mark.payload]

NOBODY = 65534
# The container of the lab, by the interface it is behind, and by its addresses.
INTERFACE = ["inside"]
BLOCKS = ["10.98.0.0/24", "fd02::/64"]


@pytest.fixture(params=["nftables", "ip rules"])
def layer(request: pytest.FixtureRequest, lab: MetadataLab) -> str:
    if request.param == "ip rules":
        lab.host.tools(without="nft")
    return str(request.param)


def lock(host: Machine, *containers: str) -> str:
    done = run_command(host, core(imds_containers=containers), "imds-lock")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def reached(lab: MetadataLab) -> set[str]:
    return lab.reached(*METADATA, *NEIGHBOURS, where=lab.container)


@pytest.mark.parametrize("named", [INTERFACE, BLOCKS], ids=["interface", "blocks"])
def test_a_named_container_reaches_it_and_local_users_do_not(
    lab: MetadataLab, layer: str, named: list[str]
) -> None:
    assert lock(lab.host, *named) == layer
    assert reached(lab) == {*METADATA, *NEIGHBOURS}
    assert lab.reached(*METADATA, uid=NOBODY) == set()
    assert lab.reached(*METADATA) == {*METADATA}


@pytest.mark.parametrize("other", ["10.97.0.0/24", "fd03::/64", "docker0"])
def test_another_container_does_not(lab: MetadataLab, layer: str, other: str) -> None:
    assert lock(lab.host, other) == layer
    assert reached(lab) == set(NEIGHBOURS)


def test_a_block_of_one_family_opens_that_family_alone(lab: MetadataLab, layer: str) -> None:
    assert lock(lab.host, BLOCKS[0]) == layer
    assert reached(lab) & {*METADATA} == {"169.254.169.254", "::ffff:169.254.169.254"}


def test_one_that_is_no_longer_named_is_shut_out(lab: MetadataLab, layer: str) -> None:
    lock(lab.host, *BLOCKS)
    assert lock(lab.host) == layer
    assert reached(lab) == set(NEIGHBOURS)


def test_a_local_user_who_takes_a_named_address_does_not(lab: MetadataLab, layer: str) -> None:
    """The host has an address of the containers' block, and anybody may bind to it."""
    assert lock(lab.host, *BLOCKS) == layer
    probe = (
        "import socket; s = socket.socket(); s.settimeout(2); s.bind(('10.98.0.1', 0)); "
        "s.connect(('169.254.169.254', 80))"
    )
    assert lab.host.run("python3", "-c", probe, uid=NOBODY).returncode != 0
    # Control: root gets through with the same address.
    assert lab.host.run("python3", "-c", probe).returncode == 0
