# ruff: noqa: S603, S607 - the guest's own tools, wherever its PATH finds them
"""Runs in the guest as root: requests to the link-local services, their answers and durations.

Reads a JSON object: "uids" to try as, "everybody" (whether to try as every account too, and from a
container's network behind this server), "addresses" of the metadata service, "names" and "times"
(addresses of the DNS and time services). Prints a JSON object: the requests of "users" and of the
"container".
"""

import errno
import http.client
import json
import os
import pwd
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE = 4.0

_ANSWERS = {
    errno.ECONNREFUSED: "refused",
    errno.EACCES: "prohibited",
    errno.EHOSTUNREACH: "prohibited",
    errno.ENETUNREACH: "no route",
}

# accept_ra=2: a forwarding server would otherwise ignore router advertisements and lose its route.
_CONTAINER_UP = """
for file in /proc/sys/net/ipv6/conf/*/accept_ra; do echo 2 >"$file"; done
echo 1 >/proc/sys/net/ipv4/ip_forward
echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
ip link add lab0 type veth peer name eth0 netns "$1"
ip addr add 172.31.255.1/24 dev lab0
ip -6 addr add fd00:20::1/64 dev lab0 nodad
ip link set lab0 up
nsenter --target "$1" --net sh -eu <<'END'
ip link set lo up
ip addr add 172.31.255.2/24 dev eth0
ip -6 addr add fd00:20::2/64 dev eth0 nodad
ip link set eth0 up
ip route add default via 172.31.255.1
ip -6 route add default via fd00:20::1
END
"""
_CONTAINER_DOWN = """
echo 0 >/proc/sys/net/ipv4/ip_forward
echo 0 >/proc/sys/net/ipv6/conf/all/forwarding
"""


def ask_metadata(address: str) -> str:
    """Request the instance id with a session token."""
    try:
        wire = socket.create_connection((address, 80), timeout=PATIENCE)
    except OSError as error:
        return _ANSWERS.get(error.errno or 0, "silent")
    connection = http.client.HTTPConnection(address, timeout=PATIENCE)
    connection.sock = wire
    try:
        ttl = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
        connection.request("PUT", "/latest/api/token", headers=ttl)
        token = connection.getresponse().read().decode()
        header = {"X-aws-ec2-metadata-token": token}
        connection.request("GET", "/latest/meta-data/instance-id", headers=header)
        status = connection.getresponse().status
    except OSError:
        # The hop limit lets the connection through and drops the answer.
        return "connected"
    finally:
        connection.close()
    return "open" if status == http.HTTPStatus.OK else f"status {status}"


def ask_name(address: str) -> str:
    """Send a DNS query."""
    question = b"\x03lab\x04test\x00" + struct.pack("!HH", 1, 1)
    return _exchange(address, 53, struct.pack("!HHHHHH", 7, 0x100, 1, 0, 0, 0) + question)


def ask_time(address: str) -> str:
    """Send an NTP request."""
    return _exchange(address, 123, b"\x23" + bytes(47))


def _exchange(address: str, port: int, packet: bytes) -> str:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as wire:
        wire.settimeout(PATIENCE)
        try:
            wire.connect((address, port))
            wire.send(packet)
            return "open" if wire.recv(512) else "empty"
        except OSError as error:
            return _ANSWERS.get(error.errno or 0, "silent")


def attempt(uid: int, address: str, ask: Callable[[str], str]) -> dict[str, object]:
    """Send a request as a uid, from a process without groups or capabilities."""
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        if uid:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
        started = time.monotonic()
        answer = ask(address)
        os.write(writer, f"{answer}|{time.monotonic() - started:.3f}".encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as result:
        answer, _, seconds = result.read().partition("|")
    os.waitpid(child, 0)
    return {
        "user": user_name(uid),
        "address": address,
        "answer": answer,
        "seconds": float(seconds or 0),
    }


def user_name(uid: int) -> str:
    """Return the name of a uid's account, or the uid if it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


@contextmanager
def container() -> Iterator[int]:
    """Yield the process id of a network namespace behind this server, like a container's."""
    holder = subprocess.Popen(
        ["unshare", "--net", "sh", "-c", "echo; exec sleep 600"], stdout=subprocess.PIPE
    )
    assert holder.stdout is not None  # noqa: S101 - narrows the type
    holder.stdout.readline()
    try:
        pid = str(holder.pid)
        subprocess.run(["sh", "-euc", _CONTAINER_UP, "container", pid], check=True)
        yield holder.pid
    finally:
        holder.kill()
        holder.wait()
        subprocess.run(["sh", "-euc", _CONTAINER_DOWN], check=True)


def from_container(addresses: list[str], asks: list[Callable[[str], str]]) -> list[object]:
    """Send requests from the container's network, as root."""
    with container() as pid:
        reader, writer = os.pipe()
        if (child := os.fork()) == 0:
            with Path(f"/proc/{pid}/ns/net").open(encoding="ascii") as namespace:
                _setns(namespace.fileno())
            results = [attempt(0, each, ask) for each, ask in zip(addresses, asks, strict=True)]
            os.write(writer, json.dumps(results).encode())
            os._exit(0)
        os.close(writer)
        with os.fdopen(reader) as result:
            found: list[object] = json.load(result)
        os.waitpid(child, 0)
        return found


def _setns(descriptor: int) -> None:
    # os.setns is new in Python 3.12; Debian 12 has 3.11.
    import ctypes  # noqa: PLC0415

    if ctypes.CDLL(None, use_errno=True).setns(descriptor, 0):
        raise OSError(ctypes.get_errno(), "setns")


def main() -> None:
    """Send every requested request."""
    wanted = json.load(sys.stdin)
    asks: dict[str, Callable[[str], str]] = {
        **dict.fromkeys(wanted["addresses"], ask_metadata),
        **dict.fromkeys(wanted["names"], ask_name),
        **dict.fromkeys(wanted["times"], ask_time),
    }
    everybody = wanted["everybody"]
    uids = {*wanted["uids"], *(each.pw_uid for each in pwd.getpwall() if everybody)}
    found = {
        "users": [
            attempt(uid, address, ask) for uid in sorted(uids) for address, ask in asks.items()
        ],
        "container": from_container(list(asks), list(asks.values())) if everybody else [],
    }
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
