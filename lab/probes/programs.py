"""Running the programs of `lab.inside` in a guest."""

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from lab.commands import LabError
from lab.machines.guest import Guest


def ask(
    guest: Guest, program: str, question: Mapping[str, Any], *, in_session: bool = False
) -> dict[str, Any]:
    """Run a program of `lab.inside` in a guest, as root.

    The program runs as a service, because the hardening may keep login sessions from metadata.

    Args:
        guest: The server.
        program: The module's name.
        question: The program's input.
        in_session: Whether to run it in the administrator's login session, through sudo, instead.
            Default: False.

    Returns:
        The program's output.

    Raises:
        LabError: If the program fails.
    """
    put(guest, program)
    service = () if in_session else ("systemd-run", "--quiet", "--collect", "--wait", "--pipe")
    done = guest.ssh(
        *("sudo", *service, "python3", f"/run/lab-{program}.py"),
        stdin=json.dumps(question),
        timeout=900,
    )
    if done.returncode:
        raise LabError(f"{program}.py: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return dict(json.loads(done.stdout))


def put(guest: Guest, program: str) -> None:
    """Copy a program of `lab.inside` into a guest.

    Args:
        guest: The server.
        program: The module's name.

    Raises:
        LabError: If the file cannot be written.
    """
    text = (files("lab.inside") / f"{program}.py").read_text(encoding="utf-8")
    done = guest.ssh("sudo", "tee", f"/run/lab-{program}.py", stdin=text)
    if done.returncode:
        raise LabError(f"cannot copy {program}.py into the guest: {done.stderr}")
