"""The host's firewall, with real packets from another network: who gets in before, and after."""

import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import pytest

from tests.host.machine import Machine, machine, network
from tests.host.steps import Step, apply, assert_settles, holds, stub

pytestmark = [pytest.mark.host, pytest.mark.payload]

STEP = "host-firewall"
STRICT = {"PROFILE": "strict"}
RULES = "/etc/hardened-ec2/firewall.nft"
TABLE = "table inet hardened_ec2_firewall"
PORTS = (22, 443, 2222, 8080, 8090)
UDP = (53, 68, 546, 5353)
ADDRESSES = ("10.97.0.1", "fd03::1")

Answer = TypeVar("Answer")

_WIRE = """
ip link add outside type veth peer name host netns {client}
ip addr add 10.97.0.1/24 dev outside
ip -6 addr add fd03::1/64 dev outside nodad
ip link set outside up
"""
_CLIENT = """
ip addr add 10.97.0.2/24 dev host
ip -6 addr add fd03::2/64 dev host nodad
ip link set host up
"""
# Answers every connection, and every datagram.
_SERVER = """
import selectors, socket, sys
tcp, udp = (list(map(int, word.split(","))) for word in sys.argv[1:3])
poll = selectors.DefaultSelector()
for port in tcp:
    made = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
    poll.register(made, 1)
for port in udp:
    made = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    made.bind(("::", port))
    poll.register(made, 1)
print("ready", flush=True)
while True:
    for key, _ in poll.select():
        if key.fileobj.type == socket.SOCK_STREAM:
            key.fileobj.accept()[0].close()
        else:
            data, sender = key.fileobj.recvfrom(9)
            try:
                key.fileobj.sendto(b"answer", sender)
            except OSError:
                pass
"""
# An echo request and its answer, without a program for it.
_PING = """
import socket, sys
six = ":" in sys.argv[1]
family, protocol = (socket.AF_INET6, 58) if six else (socket.AF_INET, 1)
with socket.socket(family, socket.SOCK_RAW, protocol) as s:
    s.settimeout(2)
    number = int(sys.argv[2])
    body = number.to_bytes(2, "big") + bytes([0, 1])
    # Over IPv6 the kernel adds the checksum.
    checksum = 0 if six else 0xffff - 0x0800 - number - 1
    head = bytes([128 if six else 8, 0]) + checksum.to_bytes(2, "big")
    s.sendto(head + body, (sys.argv[1], 0))
    while True:
        answer = s.recv(99)
        if (answer if six else answer[20:])[0] == (129 if six else 0):
            break
"""
# All at once, since what is dropped is waited for.
_PROBE = """
import socket, sys, threading
address, source, *wanted = sys.argv[1:]
def ask(word):
    port, kind = word.split("/")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM) as s:
        s.settimeout(2)
        if source != "0":
            s.bind(("", int(source)))
        try:
            # With the interface that a link-local address names.
            s.connect(socket.getaddrinfo(address, int(port))[0][4])
            if kind == "udp":
                s.send(b"ask")
                s.recv(9)
        except OSError:
            return
        sys.stdout.write(word + "\\n")
threads = [threading.Thread(target=ask, args=(word,)) for word in wanted]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def python(where: Machine, script: str, *arguments: str) -> list[str]:
    """Return the command in a machine's network, with the files of whoever runs the tests."""
    return ["nsenter", "-t", str(where.pid), "-n", sys.executable, "-c", script, *arguments]


def reaches(where: Machine, address: str, *words: str, source: int = 0) -> set[str]:
    """Return which of the ports of an address answer."""
    done = subprocess.run(
        python(where, _PROBE, address, str(source), *words),
        capture_output=True,
        text=True,
        check=True,
    )
    return {*done.stdout.split()}


def pings(where: Machine, address: str, number: int) -> bool:
    """Return whether an echo request of this number is answered; one that is known may go on."""
    done = subprocess.run(
        python(where, _PING, address, str(number)), capture_output=True, check=False
    )
    assert done.returncode == 0 or b"timed out" in done.stderr, done.stderr
    return done.returncode == 0


def over_both(ask: Callable[[str], Answer]) -> list[Answer]:
    """Ask over IPv4 and over IPv6, waiting for both at once."""
    with ThreadPoolExecutor() as pool:
        return list(pool.map(ask, ADDRESSES))


@contextmanager
def serving(where: Machine, tcp: Iterable[int], udp: Iterable[int]) -> Iterator[None]:
    ports = [",".join(map(str, numbers)) for numbers in (tcp, udp)]
    command = python(where, _SERVER, *ports)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield
        finally:
            process.kill()


@dataclass(frozen=True, kw_only=True)
class Lab:
    host: Machine
    client: Machine

    def reached(self, address: str, *, source: int = 0, words: tuple[str, ...] = ()) -> set[str]:
        """Return which ports of the host answer somebody outside."""
        asked = words or (*(f"{port}/tcp" for port in PORTS), "53/udp", "5353/udp")
        return reaches(self.client, address, *asked, source=source)

    def sshd(self, *lines: str) -> None:
        """Let sshd answer as one with this configuration."""
        stub(self.host, "sshd", "\n".join(f"echo '{line}'" for line in lines))

    def systemctl(self, enabled: str) -> None:
        """Let systemd know these units as enabled, the other ones of SSH as disabled."""
        script = f"""case "$*" in
*is-enabled*) code=1
for unit; do case " {enabled} " in *" $unit "*) [ "$1" = -q ] || echo enabled; code=0 ;; esac; done
[ $code = 0 ] || [ "$1" = -q ] || echo disabled
exit $code ;;
esac"""
        stub(self.host, "systemctl", script)


@contextmanager
def lab() -> Iterator[Lab]:
    with network() as client, machine() as host:
        host.sh(_WIRE.format(client=client.pid))
        client.sh(_CLIENT)
        with serving(host, PORTS, UDP):
            made = Lab(host=host, client=client)
            made.sshd("port 22")
            yield made


@pytest.fixture
def site() -> Iterator[Lab]:
    with lab() as made:
        yield made


def test_declared_ports_and_sshs_answer_and_no_other(site: Lab) -> None:
    everything = {*(f"{port}/tcp" for port in PORTS), "53/udp", "5353/udp"}
    assert over_both(site.reached) == [everything] * 2
    before = holds(site.host, STEP, "strict")
    assert len(before) == 2
    assert not any(before.values())
    options = STRICT | {"OPEN_PORTS": "443/tcp 8080-8095/tcp 53/udp"}
    assert_settles(site.host, STEP, options)
    declared = {"22/tcp", "443/tcp", "8080/tcp", "8090/tcp", "53/udp"}
    assert over_both(site.reached) == [declared] * 2
    assert all(holds(site.host, STEP, "strict").values())


def test_the_host_reaches_itself_and_the_world(site: Lab) -> None:
    apply(site.host, STEP, STRICT)
    assert reaches(site.host, "127.0.0.1", "8080/tcp", "5353/udp") == {"8080/tcp", "5353/udp"}
    with serving(site.client, [80], [123]):
        for address in ("10.97.0.2", "fd03::2"):
            assert reaches(site.host, address, "80/tcp", "123/udp") == {"80/tcp", "123/udp"}


def test_what_ip_needs_gets_in(site: Lab) -> None:
    apply(site.host, STEP, STRICT)
    # New neighbours: nothing is known of them any more, so they have to ask.
    site.host.sh("ip neigh flush all; ip -6 neigh flush all")
    site.client.sh("ip neigh flush all; ip -6 neigh flush all")
    assert site.reached("fd03::1") == {"22/tcp"}
    assert over_both(partial(pings, site.client, number=1)) == [True, True]
    # Control: it is the ruleset that lets them in.
    site.host.sh(
        "sed -i '/^icmp/d' /etc/hardened-ec2/firewall.nft; nft -f /etc/hardened-ec2/firewall.nft"
    )
    assert over_both(partial(pings, site.client, number=2)) == [False, False]
    apply(site.host, STEP, STRICT)
    # An answer of DHCP, to a client that has not asked from an address.
    assert site.reached("10.97.0.1", source=67, words=("68/udp",)) == {"68/udp"}
    assert site.reached("10.97.0.1", source=66, words=("68/udp",)) == set()
    link = site.host.sh("ip -6 -o addr show dev outside scope link").split()[3].split("/")[0]
    assert site.reached(f"{link}%host", source=547, words=("546/udp",)) == {"546/udp"}
    # Not from further away than the link.
    assert site.reached("fd03::1", source=547, words=("546/udp",)) == set()


def test_without_ipv6_nothing_of_it_gets_in(site: Lab) -> None:
    apply(site.host, STEP, STRICT | {"IPV6": "no", "OPEN_PORTS": "443/tcp"})
    assert over_both(site.reached) == [{"22/tcp", "443/tcp"}, set()]


@pytest.mark.parametrize(
    "says",
    [
        ("port 2222", "listenaddress [::]:2222", "listenaddress 0.0.0.0:2222"),
        ("listenaddress 0.0.0.0:2222", "listenaddress [::]:2222"),
    ],
)
def test_the_real_port_of_sshd_is_open(site: Lab, says: tuple[str, ...]) -> None:
    site.sshd(*says)
    apply(site.host, STEP, STRICT)
    assert site.reached("10.97.0.1") == {"2222/tcp"}


def test_before_there_are_host_keys_the_files_tell_the_port(site: Lab) -> None:
    stub(site.host, "sshd", "echo 'sshd: no hostkeys available -- exiting.' >&2; exit 1")
    site.host.write("/etc/ssh/sshd_config.d/10-port.conf", "# Port 443\nPort 2222\n")
    assert apply(site.host, STEP, STRICT).complaints == ""
    assert site.reached("10.97.0.1") == {"22/tcp", "2222/tcp"}


@pytest.mark.parametrize("listens", ["2222", "[::]:2222", "0.0.0.0:2222"])
def test_a_socket_that_listens_elsewhere_than_sshd_says_is_open(site: Lab, listens: str) -> None:
    site.systemctl("ssh.socket")
    site.host.write(
        "/run/systemd/generator/ssh.socket.d/addresses.conf",
        f"[Socket]\nListenStream=\nListenStream={listens}\n",
    )
    assert apply(site.host, STEP, STRICT).outcome == "changed"
    assert {"22/tcp", "2222/tcp"} == site.reached("10.97.0.1")


def test_a_socket_that_is_off_opens_nothing(site: Lab) -> None:
    site.systemctl("ssh.service")
    site.host.write("/etc/systemd/system/ssh.socket", "[Socket]\nListenStream=2222\n")
    apply(site.host, STEP, STRICT)
    assert site.reached("10.97.0.1") == {"22/tcp"}


def test_a_server_without_ssh_has_no_port_for_it(site: Lab) -> None:
    site.systemctl("")
    stub(site.host, "pidof", "exit 1")
    apply(site.host, STEP, STRICT | {"OPEN_PORTS": "443/tcp"})
    assert site.reached("10.97.0.1") == {"443/tcp"}


def test_an_sshd_that_runs_keeps_its_port_though_it_is_switched_off(site: Lab) -> None:
    site.systemctl("")
    stub(site.host, "pidof", "echo 1")
    apply(site.host, STEP, STRICT)
    assert site.reached("10.97.0.1") == {"22/tcp"}


def test_rules_of_others_stay_and_connections_go_on(site: Lab) -> None:
    site.host.sh("nft add table inet theirs; nft add chain inet theirs c")
    apply(site.host, STEP, STRICT)
    assert "table inet theirs" in site.host.sh("nft list ruleset")


def test_it_comes_back_when_it_was_taken_away(site: Lab) -> None:
    apply(site.host, STEP, STRICT)
    for damage in ("nft flush ruleset", f"nft flush chain {TABLE.removeprefix('table ')} input"):
        site.host.sh(damage)
        assert apply(site.host, STEP, STRICT).outcome == "changed"
        assert site.reached("10.97.0.1") == {"22/tcp"}


def test_a_ruleset_that_nft_refuses_leaves_the_one_that_is_there(site: Lab) -> None:
    apply(site.host, STEP, STRICT)
    before = site.host.read(RULES)
    step = apply(site.host, STEP, STRICT | {"OPEN_PORTS": "99999/tcp"})
    assert step.outcome == "failed"
    assert step.reason
    assert site.host.read(RULES) == before
    assert site.reached("10.97.0.1") == {"22/tcp"}


def test_without_nft_the_host_is_left(site: Lab) -> None:
    site.host.tools(without="nft")
    step = apply(site.host, STEP, STRICT)
    assert step == Step(
        outcome="skipped",
        reason="no nftables: the security groups alone filter",
        complaints="",
    )
    assert "8080/tcp" in site.reached("10.97.0.1")


def test_the_unit_loads_it_at_the_next_boot(site: Lab) -> None:
    apply(site.host, STEP, STRICT)
    unit = "/etc/systemd/system/hardened-ec2-firewall.service"
    done = site.host.run("systemd-analyze", "verify", unit)
    assert done.returncode == 0
    assert "hardened-ec2" not in done.stderr, done.stderr
    drop_in = site.host.read("/etc/systemd/system/nftables.service.d/hardened-ec2-firewall.conf")
    command = next(
        line.removeprefix("ExecStart=")
        for line in site.host.read(unit).splitlines()
        if line.startswith("ExecStart=")
    )
    assert f"ExecStartPost=-{command}\n" in drop_in
    assert f"ExecReload=-{command}\n" in drop_in
    site.host.sh("nft flush ruleset")
    assert "8080/tcp" in site.reached("10.97.0.1")
    site.host.sh(command)
    assert site.reached("10.97.0.1") == {"22/tcp"}
