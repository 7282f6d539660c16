"""A server that boots, runs one script, and returns the files that the script leaves."""

from collections.abc import Mapping
from pathlib import Path

from lab.machines.distribution import Distribution
from lab.machines.image import Recipe
from lab.machines.server import running
from lab.template.assembly import Server
from lab.template.security_group import OPEN_TO_ALL

_FOLDER = "/root/lab"


def run_inside(
    name: str,
    distribution: Distribution,
    recipe: Recipe,
    user_data: str,
    *,
    script: str,
    shared: Mapping[str, Path],
    seconds: float,
) -> dict[str, bytes]:
    """Boot a server and run a script on it once cloud-init and the hardening have finished.

    Args:
        name: The folder of its console log, below the evidence.
        distribution: The Debian release of its image.
        recipe: Files and commands of its image.
        user_data: The server's user data.
        script: POSIX sh, run as root in an empty folder, with the folders "$IN" and "$OUT". Its
            exit code is ignored.
        shared: Name of a file in "$IN" to the text file that it is a copy of.
        seconds: The script's limit.

    Returns:
        Name to content of every file in "$OUT".

    Raises:
        LabError: If the server does not boot, or the script exceeds its limit.
    """
    server = Server(
        user_data=user_data.encode(), ingress=(OPEN_TO_ALL,), egress=(OPEN_TO_ALL,), hop_limit=2
    )
    with running(name, distribution, server, recipe) as machine:
        machine.power_on()
        machine.wait_for_login()
        machine.wait_until_booted()
        machine.root(f"mkdir -p {_FOLDER}/in {_FOLDER}/out")
        for file, source in shared.items():
            machine.put(f"{_FOLDER}/in/{file}", source.read_text(encoding="utf-8"))
        machine.root(
            f"cd {_FOLDER}; IN={_FOLDER}/in OUT={_FOLDER}/out; set +e\n{script}\n:", timeout=seconds
        )
        names = machine.root(f"ls {_FOLDER}/out").split()
        return {each: machine.root(f"cat {_FOLDER}/out/{each}").encode() for each in names}
