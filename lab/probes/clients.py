"""What clients see of a server: open ports, logins and forwarded connections."""

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
from lab.machines.guest import Guest, Key
from lab.machines.network import SERVER, Client

_INSIDE = "logged-in"
_TOKEN = "http://{}/latest/api/token"  # noqa: S105 - a URL, not a token
_TTL = "X-aws-ec2-metadata-token-ttl-seconds: 60"
_LOCAL, _SOCKS, _CONTROL = 8080, 1080, 8022


def open_ports(client: Client) -> tuple[int, ...]:
    """Return the server's open TCP ports.

    Args:
        client: The client that scans.
    """
    # Dropped packets make nmap wait for every port, hence the high rate and a single retry.
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
    """Try to log in with a password.

    Args:
        guest: The server.
        client: The client that connects.
        user: The user to log in as.
        password: The user's password.

    Returns:
        "in", "refused" by sshd, "no answer" if nothing listens, or ssh's own message.
    """
    argv = password_command(guest, client, user, password)
    return _outcome(run(*argv, "echo", _INSIDE, timeout=180))


def password_command(guest: Guest, client: Client, user: str, password: str) -> tuple[str, ...]:
    """Return an ssh command line that offers only a password, up to the remote command.

    Args:
        guest: The server.
        client: The client that connects.
        user: The user to log in as.
        password: The user's password.
    """
    methods = "PreferredAuthentications=password,keyboard-interactive"
    return (
        *client.command("sshpass", "-p", password, "ssh", "-F", "none", "-b", client.address),
        *("-o", "PubkeyAuthentication=no", "-o", methods, "-o", "NumberOfPasswordPrompts=1"),
        *guest.known_host(),
        f"{user}@{SERVER}",
    )


def key_login(guest: Guest, user: str, *, identity: Key | None = None) -> str:
    """Try to log in with a key.

    Args:
        guest: The server.
        user: The user to log in as.
        identity: The key pair. Default: the administrator's.

    Returns:
        As `password_login`.
    """
    return _outcome(guest.ssh("echo", _INSIDE, user=user, identity=identity, timeout=180))


def settled(login: Callable[[], str]) -> str:
    """Repeat a login without a clear outcome: on a busy machine sshd may time out first.

    Args:
        login: Tries once, and returns the outcome.

    Returns:
        The first "in" or "refused", or the outcome of the third try.
    """
    for _ in range(2):
        if (outcome := login()) in ("in", "refused"):
            return outcome
    return login()


def _outcome(done: "subprocess.CompletedProcess[str]") -> str:
    # cloud-init admits root only to print "log in as another user": that is no session.
    if done.stdout.strip() == _INSIDE:
        return "in"
    if "Permission denied" in done.stderr:
        return "refused"
    if re.search(r"Connection (refused|timed out)|No route to host", done.stderr):
        return "no answer"
    return (done.stderr or done.stdout).strip() or f"exit code {done.returncode}"


@dataclass(frozen=True, kw_only=True)
class PasswordAttempt:
    """One password attempt of the intruder.

    Args:
        seconds: Seconds from power-on to the attempt.
        outcome: As `password_login`.
    """

    seconds: float
    outcome: str


class Intruder(threading.Thread):
    """A client inside the whitelist that tries a known password from power-on.

    Args:
        guest: The server.
        user: The user to log in as.
        password: The user's password.
    """

    def __init__(self, guest: Guest, user: str, password: str) -> None:
        super().__init__(daemon=True)
        self.attempts: list[PasswordAttempt] = []
        self._guest, self._user, self._password = guest, user, password
        self._stopped = threading.Event()

    def run(self) -> None:
        """Try until stopped: every 0.4 seconds until sshd answers, then every two."""
        pause = 0.4  # shorter pauses would slow down the emulated machine
        while not self._stopped.wait(pause):
            seconds = time.monotonic() - self._guest.powered_on
            intruder = self._guest.network.intruder
            outcome = password_login(self._guest, intruder, self._user, self._password)
            self.attempts.append(PasswordAttempt(seconds=seconds, outcome=outcome))
            if outcome != "no answer":
                pause = 2

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Try while the block runs."""
        self.start()
        try:
            yield
        finally:
            self._stopped.set()
            self.join(200)


@dataclass(frozen=True, kw_only=True)
class Forwarding:
    """Targets of the administrator's SSH forwarding, each "open" or "closed".

    Args:
        control: sshd itself, by -L: shows whether forwarding works at all.
        local: The metadata service, by -L.
        dynamic: The metadata service, by -D.
    """

    control: str
    local: str
    dynamic: str


def forwarding(guest: Guest) -> Forwarding:
    """Request a metadata session token through the administrator's SSH forwarding.

    Args:
        guest: The server.

    Raises:
        LabError: If ssh does not listen on the forwarded ports.
    """
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
    """Run ssh-audit against the server.

    Args:
        program: The path of ssh-audit.
        client: The client that connects.

    Returns:
        The levels "fail" and "warn", each with its algorithms.

    Raises:
        LabError: If ssh-audit prints no JSON.
    """
    done = run(*client.command(str(program), "--json", "--skip-rate-test", SERVER), timeout=600)
    try:
        report = json.loads(done.stdout)
    except ValueError:
        raise LabError(f"ssh-audit printed no JSON: {done.stdout}{done.stderr}") from None
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
            raise LabError("ssh does not listen on its forwarded ports after 60 s")
        time.sleep(0.2)
