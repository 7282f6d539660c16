"""Runs of a single step of the payload, from its sources, with any options."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

from hardened_ec2.host.controls.all import control
from tests.host.machine import Machine

PAYLOAD = resources.files("hardened_ec2.host") / "payload"
# These files start a run; the others only define functions.
_STARTS = {"boot.sh", "image.sh", "main.sh"}
_OPTIONS = {
    "PROFILE": "baseline",
    "ADMIN_USERS": "",
    "ADMIN_GROUPS": "",
    "IMDS_USERS": "",
    "IMDS_CONTAINERS": "",
    "OPEN_PORTS": "",
    "IPV6": "yes",
    "AUTOMATIC_UPDATES": "yes",
    "AUDIT": "yes",
    "BANNER": "",
}
# The environment that the program sets for its steps; a test's stubs come first in PATH.
_HEAD = """
umask 077
export PATH=/run/stubs:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C
STATE=/var/lib/hardened-ec2 RUN=/run/hardened-ec2 changed=0
mkdir -p $RUN
"""
_OUTCOMES = {0: "ok", 100: "changed", 101: "skipped"}


@dataclass(frozen=True, kw_only=True)
class Step:
    """The outcome of a step, its reason, and its output on stderr."""

    outcome: str
    reason: str
    complaints: str


def apply(host: Machine, name: str, options: Mapping[str, str] | None = None) -> Step:
    """Run the step of a control."""
    values = _OPTIONS | dict(options or {})
    settings = "".join(f"{key}='{value}'\n" for key, value in values.items())
    sources = "".join(
        file.read_text()
        for file in sorted(PAYLOAD.iterdir(), key=lambda file: file.name)
        if file.name.endswith(".sh") and file.name not in _STARTS
    )
    call = f"reason=$({control(name).step} && exit $changed); code=$?; "
    call += 'printf %s "$reason"; exit $code\n'
    done = host.run("sh", stdin=f"{_HEAD}{settings}{sources}{call}")
    return Step(
        outcome=_OUTCOMES.get(done.returncode, "failed"),
        reason=done.stdout,
        complaints=done.stderr,
    )


def assert_settles(host: Machine, name: str, options: Mapping[str, str] | None = None) -> None:
    """Assert that a step makes changes in its first run only, and writes nothing to stderr."""
    first = apply(host, name, options)
    assert (first.outcome, first.complaints) == ("changed", ""), first
    before = host.sh("find /etc /usr/local/sbin -type f -exec stat -c '%n %a %i %Y' {} + | sort")
    second = apply(host, name, options)
    assert second == Step(outcome="ok", reason="", complaints=""), second
    after = host.sh("find /etc /usr/local/sbin -type f -exec stat -c '%n %a %i %Y' {} + | sort")
    assert after == before


def stub(host: Machine, name: str, script: str = "") -> None:
    """Put a command in front of the real one; it logs its calls."""
    host.write(
        f"/run/stubs/{name}",
        f'#!/bin/sh\necho "{name} $*" >>/run/stubs.log\n{script}\n',
        0o755,
    )


def calls(host: Machine) -> list[str]:
    """Return the calls of the stubs."""
    log = host.path("/run/stubs.log")
    return log.read_text().splitlines() if log.exists() else []


def holds(host: Machine, name: str, profile: str) -> dict[str, bool]:
    """Return whether each check of a control that applies holds."""
    path = "PATH=/run/stubs:$PATH\n"
    return {
        check.command: host.run("sh", "-c", path + check.command).stdout.strip() == check.expected
        for check in control(name).verify
        if check.profile in (None, profile)
        and (not check.when or host.run("sh", "-c", path + check.when).returncode == 0)
    }
