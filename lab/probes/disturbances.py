"""Removals of the metadata lock, as other programs may cause them, and its repair."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass

from lab.commands import LabError
from lab.machines.guest import Guest
from lab.machines.metadata_service import METADATA
from lab.probes.metadata_requests import NOBODY, REPAIR_SECONDS
from lab.probes.programs import put

_RESULT = "/run/lab-disturb.json"


@dataclass(frozen=True, kw_only=True)
class Disturbance:
    """One removal of the metadata lock, as other programs may cause it.

    Args:
        exit_code: The exit code of the command that removed the lock.
        said: The command's output.
        seconds_open: Seconds until the lock held again; None if it did not.
    """

    exit_code: int
    said: str
    seconds_open: float | None


def disturb(guest: Guest, disturbances: Mapping[str, str]) -> dict[str, Disturbance]:
    """Remove the metadata lock in several ways, and wait each time until it holds again.

    Args:
        guest: The server.
        disturbances: Name to the shell command that removes the lock.

    Returns:
        Name to removal of the lock.

    Raises:
        LabError: If the guest is not reachable afterwards.
    """
    if not disturbances:
        return {}
    put(guest, "disturb")
    question = {
        "address": METADATA[0],
        "uid": NOBODY,
        "patience": REPAIR_SECONDS,
        "disturbances": dict(disturbances),
        "result": _RESULT,
    }
    # A transient unit keeps running while the network, and this SSH session with it, is down.
    guest.root(
        f"rm -f {_RESULT}; cat >/run/lab-question.json <<'END'\n{json.dumps(question)}\nEND\n"
        "systemd-run --quiet --collect --property=StandardInput=file:/run/lab-question.json "
        "python3 /run/lab-disturb.py"
    )
    deadline = time.monotonic() + len(disturbances) * REPAIR_SECONDS + 300
    while True:
        done = guest.ssh("sudo", "cat", _RESULT, timeout=180)
        if done.returncode == 0:
            found = json.loads(done.stdout)
            return {name: Disturbance(**each) for name, each in found.items()}
        if time.monotonic() > deadline:
            raise LabError(f"the guest is not reachable after the disturbances: {done.stderr}")
        time.sleep(2)
