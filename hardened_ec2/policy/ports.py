"""The ports that give control of a machine, and their names: one table for constructs and rules."""

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
"""TCP ports whose service hands a shell, a desktop or root to whoever gets in, with its name.

Databases are not among them: a stolen database is a leak, a stolen shell is the server, and the two
are kept from the world by different rules (a database is never among the ports that a server may
offer to the world, `Settings.public_ports`). Port numbers are those of the IANA service name and
port number registry; Docker, WinRM and the kubelet by their own documentation.
"""


def port_names(ports: Iterable[int], names: Mapping[int, str] = ADMINISTRATIVE_PORTS) -> str:
    """Spell ports for a message.

    Args:
        ports: Port numbers, in any order.
        names: The name of each port that has one. Default: `ADMINISTRATIVE_PORTS`.

    Returns:
        The ports in ascending order, each with its name.

    Example:
        >>> port_names([3389, 22])
        '22 (SSH), 3389 (RDP)'
    """
    return ", ".join(
        f"{port} ({names[port]})" if port in names else str(port) for port in sorted(ports)
    )
