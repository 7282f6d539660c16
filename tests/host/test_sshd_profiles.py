"""What the options and the profile change of sshd, against a real one."""

from collections.abc import Iterator

import pytest

from tests.host.boot import boot, core
from tests.host.machine import Machine
from tests.host.ssh_host import ADMIN, SshHost, ssh_host

pytestmark = [pytest.mark.host, pytest.mark.payload]

OTHER = "bob"


@pytest.fixture
def server(host: Machine) -> Iterator[SshHost]:
    """A host with two users who have the same key; only alice is in the group."""
    with ssh_host(host) as made:
        made.sh(
            f"useradd -m -s /bin/bash {OTHER}; mkdir -m 700 /home/{OTHER}/.ssh; "
            f"cp /run/key.pub /home/{OTHER}/.ssh/authorized_keys; "
            f"chown -R {OTHER}: /home/{OTHER}/.ssh; "
            f"groupadd operators; usermod -a -G operators {ADMIN}"
        )
        yield made


def test_baseline_lets_every_key_in_and_forwards(server: SshHost) -> None:
    assert boot(server, core(admin_users=[ADMIN])).outcomes["sshd"] == "changed"
    assert server.key_logs_in(ADMIN)
    assert server.key_logs_in(OTHER)
    assert {"maxauthtries 4", "maxsessions 10", "allowtcpforwarding yes"} <= {*server.effective()}


@pytest.mark.parametrize("named", [{"admin_users": [ADMIN]}, {"admin_groups": ["operators"]}])
def test_strict_lets_only_administrators_in(server: SshHost, named: dict[str, object]) -> None:
    assert boot(server, core(profile="strict", **named)).outcomes["sshd"] == "changed"
    assert server.key_logs_in(ADMIN)
    assert not server.key_logs_in(OTHER)
    wanted = {
        "maxauthtries 3",
        "maxsessions 4",
        "allowtcpforwarding no",
        "allowstreamlocalforwarding no",
        "x11forwarding no",
        "allowagentforwarding no",
        "permittunnel no",
    }
    assert wanted <= {*server.effective()}


def test_strict_without_names_lets_every_key_in(server: SshHost) -> None:
    assert boot(server, core(profile="strict")).outcomes["sshd"] == "changed"
    assert server.key_logs_in(ADMIN)
    assert server.key_logs_in(OTHER)


@pytest.mark.parametrize(
    ("prepare", "groups"),
    [
        ("", ["nosuchgroup"]),
        (f"gpasswd -d {ADMIN} operators", ["operators"]),
        (f"rm /home/{ADMIN}/.ssh/authorized_keys", ["operators"]),
    ],
)
def test_a_group_that_lets_nobody_in_is_refused(
    server: SshHost, prepare: str, groups: list[str]
) -> None:
    server.sh(prepare or ":")
    step = boot(server, core(profile="strict", admin_groups=groups)).steps["sshd"]
    assert (step.outcome, step.reason) == ("failed", "not hardened: nobody could log in by key")
    assert server.password_logs_in()


def test_a_members_own_group_counts(server: SshHost) -> None:
    server.sh(f"gpasswd -d {ADMIN} operators; usermod -g operators {ADMIN}")
    hardening = core(profile="strict", admin_groups=["operators"])
    assert boot(server, hardening).outcomes["sshd"] == "changed"
    assert server.key_logs_in(ADMIN)


def test_x11_and_the_notice_are_as_told(server: SshHost) -> None:
    boot(server, core(profile="baseline", x11_forwarding=True, banner="Authorized use only."))
    assert {"x11forwarding yes", "banner /etc/issue.net"} <= {*server.effective()}
    boot(server, core())
    assert {"x11forwarding no", "banner none"} <= {*server.effective()}
