"""The metadata service, a host that asks it, and a container behind that host, as namespaces.

metadata ---- host ---- container
.254 .253 .123          forwarded by the host
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.host.machine import Machine, machine, network

METADATA = ("169.254.169.254", "fd00:ec2::254", "::ffff:169.254.169.254")
NEIGHBOURS = ("169.254.169.253", "169.254.169.123", "fd00:ec2::253", "fd00:ec2::123")

# bash speaks TCP by itself, so that the probe is one small process under any uid.
_PROBE = r"""
ask() {
	exec 3<>"/dev/tcp/$1/80" && printf 'GET / HTTP/1.0\r\n\r\n' >&3 &&
		while IFS= read -r line <&3 && echo "$line" && [ "$line" != $'\r' ]; do :; done
}
export -f ask
for address; do {
	start=${EPOCHREALTIME/./}
	got=$(timeout 1 bash -c 'ask "$0"' "$address" 2>&1)
	took=$((${EPOCHREALTIME/./} - start))
	case $got in
	HTTP/*' 200 '*) answer=open ;;
	*'Connection refused'*) answer=refused ;;
	*'Permission denied'*) answer=prohibited ;;
	*) answer=silent ;;
	esac
	echo "$address $answer $took"
} & done
wait
"""

_SERVER = """
import socketserver, socket

class Answer(socketserver.StreamRequestHandler):
    def handle(self):
        while self.rfile.readline().strip():
            pass
        self.wfile.write(b"HTTP/1.1 200 OK\\r\\n\\r\\n")
        # The client closes first, as with keep-alive.
        self.rfile.read()

class Server(socketserver.ThreadingTCPServer):
    address_family = socket.AF_INET6
    request_queue_size = 64

server = Server(("::", 80), Answer)
print("ready", flush=True)
server.serve_forever()
"""

_WIRE_METADATA = """
ip addr add 10.99.0.1/24 dev host
ip -6 addr add fd01::1/64 dev host nodad
ip link set host up
for last in 254 253 123; do
	ip addr add "169.254.169.$last/32" dev lo
	ip -6 addr add "fd00:ec2::$last/128" dev lo nodad
done
ip route add default via 10.99.0.2
ip -6 route add default via fd01::2
"""

_WIRE_HOST = """
ip link add metadata type veth peer name host netns {metadata}
ip link add inside type veth peer name host netns {container}
ip addr add 10.99.0.2/24 dev metadata
ip -6 addr add fd01::2/64 dev metadata nodad
ip addr add 10.98.0.1/24 dev inside
ip -6 addr add fd02::1/64 dev inside nodad
ip link set metadata up
ip link set inside up
ip route add default via 10.99.0.1
ip -6 route add default via fd01::1
echo 1 >/proc/sys/net/ipv4/ip_forward
echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
"""

_WIRE_CONTAINER = """
ip addr add 10.98.0.2/24 dev host
ip -6 addr add fd02::2/64 dev host nodad
ip link set host up
ip route add default via 10.98.0.1
ip -6 route add default via fd02::1
"""


_UNDO = """
nft flush ruleset
for family in -4 -6; do
	for pref in 10 11 12 13 14 1000; do
		while ip "$family" rule del pref "$pref" 2>/dev/null; do :; done
	done
done
ip route replace default via 10.99.0.1
"""


@dataclass(frozen=True, kw_only=True)
class Probe:
    """How one attempt ended, and after how many seconds."""

    answer: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class MetadataLab:
    host: Machine
    container: Machine

    def probe(
        self, *addresses: str, uid: int = 0, where: Machine | None = None
    ) -> dict[str, Probe]:
        done = (where or self.host).run("bash", "-c", _PROBE, "probe", *addresses, uid=uid)
        assert done.returncode == 0, done.stderr
        return {
            address: Probe(answer=answer, seconds=int(micros) / 1e6)
            for address, answer, micros in map(str.split, done.stdout.splitlines())
        }

    def reached(self, *addresses: str, uid: int = 0, where: Machine | None = None) -> set[str]:
        """Return the addresses that answered."""
        probes = self.probe(*addresses, uid=uid, where=where)
        return {address for address, probe in probes.items() if probe.answer == "open"}


@contextmanager
def wires() -> Iterator[tuple[Machine, Machine]]:
    """Lay the network once: a host and the container behind it, with the metadata service."""
    with network() as metadata, network() as host, network() as container:
        host.sh(_WIRE_HOST.format(metadata=metadata.pid, container=container.pid))
        metadata.sh(_WIRE_METADATA)
        container.sh(_WIRE_CONTAINER)
        server = metadata.command(sys.executable, "-c", _SERVER)
        with subprocess.Popen(server, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                assert process.stdout.readline() == "ready\n"
                lab = MetadataLab(host=host, container=container)
                # The kernel takes a second until IPv6 works on a new interface.
                deadline = time.monotonic() + 20
                while {*lab.reached(*METADATA), *lab.reached(*METADATA, where=container)} != {
                    *METADATA
                }:
                    assert time.monotonic() < deadline, "the network does not work"
                yield host, container
            finally:
                process.kill()


@contextmanager
def metadata_lab(host: Machine, container: Machine) -> Iterator[MetadataLab]:
    """A fresh machine on the wires; what it does to its network is undone."""
    with machine(host) as made:
        try:
            yield MetadataLab(host=made, container=container)
        finally:
            host.sh(_UNDO)
