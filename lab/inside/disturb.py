# ruff: noqa: S603, S607 - the guest's own tools, wherever its PATH finds them
"""Runs in the guest as root: removes the metadata lock, and measures how long it stays open.

Reads a JSON object: "address" of the metadata service, "uid" of a user that must not reach it,
"patience" in seconds, "disturbances" (name to shell command), and "result", the file to write: a
disturbance may cut the SSH connection. Writes a JSON object: for each disturbance its exit code and
the seconds until the lock held again, null if it did not.
"""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

_PAUSE = 0.5


def reaches(uid: int, address: str) -> bool:
    """Whether a user can connect to the metadata service."""
    if (child := os.fork()) == 0:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        try:
            socket.create_connection((address, 80), timeout=3).close()
        except ConnectionRefusedError:
            os._exit(1)
        except OSError as error:
            # "No route" does not prove the lock: the network is about to come back.
            os._exit(1 if isinstance(error, PermissionError) else 0)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def seconds_open(uid: int, address: str, patience: float) -> float | None:
    """Return the seconds until the lock held; None if it never did."""
    started = time.monotonic()
    while reaches(uid, address):
        if time.monotonic() > started + patience:
            return None
        time.sleep(_PAUSE)
    return round(time.monotonic() - started, 1)


def main() -> None:
    """Disturb and measure, one disturbance after the other."""
    wanted = json.load(sys.stdin)
    found = {}
    for name, command in wanted["disturbances"].items():
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
        open_for = seconds_open(wanted["uid"], wanted["address"], wanted["patience"])
        found[name] = {
            "exit_code": done.returncode,
            "said": (done.stdout + done.stderr).strip(),
            "seconds_open": open_for,
        }
    result = Path(wanted["result"])
    unfinished = result.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(found), encoding="utf-8")
    unfinished.rename(result)


if __name__ == "__main__":
    main()
