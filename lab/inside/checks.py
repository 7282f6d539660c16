# ruff: noqa: S603, S607 - the guest's own tools, wherever its PATH finds them
"""Runs in the guest as root: the checks of the controls, each exactly as it is documented.

Reads a JSON object: "checks", a list of objects with "when" and "command", both POSIX sh. Prints
one: "outcomes", for each check whether it applies here ("when" succeeded, or is empty), and what
the command printed, without the white space around it.
"""

import json
import subprocess
import sys

_SECONDS = 120


def shell(script: str) -> "subprocess.CompletedProcess[str]":
    """Run what is given; what takes too long has printed so."""
    try:
        return subprocess.run(
            ["sh", "-c", script],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(script, 1, f"no end after {_SECONDS} s", "")


def outcome(check: dict[str, str]) -> dict[str, object]:
    """Return what became of one check."""
    if check["when"] and shell(check["when"]).returncode:
        return {"applies": False, "output": ""}
    return {"applies": True, "output": shell(check["command"]).stdout.strip()}


def main() -> None:
    """Do every check that was asked for."""
    wanted = json.load(sys.stdin)
    json.dump({"outcomes": [outcome(each) for each in wanted["checks"]]}, sys.stdout)


if __name__ == "__main__":
    main()
