"""The network around one server: its VPC, and clients inside and outside the whitelist.

inside  203.0.113.7 .66 ─┐            ┌─ server 10.0.0.10
                         ├─ router A ─┤  (tap, DHCP, router advertisements)
outside 198.51.100.9 ────┘            └─ 169.254.169.254 metadata, .253 names, .123 time

Router A forwards what the security group allows, and established connections.
"""

import base64
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.commands import LabError, background
from lab.machines.metadata_service import METADATA, NAMES, TIME, Configuration
from lab.machines.namespace import Namespace, namespace
from lab.paths import ROOT
from lab.template.security_group import Rule

SUBNET = "10.0.0.0/24"
ROUTER = "10.0.0.1"
SERVER = "10.0.0.10"
MAC = "02:00:00:00:00:0a"
TAP = "server"

ADMIN_CLIENT = "203.0.113.7"
INTRUDER_CLIENT = "203.0.113.66"
"""Inside the whitelist too, with an own address: sshd slows down addresses that guess passwords."""
OUTSIDE_CLIENT = "198.51.100.9"
WHITELIST = (ADMIN_CLIENT, INTRUDER_CLIENT)

_READY_SECONDS = 60

_ROUTER = f"""
ip tuntap add {TAP} mode tap
ip addr add {ROUTER}/24 dev {TAP}
ip -6 addr add fd00:10::1/64 dev {TAP} nodad
ip link set {TAP} up
for address in {" ".join((*METADATA, *NAMES, *TIME))}; do
	case $address in
	*:*) ip -6 addr add "$address/128" dev lo nodad ;;
	*) ip addr add "$address/32" dev lo ;;
	esac
done
for client in inside outside; do
	ip link set "$client" up
done
ip addr add 203.0.113.1/24 dev inside
ip addr add 198.51.100.1/24 dev outside
echo 1 >/proc/sys/net/ipv4/ip_forward
echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
"""

# Replies to the server's containers go back through the server. Its link-local address derives from
# its MAC address.
_CONTAINER_ROUTES = f"""
ip route add 172.31.255.0/24 via {SERVER}
ip -6 route add fd00:20::/64 via fe80::ff:fe00:a dev {TAP}
"""

_CLIENT = """
for address in {addresses}; do
	ip addr add "$address/24" dev uplink
done
ip link set uplink up
ip route add default via {router}
"""


@dataclass(frozen=True, kw_only=True)
class Client:
    """A client of the server.

    Args:
        namespace: The client's network namespace.
        address: The client's source address.
    """

    namespace: Namespace
    address: str

    def command(self, *argv: str) -> tuple[str, ...]:
        """Return the command line that runs a program as this client."""
        return self.namespace.command(*argv)


@dataclass(frozen=True, kw_only=True)
class Network:
    """A network that is up.

    Args:
        router: The namespace of the router, where QEMU runs too.
        admin: A client inside the whitelist, with the administrator's key.
        intruder: A client inside the whitelist, without the key.
        outside: A client outside the whitelist.
        folder: The folder of scratch files.
    """

    router: Namespace
    admin: Client
    intruder: Client
    outside: Client
    folder: Path

    @contextmanager
    def services(self, *, user_data: bytes, public_key: str, hop_limit: int) -> Iterator[None]:
        """Run the services of a VPC: metadata, time, DNS, DHCP, router advertisements.

        Args:
            user_data: The server's user data.
            public_key: The public half of the server's key pair.
            hop_limit: The IMDS hop limit.

        Raises:
            LabError: If a service does not start.
        """
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        configuration = folder / "metadata.json"
        Configuration(
            user_data=base64.b64encode(user_data).decode(),
            public_key=public_key,
            mac=MAC,
            address=SERVER,
            subnet=SUBNET,
            hop_limit=hop_limit,
        ).write(configuration)
        log = folder / "services.log"
        metadata = (
            *("env", f"--chdir={ROOT}", sys.executable, "-m", "lab.machines.metadata_service"),
            str(configuration),
        )
        with (
            background(self.router.command(*metadata), log),
            background(self.router.command(*_dnsmasq(folder)), log),
        ):
            _wait_for(("ready\n", "]: started"), log)
            yield


@contextmanager
def network(ingress: Sequence[Rule], egress: Sequence[Rule]) -> Iterator[Network]:
    """Create the network, which exists while the block runs.

    Args:
        ingress: The security group's ingress rules.
        egress: The security group's egress rules.

    Raises:
        LabError: If the kernel or a tool refuses.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hardened-ec2-lab-")))
        router, inside, outside = (stack.enter_context(namespace()) for _ in range(3))
        for name, client in (("inside", inside), ("outside", outside)):
            router.sh(f"ip link add {name} type veth peer name uplink netns {client.pid}")
        router.sh(_ROUTER + _CONTAINER_ROUTES)
        inside.sh(_CLIENT.format(addresses=" ".join(WHITELIST), router="203.0.113.1"))
        outside.sh(_CLIENT.format(addresses=OUTSIDE_CLIENT, router="198.51.100.1"))
        router.sh(f"nft -f - <<'END'\n{_packet_filter(ingress, egress)}END\n")
        yield Network(
            router=router,
            admin=Client(namespace=inside, address=ADMIN_CLIENT),
            intruder=Client(namespace=inside, address=INTRUDER_CLIENT),
            outside=Client(namespace=outside, address=OUTSIDE_CLIENT),
            folder=folder,
        )


def _packet_filter(ingress: Sequence[Rule], egress: Sequence[Rule]) -> str:
    """Return the security group as nftables rules: stateful, and closed by default."""
    lines = [
        *(f'oifname "{TAP}" {rule.match("saddr")} accept' for rule in ingress),
        *(f'iifname "{TAP}" {rule.match("daddr")} accept' for rule in egress),
    ]
    return (
        "table inet security_group {\n"
        "chain forward {\n"
        "type filter hook forward priority 0; policy drop;\n"
        "ct state established,related accept\n" + "".join(f"{line}\n" for line in lines) + "}\n}\n"
    )


def _dnsmasq(folder: Path) -> tuple[str, ...]:
    return (
        *("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--user=root", "--no-hosts"),
        *("--no-resolv", "--no-ping", "--log-facility=-", f"--pid-file={folder}/dnsmasq.pid"),
        *(f"--dhcp-leasefile={folder}/leases", f"--dhcp-range={SERVER},static"),
        *(f"--dhcp-host={MAC},{SERVER}", f"--dhcp-option=option:router,{ROUTER}"),
        *("--dhcp-option=option:dns-server,169.254.169.253", "--dhcp-authoritative"),
        *("--enable-ra", f"--dhcp-range=::,constructor:{TAP},ra-only"),
        # Every name resolves to the router, which refuses connections at once.
        f"--address=/#/{ROUTER}",
    )


def _wait_for(texts: Sequence[str], log: Path) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while not all(text in (said := _read(log)) for text in texts):
        if time.monotonic() > deadline:
            raise LabError(f"the network's services did not start:\n{said}")
        time.sleep(0.05)


def _read(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")
