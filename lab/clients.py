"""What clients see of a server: open ports, logins, and what a forwarded connection reaches."""

import json
import re
import subprocess
import threading
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.commands import LabError, background, must, run
from lab.guest import Guest, Key
from lab.network import SERVER, Client

_INSIDE = "logged-in"
_TOKEN = "http://{}/latest/api/token"  # noqa: S105 - where one is asked for
_TTL = "X-aws-ec2-metadata-token-ttl-seconds: 60"
_LOCAL, _SOCKS, _CONTROL = 8080, 1080, 8022


def open_ports(client: Client) -> tuple[int, ...]:
    """Scan all TCP ports.

    Args:
        client: Who scans.

    Returns:
        The open ones.
    """
    # A filter that says nothing makes nmap wait for each port: a high rate, and one more try.
    options = ("-Pn", "-n", "-p-", "--min-rate", "3000", "--max-retries", "1", "-oX", "-")
    report = must(
        *client.command("nmap", *options, "-S", client.address, "-e", "uplink", SERVER), timeout=900
    )
    ports = ET.fromstring(report).findall(".//port")  # noqa: S314 - nmap's own report
    return tuple(
        int(port.attrib["portid"])
        for port in ports
        if (state := port.find("state")) is not None and state.get("state") == "open"
    )


def password_login(guest: Guest, client: Client, user: str, password: str) -> str:
    """Try to log in with the right password.

    Returns:
        "in", "refused" by sshd, "no answer" where none listens, or what else ssh said.
    """
    argv = password_command(guest, client, user, password)
    return _outcome(run(*argv, "echo", _INSIDE, timeout=180))


def password_command(guest: Guest, client: Client, user: str, password: str) -> tuple[str, ...]:
    """Return the beginning of an ssh command that offers nothing but a password."""
    methods = "PreferredAuthentications=password,keyboard-interactive"
    return (
        *client.command("sshpass", "-p", password, "ssh", "-F", "none", "-b", client.address),
        *("-o", "PubkeyAuthentication=no", "-o", methods, "-o", "NumberOfPasswordPrompts=1"),
        *guest.known_host(),
        f"{user}@{SERVER}",
    )


def key_login(guest: Guest, user: str, *, identity: Key | None = None) -> str:
    """Try to log in with one key.

    Args:
        guest: The server.
        user: The login.
        identity: The key. Default: the administrator's.

    Returns:
        As with `password_login`.
    """
    return _outcome(guest.ssh("echo", _INSIDE, user=user, identity=identity, timeout=180))


def settled(login: Callable[[], str]) -> str:
    """Log in again where nothing came out: on a busy machine sshd's own patience may end first.

    Args:
        login: Tries once.

    Returns:
        "in" or "refused" as soon as one is said, or what the third try said.
    """
    for _ in range(2):
        if (outcome := login()) in ("in", "refused"):
            return outcome
    return login()


def _outcome(done: "subprocess.CompletedProcess[str]") -> str:
    # cloud-init lets root in to be told to use another login: that is no session.
    if done.stdout.strip() == _INSIDE:
        return "in"
    if "Permission denied" in done.stderr:
        return "refused"
    if re.search(r"Connection (refused|timed out)|No route to host", done.stderr):
        return "no answer"
    return (done.stderr or done.stdout).strip() or f"exit code {done.returncode}"


@dataclass(frozen=True, kw_only=True)
class PasswordAttempt:
    """One try of the intruder's.

    Args:
        seconds: When it began, since the machine was switched on.
        outcome: As with `password_login`.
    """

    seconds: float
    outcome: str


class Intruder(threading.Thread):
    """Somebody inside the whitelist who knows a password and tries it from the first second on.

    Args:
        guest: The server.
        user: The login.
        password: Its right password.
    """

    def __init__(self, guest: Guest, user: str, password: str) -> None:
        super().__init__(daemon=True)
        self.attempts: list[PasswordAttempt] = []
        self._guest, self._user, self._password = guest, user, password
        self._stopped = threading.Event()

    def run(self) -> None:
        """Try until told to stop; all the time until sshd answers, then every two seconds."""
        pause = 0.4  # shorter, and the trying takes from the machine that it waits for
        while not self._stopped.wait(pause):
            seconds = time.monotonic() - self._guest.switched_on
            intruder = self._guest.network.intruder
            outcome = password_login(self._guest, intruder, self._user, self._password)
            self.attempts.append(PasswordAttempt(seconds=seconds, outcome=outcome))
            if outcome != "no answer":
                pause = 2

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Try for as long as the block runs."""
        self.start()
        try:
            yield
        finally:
            self._stopped.set()
            self.join(200)


@dataclass(frozen=True, kw_only=True)
class Forwarding:
    """What the administrator reaches through ssh: "open" or "closed".

    Args:
        control: sshd itself, by -L: shows whether forwarding works at all.
        local: The metadata service, by -L.
        dynamic: The metadata service, by -D.
    """

    control: str
    local: str
    dynamic: str


def forwarding(guest: Guest) -> Forwarding:
    """Ask for a metadata token through ssh forwarding, as the administrator."""
    admin = guest.network.admin
    tunnel = (
        *guest.ssh_command("-N", "-o", "ExitOnForwardFailure=yes"),
        *("-L", f"{_LOCAL}:169.254.169.254:80", "-D", str(_SOCKS)),
        *("-L", f"{_CONTROL}:127.0.0.1:22", f"debian@{SERVER}"),
    )
    curl = ("curl", "--silent", "--max-time", "60", "--request", "PUT", "--header", _TTL, "--fail")
    socks = ("--socks5", f"127.0.0.1:{_SOCKS}")
    with background(tunnel, guest.network.folder / "tunnel.log"):
        _wait_for_listener(admin, _SOCKS)
        banner = run(
            *admin.command("timeout", "60", "bash", "-c"),
            f"exec 3<>/dev/tcp/127.0.0.1/{_CONTROL} && read -r line <&3 && [[ $line = SSH-2* ]]",
        )
        local = run(*admin.command(*curl, _TOKEN.format(f"127.0.0.1:{_LOCAL}")))
        dynamic = run(*admin.command(*curl, *socks, _TOKEN.format("169.254.169.254")))
    return Forwarding(control=_open(banner), local=_open(local), dynamic=_open(dynamic))


def ssh_audit(program: Path, client: Client) -> dict[str, tuple[str, ...]]:
    """Run ssh-audit.

    Args:
        program: Where it is.
        client: From where.

    Returns:
        The notes "fail" and "warn", each with the algorithms that they are about.
    """
    done = run(*client.command(str(program), "--json", "--skip-rate-test", SERVER), timeout=600)
    try:
        report = json.loads(done.stdout)
    except ValueError:
        raise LabError(f"ssh-audit said no JSON: {done.stdout}{done.stderr}") from None
    found: dict[str, list[str]] = {"fail": [], "warn": []}
    for kind in ("kex", "key", "enc", "mac"):
        for algorithm in report[kind]:
            for level in found.keys() & algorithm.get("notes", {}).keys():
                found[level].append(algorithm["algorithm"])
    return {level: tuple(names) for level, names in found.items()}


def _open(done: "subprocess.CompletedProcess[str]") -> str:
    return "closed" if done.returncode else "open"


def _wait_for_listener(client: Client, port: int) -> None:
    deadline = time.monotonic() + 60
    while f":{port} " not in must(*client.command("ss", "-Hltn")):
        if time.monotonic() > deadline:
            raise LabError("ssh did not open its forwarded ports")
        time.sleep(0.2)
