"""What importing the library costs beside importing the CDK alone."""

import compileall
import sys
from typing import Final

from benchmarks.claims import Claim
from benchmarks.costs import Cost, least
from demo.environment import ROOT

_CDK: Final = "import aws_cdk; from aws_cdk import aws_ec2"
_AT_MOST: Final = 1.1
_CONSTRUCTS: Final = "from hardened_ec2 import HardenedInstance, HardenedVpc, SshAccess"

_STATEMENTS: Final = {
    "cdk": _CDK,
    "constructs": f"{_CDK}; {_CONSTRUCTS}",
    "cdk-nag": f"{_CDK}; import cdk_nag",
    "pack": f"{_CDK}; {_CONSTRUCTS}, HardenedEc2Checks",
}


def import_claims(rounds: int) -> list[Claim]:
    """Measure what importing the constructs and the pack costs, node's part included.

    Args:
        rounds: How often each import runs.

    Returns:
        The claims, measured.
    """
    # An installed library has bytecode, as the CDK has; a checkout may have none.
    compileall.compile_dir(ROOT / "hardened_ec2", quiet=1)
    measured = least(
        {name: [sys.executable, "-c", code] for name, code in _STATEMENTS.items()},
        rounds=rounds,
        what="imports",
    )
    return [
        *_claims(
            "aws_ec2 with HardenedInstance, HardenedVpc, SshAccess : aws_ec2",
            measured["constructs"],
            measured["cdk"],
        ),
        *_claims(
            "the same with HardenedEc2Checks : aws_ec2 and cdk_nag",
            measured["pack"],
            measured["cdk-nag"],
        ),
    ]


def _claims(what: str, measured: Cost, against: Cost) -> tuple[Claim, Claim]:
    return (
        Claim(what=what, measured=measured.seconds, against=against.seconds, at_most=_AT_MOST),
        Claim(
            what=what,
            measured=measured.mebibytes,
            against=against.mebibytes,
            at_most=_AT_MOST,
            unit="MiB",
        ),
    )
