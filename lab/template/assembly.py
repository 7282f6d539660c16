"""The server to boot, read from the synthesized template.

The lab resolves the template itself, so that a mistake in the package's own reader cannot hide one
in the template.
"""

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
from lab.paths import ROOT
from lab.template.security_group import Rule, logical_group, rules

_STACK = "HardenedEc2Bastion"


@dataclass(frozen=True, kw_only=True)
class Server:
    """One server of a template.

    Args:
        user_data: User data as the instance receives it: text or gzip.
        ingress: Ingress rules of its security groups.
        egress: Egress rules of its security groups.
        hop_limit: The IMDS hop limit.
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
        whitelist: Addresses allowed to reach SSH.
        profile: The bastion's hardening profile.
        commands: The user's own commands in the bastion's user data.
        folder: The folder of the cloud assembly.

    Raises:
        LabError: If the app fails, or the lab cannot resolve its template.
    """
    flags = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"]
    context = {
        **flags,
        "ssh_whitelist": list(whitelist),
        "bastion_profile": profile,
        "bastion_commands": list(commands),
    }
    must(
        *("env", f"--chdir={ROOT}", f"CDK_OUTDIR={folder}", "CDK_VALIDATION=false"),
        # CDK reads pytest's variables and behaves differently in a test.
        *("--unset=PYTEST_CURRENT_TEST", "--unset=PYTEST_VERSION"),
        f"CDK_CONTEXT_JSON={json.dumps(context)}",
        f"JSII_NODE={os.environ.get('JSII_NODE', ROOT / '.venv' / 'bin' / 'node')}",
        *(sys.executable, "-m", "lab.template.reference_app"),
        timeout=300,
    )
    template = json.loads((folder / f"{_STACK}.template.json").read_text(encoding="utf-8"))
    return read(template["Resources"])


def read(resources: Mapping[str, Mapping[str, Any]]) -> Server:
    """Return the only instance of a template.

    Args:
        resources: The template's resources, by logical id.

    Raises:
        LabError: If there is not exactly one instance, or the lab cannot resolve its properties.
    """
    instances = [
        resource["Properties"]
        for resource in resources.values()
        if resource["Type"] == "AWS::EC2::Instance"
    ]
    if len(instances) != 1:
        raise LabError(f"the template has {len(instances)} instances: the lab boots exactly one")
    (instance,) = instances
    options = instance["MetadataOptions"]
    if options["HttpTokens"] != "required":
        raise LabError(
            f"the template says {options}: the lab's metadata service needs HttpTokens=required"
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
    """Decode base64, as EC2 does."""
    match value:
        case str():
            return base64.b64decode(value, validate=True)
        case {"Fn::Base64": text}:
            return _text(text).encode()
        case _:
            raise LabError(
                f"the lab cannot resolve user data {value!r}: it knows base64 text and Fn::Base64"
            )


def _text(value: object) -> str:
    """Resolve strings and Fn::Join, as CloudFormation does."""
    match value:
        case str():
            return value
        case {"Fn::Join": [str(between), [*parts]]}:
            return between.join(_text(part) for part in parts)
        case _:
            raise LabError(
                f"the lab cannot resolve {value!r} in user data: it knows text and Fn::Join"
            )
