# ruff: noqa: S603, S607 - the guest's own tools, wherever its PATH finds them
"""Runs in the guest as root: the checks of controls, as documented.

Reads a JSON object: "checks", a list of objects with "when" and "command", both POSIX sh. Prints a
JSON object: "outcomes", with each check's "applies" (whether "when" is empty or succeeds) and the
command's stripped "output".
"""

import json
import subprocess
import sys

_SECONDS = 120


def shell(script: str) -> "subprocess.CompletedProcess[str]":
    """Run a shell script; one that exceeds the limit prints so."""
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
        return subprocess.CompletedProcess(script, 1, f"killed after {_SECONDS} s", "")


def outcome(check: dict[str, str]) -> dict[str, object]:
    """Return the outcome of one check."""
    if check["when"] and shell(check["when"]).returncode:
        return {"applies": False, "output": ""}
    return {"applies": True, "output": shell(check["command"]).stdout.strip()}


def main() -> None:
    """Run every requested check."""
    wanted = json.load(sys.stdin)
    json.dump({"outcomes": [outcome(each) for each in wanted["checks"]]}, sys.stdout)


if __name__ == "__main__":
    main()
