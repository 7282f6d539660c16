# ruff: noqa: S603 - the guest's own tools, wherever its PATH finds them
"""Runs in the guest as root: the system's own state.

Reads a JSON object: "logins" and "client" (the users and the address of sshd's effective
configuration) and "modes" (glob patterns of files). Prints a JSON object of all facts.
"""

import glob
import json
import os
import stat
import subprocess
import sys
from pathlib import Path


def output(*argv: str) -> str:
    """Return a program's output, whatever its exit code; "" if it is not installed."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, errors="replace", check=False)
    except FileNotFoundError:
        return ""
    return done.stdout


def lines(*argv: str) -> list[str]:
    """Return a program's output as lines."""
    return output(*argv).splitlines()


def modes(patterns: list[str]) -> dict[str, str]:
    """Return mode and owner of every file that matches a pattern."""
    found = {}
    for pattern in patterns:
        for path in glob.glob(pattern, recursive=True):  # noqa: PTH207 - absolute patterns
            try:
                status = Path(path).lstat()
            except FileNotFoundError:
                continue  # deleted since, or "**" of a missing folder
            if not stat.S_ISLNK(status.st_mode):
                mode = stat.S_IMODE(status.st_mode)
                found[path] = f"{mode:04o} {status.st_uid}:{status.st_gid}"
    return found


def properties(unit: str, *names: str) -> dict[str, str]:
    """Return properties of a systemd unit."""
    shown = lines("systemctl", "show", f"--property={','.join(names)}", unit)
    return dict(line.split("=", 1) for line in shown)


def versions() -> dict[str, str]:
    """Return the versions of the kernel and of packages."""
    packages = lines(
        *("dpkg-query", "--show", "--showformat=${Package}=${Version}\\n"),
        *("cloud-init", "nftables", "openssh-server", "sudo", "systemd"),
    )
    return {"kernel": os.uname().release, **dict(line.split("=", 1) for line in packages)}


def boot_order() -> dict[str, float]:
    """Return when the hardening, sshd and user commands ran, in seconds of kernel time."""
    entered = "ActiveEnterTimestampMonotonic"
    found = {}
    for name, unit in (("sshd", "ssh.service"), ("user", "cloud-final.service")):
        micros = output("systemctl", "show", "--value", f"--property={entered}", unit).strip()
        found[name] = int(micros or 0) / 1e6
    for line in lines(
        *("journalctl", "--boot", "--quiet", "--output=json", "--identifier=hardened-ec2")
    ):
        entry = json.loads(line)
        found.setdefault("hardening", int(entry["__MONOTONIC_TIMESTAMP"]) / 1e6)
    return found


def hardening() -> str:
    """Return the hardening's own report, one line a step: outcome, name and reason."""
    status = Path("/var/lib/hardened-ec2/status.json")
    if not status.exists():
        return ""
    steps = json.loads(status.read_text(encoding="utf-8"))["steps"]
    return "".join(f"{each['outcome']} {each['name']} {each.get('reason', '')}\n" for each in steps)


def main() -> None:
    """Print all facts."""
    wanted = json.load(sys.stdin)
    found = {
        "boot_order": boot_order(),
        "cloud_init": json.loads(output("cloud-init", "status", "--format=json") or "{}"),
        "failed_units": [
            line.split()[0]
            for line in lines("systemctl", "list-units", "--failed", "--plain", "--no-legend")
        ],
        "hardening": hardening(),
        "journal": lines("journalctl", "--boot", "--quiet", "--identifier=hardened-ec2"),
        "listeners": lines("ss", "-Hltn"),
        "modes": modes(wanted["modes"]),
        "service": properties("hardened-ec2.service", "Result", "ExecMainStatus"),
        "sshd": {
            login: lines("sshd", "-T", "-C", f"user={login},host=client,addr={wanted['client']}")
            for login in wanted["logins"]
        },
        "state": output("systemctl", "is-system-running").strip(),
        "versions": versions(),
    }
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
