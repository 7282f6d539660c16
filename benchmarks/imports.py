"""The cost of importing the library, compared with importing the CDK alone."""

import compileall
import sys
from typing import Final

from benchmarks.claims import Claim
from benchmarks.costs import least
from demo.environment import ROOT

_CDK: Final = "import aws_cdk; from aws_cdk import aws_ec2"
_AT_MOST: Final = 1.1

_OURS: Final = (
    "from hardened_ec2 import HardenedInstance, HardenedVpc, SshAccess, HardenedEc2Checks"
)

_STATEMENTS: Final = {"cdk": _CDK, "hardened": f"{_CDK}; {_OURS}"}


def import_claims(rounds: int) -> list[Claim]:
    """Measure the import of constructs and pack, node's part included.

    Args:
        rounds: The runs of each import.

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
    what = "aws_ec2 with HardenedInstance, HardenedVpc, SshAccess, HardenedEc2Checks : aws_ec2"
    ours, theirs = measured["hardened"], measured["cdk"]
    return [
        Claim(what=what, measured=ours.seconds, against=theirs.seconds, at_most=_AT_MOST),
        Claim(
            what=what,
            measured=ours.mebibytes,
            against=theirs.mebibytes,
            at_most=_AT_MOST,
            unit="MiB",
        ),
    ]
