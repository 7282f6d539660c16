"""A server in its own network, with the services of a VPC around it."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from lab.machines.careless_image import careless
from lab.machines.distribution import Distribution
from lab.machines.guest import Guest, guest, key
from lab.machines.image import Recipe, build_image
from lab.machines.network import network
from lab.paths import EVIDENCE
from lab.template.assembly import Server


@contextmanager
def running(
    name: str, distribution: Distribution, server: Server, recipe: Recipe | None = None
) -> Iterator[Guest]:
    """Yield a server in its network, still powered off.

    Args:
        name: The folder of its console log, below the evidence.
        distribution: The Debian release of its image.
        server: Its user data, security group rules and IMDS hop limit.
        recipe: Files and commands of its image. Default: `careless`.

    Raises:
        LabError: If the image, the network or a service fails.
    """
    image = build_image(distribution, recipe or careless())
    admin = key("admin")
    with ExitStack() as stack:
        net = stack.enter_context(network(server.ingress, server.egress))
        stack.enter_context(
            net.services(
                user_data=server.user_data, public_key=admin.public, hop_limit=server.hop_limit
            )
        )
        yield stack.enter_context(guest(image, net, admin, EVIDENCE / name / "console.log"))
