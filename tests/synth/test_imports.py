"""What importing the public names loads of the CDK."""

import subprocess
import sys

CONSTRUCTS = "HardenedInstance, HardenedLaunchTemplate, HardenedVpc, LockedSecurityGroup, SshAccess"
NEEDED_LATER = ("aws_cdk", "cdk_nag", "hardened_ec2.policy.facts", "hardened_ec2.policy.rules")
LOADED_BESIDES = """\
import sys, aws_cdk
from aws_cdk import aws_ec2
before = {{*sys.modules}}
from hardened_ec2 import {names}
print(*sorted(name for name in {{*sys.modules}} - before if name.startswith({later})))
"""


def test_importing_names_loads_no_service_no_rule_and_no_pack() -> None:
    code = LOADED_BESIDES.format(names=f"{CONSTRUCTS}, HardenedEc2Checks", later=NEEDED_LATER)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
