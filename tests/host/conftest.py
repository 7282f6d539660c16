"""What the tests of the host payload need of the machine that runs them."""

import os
import shutil
from collections.abc import Iterator

import pytest

from tests.host.machine import Machine, machine
from tests.host.metadata_lab import MetadataLab, metadata_lab, wires

# Command to Debian package.
TOOLS = {
    "auditctl": "auditd",
    "bash": "bash",
    "cloud-init": "cloud-init",
    "ip": "iproute2",
    "modprobe": "kmod",
    "nft": "nftables",
    "nsenter": "util-linux",
    "script": "bsdutils",
    "setpriv": "util-linux",
    "ssh": "openssh-client",
    "sshd": "openssh-server",
    "sshpass": "sshpass",
    "sudo": "sudo",
    "systemd-analyze": "systemd",
    "unshare": "util-linux",
}


@pytest.fixture(scope="session", autouse=True)
def _requirements() -> None:
    missing = [
        f"{tool} (Debian package {package})"
        for tool, package in TOOLS.items()
        if shutil.which(tool, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is None
    ]
    if os.geteuid() != 0:
        missing.insert(0, "root (namespaces)")
    if missing:
        # A proof that was not made is not a proof: where CI is set nothing is left out.
        leave = pytest.fail if os.environ.get("CI") else pytest.skip
        leave(f"the host tests need {', '.join(missing)}")


@pytest.fixture
def host() -> Iterator[Machine]:
    """A machine with loopback only."""
    with machine() as made:
        yield made


@pytest.fixture(scope="session")
def _wires(_requirements: None) -> Iterator[tuple[Machine, Machine]]:
    with wires() as made:
        yield made


@pytest.fixture
def lab(_wires: tuple[Machine, Machine]) -> Iterator[MetadataLab]:
    """A machine between the metadata service and a container."""
    with metadata_lab(*_wires) as made:
        yield made
