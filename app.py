#!/usr/bin/env python3
"""The reference app, for `cdk synth` and `cdk deploy`.

Context:
    ssh_whitelist: Addresses and CIDR blocks that may reach port 22, separated by commas, or a list.
        Adds a bastion for them. Default: none; SSH goes through the endpoint only.
    s3_prefix_list_id: AWS's prefix list for S3 in the Region, so that servers can fetch packages.
        Default: none.
    guardrails: The mode of VPC Block Public Access: ``off``, ``block-ingress`` or
        ``block-bidirectional``. Adds guardrails for the whole account and Region; of all that faces
        the internet, only the bastion stays reachable. Default: none; the account stays as it is.
    fleet: "true" adds a fleet, and the interface endpoint through which its servers report.
        Default: none.
    access: "true" adds recorded sessions, a policy that grants access to the server, alarms on its
        metadata service and a Network Access Scope. Sessions are recorded for the whole account
        and Region. Default: none.
    upkeep: "true" has State Manager keep the fleet hardened and Patch Manager patch it. Default:
        none.
    image: "true" launches the fleet from a hardened AMI, which is built during the deployment.
        Requires s3_prefix_list_id. Default: none.
"""

import sys

import aws_cdk as cdk
from cdk_nag import AwsSolutionsChecks, NIST80053R5Checks

from hardened_ec2 import (
    HardenedEc2Checks,
    PublicAccessExclusion,
    SshAccess,
    VpcBlockPublicAccess,
)
from stacks.access_stack import AccessStack
from stacks.bastion_stack import BastionStack
from stacks.fleet_stack import FleetStack
from stacks.guardrails_stack import GuardrailsStack
from stacks.network_stack import NetworkStack
from stacks.server_stack import ServerStack
from stacks.sessions_stack import SessionsStack


def ssh_whitelist(context: object) -> SshAccess:
    """Read the context value ``ssh_whitelist``.

    Args:
        context: The value; None if it is not given.

    Returns:
        Access for these addresses; for nobody without a value.

    Raises:
        ValueError: If the value is neither a string nor a list of strings, or not a whitelist.
    """
    if context is None or context == "":
        return SshAccess.none()
    addresses = context.split(",") if isinstance(context, str) else context
    if not isinstance(addresses, list) or not all(isinstance(each, str) for each in addresses):
        raise ValueError(
            f"{context!r} is not a list of addresses: write "
            "-c ssh_whitelist=203.0.113.7,198.51.100.0/28"
        )
    return SshAccess.from_cidrs(*(each.strip() for each in addresses))


def block_public_access(mode: str, network: NetworkStack) -> VpcBlockPublicAccess:
    """Read the context value ``guardrails``.

    Args:
        mode: The mode of VPC Block Public Access.
        network: The network, whose public subnets are excluded.

    Returns:
        The mode, with these exclusions.

    Raises:
        ValueError: If the mode is unknown.
    """
    if mode == "off":
        return VpcBlockPublicAccess.off()
    return VpcBlockPublicAccess(
        mode=mode,
        exclusions=tuple(
            PublicAccessExclusion(name=f"Bastion{number}", subnet_id=subnet.subnet_id)
            for number, subnet in enumerate(network.vpc.public_subnets, 1)
        ),
    )


def wants(name: str, context: object) -> bool:
    """Read a context value that asks for a part of the app.

    Args:
        name: The name of the value, for the message.
        context: The value; None if it is not given.

    Returns:
        Whether the app has that part.

    Raises:
        ValueError: If the value is neither true nor false.
    """
    if context in (None, "", "false", False):
        return False
    if context in ("true", True):
        return True
    raise ValueError(f"{name} is {context!r}: write -c {name}=true, or leave it out")


def build(app: cdk.App) -> None:
    """Add the stacks and the policy packs to an app.

    Args:
        app: The app, with its context.

    Raises:
        ValueError: If the context is wrong.
    """
    whitelist = ssh_whitelist(app.node.try_get_context("ssh_whitelist"))
    s3_prefix_list_id = app.node.try_get_context("s3_prefix_list_id")
    fleet, upkeep, image, access = (
        wants(name, app.node.try_get_context(name))
        for name in ("fleet", "upkeep", "image", "access")
    )
    if (upkeep or image) and not fleet:
        raise ValueError("upkeep and image apply to the fleet: write -c fleet=true as well")
    if image and not s3_prefix_list_id:
        raise ValueError(
            "image without s3_prefix_list_id, so the build could not fetch packages: write "
            "-c s3_prefix_list_id=pl-... as well"
        )
    network = NetworkStack(
        app,
        "HardenedEc2Network",
        fleet=fleet,
        upkeep=upkeep,
        image=image,
        public_subnets=bool(whitelist),
        recorded_sessions=access,
        ssh_whitelist=whitelist.cidrs or None,
        s3_prefix_list_id=s3_prefix_list_id,
    )
    ssh = SshAccess.via_instance_connect_endpoint(network.instance_connect_endpoint)
    if whitelist:
        bastion = BastionStack(app, "HardenedEc2Bastion", vpc=network.vpc, ssh=whitelist)
        ssh |= whitelist | SshAccess.from_security_group(bastion.bastion.security_group)
    sessions = SessionsStack(app, "HardenedEc2Sessions") if access else None
    server = ServerStack(
        app,
        "HardenedEc2Server",
        vpc=network.vpc,
        ssh=ssh,
        session_logs=sessions.recording.session_logs if sessions else None,
    )
    if sessions is not None:
        AccessStack(
            app,
            "HardenedEc2Access",
            server=server.server,
            recording=sessions.recording,
            instance_connect_endpoint=network.instance_connect_endpoint,
        )
    mode = app.node.try_get_context("guardrails")
    if mode:
        GuardrailsStack(
            app,
            "HardenedEc2Guardrails",
            vpc_block_public_access=block_public_access(mode, network),
        )
    if fleet:
        FleetStack(app, "HardenedEc2Fleet", vpc=network.vpc, ssh=ssh, upkeep=upkeep, image=image)
    cdk.Validations.of(app).add_plugins(
        HardenedEc2Checks(app), AwsSolutionsChecks(app), NIST80053R5Checks(app)
    )


if __name__ == "__main__":
    the_app = cdk.App()
    try:
        build(the_app)
    except ValueError as error:
        # The message says what to write; a traceback would hide it.
        sys.exit(f"app.py: {error}")
    the_app.synth()
