"""Administrative ports and their names: one table for constructs and policy rules."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

ADMINISTRATIVE_PORTS: Mapping[int, str] = MappingProxyType(
    {
        22: "SSH",
        23: "Telnet",
        135: "Windows RPC",
        445: "SMB",
        512: "rexec",
        513: "rlogin",
        514: "rsh",
        2375: "Docker",
        2376: "Docker over TLS",
        3389: "RDP",
        5900: "VNC",
        5901: "VNC",
        5985: "WinRM",
        5986: "WinRM over TLS",
        10250: "kubelet",
    }
)
"""TCP ports whose service gives a shell, a desktop or root, each with the service's name.

Databases are left to the rules on exposed ports: they are closed to the internet as long as
`Settings.public_ports` does not name them. Port numbers are from the IANA service name and port
number registry; those of Docker, WinRM and the kubelet from their documentation.
"""


def port_names(ports: Iterable[int], names: Mapping[int, str] = ADMINISTRATIVE_PORTS) -> str:
    """Spell ports for a message.

    Args:
        ports: Port numbers, in any order.
        names: Names of ports. Default: `ADMINISTRATIVE_PORTS`.

    Returns:
        The ports in ascending order, with their names.

    Example:
        >>> port_names([3389, 22])
        '22 (SSH), 3389 (RDP)'
    """
    return ", ".join(
        f"{port} ({names[port]})" if port in names else str(port) for port in sorted(ports)
    )
