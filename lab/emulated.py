"""A server that is scanned on an emulated machine, as the proofs boot it.

Slower than `user_mode` by far, but it runs on every processor, and its kernel is Debian's own.
"""

import ipaddress
from collections.abc import Mapping
from pathlib import Path

from lab.assembly import Server
from lab.image import Distribution, Recipe
from lab.proof import running
from lab.security_group import Rule

LIMITS = (
    "The servers ran on emulated machines with Debian's own kernel, in the network that "
    "[PROOF.md](PROOF.md) describes."
)
"""What figures from here leave out."""

_EVERYBODY = Rule(protocol="-1", ports=None, addresses=ipaddress.IPv4Network("0.0.0.0/0"))
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
    """Boot a server, run a script on it when cloud-init and the hardening are done, switch it off.

    Args:
        name: What its console log is called.
        distribution: What it runs.
        recipe: What its image has.
        user_data: As cloud-init gets it.
        script: sh, run as root, in a folder of its own. What it writes into "$OUT" comes back.
        shared: Name to file, of text, that the script finds in "$IN".
        seconds: How long the script may take.

    Returns:
        Name to content of what the script left.

    Raises:
        LabError: If the server or the script did not come to its end.
    """
    server = Server(
        user_data=user_data.encode(), ingress=(_EVERYBODY,), egress=(_EVERYBODY,), hop_limit=2
    )
    with running(name, distribution, server, recipe) as machine:
        machine.switch_on()
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
