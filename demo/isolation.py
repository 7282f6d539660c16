"""Environment of the CDK CLI and the emulator's clients, which reaches no AWS account.

It leaves out the caller's ``AWS_*`` and ``CDK*`` variables, profiles and ``.cdk.json``, holds keys
that are not valid, and sets a loopback address as the endpoint of every AWS service. Child
processes cannot use the caller's credentials.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

ACCOUNT = "123456789012"
REGION = "us-east-1"

NO_ENDPOINT = "http://localhost:9"
"""Endpoint for steps that must not call AWS: the discard port on loopback."""

_LEFT_OUT = ("AWS_", "BOTO_", "CDK", "JSII_", "MOTO_", "NODE_OPTIONS")
"""Prefixes of variables that change what a client does.

The CDK CLI reads every variable that starts with CDK as one of its options.
"""


def isolate(environment: Mapping[str, str], home: Path, endpoint: str) -> dict[str, str]:
    """Copy the caller's environment without what could lead to an AWS account.

    Args:
        environment: The caller's.
        home: A folder without settings.
        endpoint: The emulator's address, or `NO_ENDPOINT`.

    Returns:
        The environment for a child process, or for this one.

    Raises:
        ValueError: If the endpoint is not on loopback.
    """
    if not re.fullmatch(r"http://localhost:[0-9]{1,5}", endpoint):
        raise ValueError(f"{endpoint!r} is not the emulator: write http://localhost:PORT")
    kept = {
        name: value
        for name, value in environment.items()
        if not name.upper().startswith(_LEFT_OUT) and not name.lower().endswith("_proxy")
    }
    tools = [ROOT / ".venv" / "bin", ROOT / "node_modules" / ".bin"]
    return {
        **kept,
        "PATH": os.pathsep.join([*map(str, tools), environment.get("PATH", os.defpath)]),
        "HOME": str(home),
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_ACCESS_KEY_ID": "emulator",
        "AWS_SECRET_ACCESS_KEY": "emulator",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_EC2_METADATA_DISABLED": "true",
        "CDK_DISABLE_CLI_TELEMETRY": "true",
        "JSII_NODE": str(ROOT / ".venv" / "bin" / "node"),
        # Unpacked once for all runs, not into each run's home.
        "JSII_RUNTIME_PACKAGE_CACHE_ROOT": str(ROOT / "build" / "jsii"),
        # The emulator listens on IPv4 only, and "localhost" may name both.
        "NODE_OPTIONS": "--dns-result-order=ipv4first",
    }
