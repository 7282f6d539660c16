"""What the lab boots, read from the synthesized template: the shipped bytes, not a copy of them."""

import base64
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hardened_ec2.host.controls.types import Profile
from lab.commands import LabError, must
from lab.security_group import Rule, logical_group, rules

_ROOT = Path(__file__).resolve().parents[1]
_STACK = "HardenedEc2Bastion"


@dataclass(frozen=True, kw_only=True)
class Server:
    """One server of a template.

    Args:
        user_data: As the instance receives it: text, or gzip.
        ingress: Who may reach it.
        egress: Whom it may reach.
        hop_limit: How many hops its metadata survives.
    """

    user_data: bytes
    ingress: tuple[Rule, ...]
    egress: tuple[Rule, ...]
    hop_limit: int


def synthesize(
    whitelist: Sequence[str], profile: Profile, commands: Sequence[str], folder: Path
) -> Server:
    """Synthesize the reference app and read its bastion.

    Args:
        whitelist: The addresses that may SSH.
        profile: How much of the host's hardening the bastion has.
        commands: The user's own commands on the bastion.
        folder: Where the assembly goes.

    Returns:
        The bastion.

    Raises:
        LabError: If the app failed, or the template has something that the lab cannot hold.
    """
    flags = json.loads((_ROOT / "cdk.json").read_text(encoding="utf-8"))["context"]
    context = {
        **flags,
        "ssh_whitelist": list(whitelist),
        "bastion_profile": profile,
        "bastion_commands": list(commands),
    }
    must(
        *("env", f"--chdir={_ROOT}", f"CDK_OUTDIR={folder}", "CDK_VALIDATION=false"),
        # CDK looks for pytest's own variables, and behaves differently under a test.
        *("--unset=PYTEST_CURRENT_TEST", "--unset=PYTEST_VERSION"),
        f"CDK_CONTEXT_JSON={json.dumps(context)}",
        f"JSII_NODE={os.environ.get('JSII_NODE', _ROOT / '.venv' / 'bin' / 'node')}",
        *(sys.executable, "-m", "lab.reference_app"),
        timeout=300,
    )
    template = json.loads((folder / f"{_STACK}.template.json").read_text(encoding="utf-8"))
    return read(template["Resources"])


def read(resources: Mapping[str, Mapping[str, Any]]) -> Server:
    """Read the one instance of a template.

    Args:
        resources: The template's resources.

    Raises:
        LabError: If there is not exactly one, or it uses what the lab cannot resolve.
    """
    instances = [
        resource["Properties"]
        for resource in resources.values()
        if resource["Type"] == "AWS::EC2::Instance"
    ]
    if len(instances) != 1:
        raise LabError(f"the template has {len(instances)} instances where the lab boots one")
    (instance,) = instances
    options = instance["MetadataOptions"]
    if options["HttpTokens"] != "required":
        raise LabError(
            f"the lab's metadata service speaks IMDSv2 only, the template says {options}"
        )
    (interface,) = instance["NetworkInterfaces"]
    groups = [logical_group(reference) for reference in interface["GroupSet"]]
    return Server(
        user_data=_decoded(instance["UserData"]),
        ingress=rules(resources, groups, "Ingress"),
        egress=rules(resources, groups, "Egress"),
        hop_limit=int(options["HttpPutResponseHopLimit"]),
    )


def _decoded(value: object) -> bytes:
    """Take the base64 off, as EC2 does before the server asks."""
    match value:
        case str():
            return base64.b64decode(value, validate=True)
        case {"Fn::Base64": text}:
            return _text(text).encode()
        case _:
            raise LabError(f"the lab cannot resolve {value!r} as user data")


def _text(value: object) -> str:
    """Resolve what CloudFormation would: texts and joined texts."""
    match value:
        case str():
            return value
        case {"Fn::Join": [str(between), [*parts]]}:
            return between.join(_text(part) for part in parts)
        case _:
            raise LabError(f"the lab cannot resolve {value!r} in user data")
