"""A VPC's link-local services: IMDSv2 and the time service.

Runs as a program in a namespace that has the addresses:

    python -m lab.machines.metadata_service CONFIGURATION.json

IMDS answers as EC2's does wherever a client can see the difference: a session token by PUT, 401
without a token, 403 for a PUT through a proxy, and the hop limit as the TTL of every answer.

The addresses are written here, not imported from the package under proof, so that a wrong address
there fails the proof.
"""

import base64
import json
import secrets
import socket
import socketserver
import struct
import sys
import threading
import time
from dataclasses import asdict, dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, ClassVar

METADATA = ("169.254.169.254", "fd00:ec2::254")
TIME = ("169.254.169.123", "fd00:ec2::123")
NAMES = ("169.254.169.253", "fd00:ec2::253")

INSTANCE_ID = "i-0123456789abcdef0"
REGION = "us-east-1"
_ZONE = "us-east-1a"
_NTP_EPOCH = 2_208_988_800
_NTP_SIZE = 48


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """The settings of one server's metadata service.

    Args:
        user_data: The user data in base64; "" for a server without.
        public_key: The public half of the key pair.
        mac: The network interface's MAC address.
        address: The server's private IPv4 address.
        subnet: The subnet's IPv4 CIDR block.
        hop_limit: The IMDS hop limit.
    """

    user_data: str
    public_key: str
    mac: str
    address: str
    subnet: str
    hop_limit: int

    def write(self, path: Path) -> None:
        """Write the settings as JSON, to be read by `main`."""
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")


def tree(configuration: Configuration) -> dict[str, Any]:
    """Return the tree below ``/latest``: texts, one character a byte, and folders of texts."""
    interface = {
        "device-number": "0",
        "interface-id": "eni-0123456789abcdef0",
        "local-ipv4s": configuration.address,
        "mac": configuration.mac,
        "subnet-ipv4-cidr-block": configuration.subnet,
    }
    document = {
        "accountId": "123456789012",
        "architecture": "x86_64",
        "availabilityZone": _ZONE,
        "instanceId": INSTANCE_ID,
        "privateIp": configuration.address,
        "region": REGION,
    }
    return {
        # Latin-1 maps every byte to one character: user data may be gzip.
        "user-data": base64.b64decode(configuration.user_data).decode("latin-1"),
        "dynamic": {"instance-identity": {"document": json.dumps(document)}},
        "meta-data": {
            "ami-id": "ami-0123456789abcdef0",
            "hostname": "server.ec2.internal",
            "instance-id": INSTANCE_ID,
            "instance-type": "t3.small",
            "local-hostname": "server.ec2.internal",
            "local-ipv4": configuration.address,
            "mac": configuration.mac,
            "network": {"interfaces": {"macs": {configuration.mac: interface}}},
            "placement": {"availability-zone": _ZONE, "region": REGION},
            "public-keys": {"0": {"openssh-key": configuration.public_key}},
            "security-groups": "locked",
        },
    }


def look_up(root: dict[str, Any], path: str) -> str | None:
    """Return the text at a path below ``/latest``, or the listing of a folder; None for neither."""
    here: Any = root
    for name in filter(None, path.split("/")):
        here = here.get(name) if isinstance(here, dict) else None
    if here is None or isinstance(here, str):
        return here
    if path.strip("/").endswith("public-keys"):
        # IMDS lists public keys as "index=name".
        return "\n".join(f"{index}=admin" for index in here)
    return "\n".join(f"{name}/" if isinstance(got, dict) else name for name, got in here.items())


class MetadataRequest(BaseHTTPRequestHandler):
    """One connection to IMDS; `main` sets `configuration` and `root` before it serves."""

    protocol_version = "HTTP/1.1"
    timeout = 20
    configuration: ClassVar[Configuration]
    root: ClassVar[dict[str, Any]]
    _tokens: ClassVar[set[str]] = set()

    def setup(self) -> None:
        """Set the hop limit as the TTL of every answer."""
        hops = self.configuration.hop_limit
        if self.request.family == socket.AF_INET6:
            self.request.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, hops)
        else:
            self.request.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, hops)
        super().setup()

    def do_PUT(self) -> None:
        """Answer a request for a session token."""
        if self.path != "/latest/api/token":
            self._answer(HTTPStatus.NOT_FOUND)
        elif self.headers.get("X-Forwarded-For") is not None:
            self._answer(HTTPStatus.FORBIDDEN)
        elif not self.headers.get("X-aws-ec2-metadata-token-ttl-seconds", "").isdigit():
            self._answer(HTTPStatus.BAD_REQUEST)
        else:
            token = secrets.token_urlsafe(40)
            self._tokens.add(token)
            self._answer(HTTPStatus.OK, token)

    def do_GET(self) -> None:
        """Answer a request with a session token; 401 without one."""
        if self.headers.get("X-aws-ec2-metadata-token") not in self._tokens:
            self._answer(HTTPStatus.UNAUTHORIZED)
            return
        # "/latest/..." or "/2021-03-23/...": every version has the same tree here.
        _, _, path = self.path.lstrip("/").partition("/")
        found = look_up(self.root, path)
        if found is None or found == "":
            self._answer(HTTPStatus.NOT_FOUND)
        else:
            self._answer(HTTPStatus.OK, found)

    def _answer(self, status: HTTPStatus, text: str = "") -> None:
        # An unread body would be parsed as the next request of the connection.
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = text.encode("latin-1")
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Log nothing."""


class TimeRequest(socketserver.BaseRequestHandler):
    """One NTP request, answered as a stratum 3 server with this machine's time."""

    def handle(self) -> None:
        """Answer one packet."""
        packet, wire = self.request
        if len(packet) < _NTP_SIZE:
            return
        now = time.time() + _NTP_EPOCH
        stamp = struct.pack("!II", int(now), int(now % 1 * 2**32))
        head = struct.pack("!BBbbII4s", 0x24, 3, 4, -20, 0, 0, b"LAB\0")
        wire.sendto(head + stamp + packet[40:48] + stamp + stamp, self.client_address)


class _HttpServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64


class _TimeServer(socketserver.ThreadingUDPServer):
    daemon_threads = True


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def main(path: str) -> None:
    """Serve until the process ends; print "ready" once every socket listens.

    Args:
        path: The file of `Configuration.write`.
    """
    configuration = Configuration(**json.loads(Path(path).read_text(encoding="utf-8")))
    MetadataRequest.configuration = configuration
    MetadataRequest.root = tree(configuration)
    servers: list[socketserver.BaseServer] = []
    for address in METADATA:
        http = type("Http", (_HttpServer,), {"address_family": _family(address)})
        servers.append(http((address, 80), MetadataRequest))
    for address in TIME:
        ntp = type("Ntp", (_TimeServer,), {"address_family": _family(address)})
        servers.append(ntp((address, 123), TimeRequest))
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    threading.Event().wait()


if __name__ == "__main__":
    main(sys.argv[1])
