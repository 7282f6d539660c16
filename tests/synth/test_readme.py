"""README and the pages behind it: examples run as they stand, tables say what the code says."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hardened_ec2 import SshAccess
from hardened_ec2 import __all__ as public_names
from hardened_ec2.account.functions.account_settings.settings import SETTINGS
from hardened_ec2.support.acknowledgements import (
    ACCOUNT_SETTINGS_FUNCTION,
    ANY_GROUP_OF_THIS_NAME,
    DEFAULT_HOST_MANAGEMENT,
    IMAGE_BUILD_ON_EVERY_RESOURCE,
    MIXED_INSTANCES,
    PATCHING,
    PATCHING_TASK,
    SESSION_MANAGER_ON_EVERY_RESOURCE,
    SESSIONS_IN_BUCKET,
    STATE_MANAGER_ON_EVERY_NODE,
    OwnAcknowledgement,
    account_settings_permissions,
)

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
CONSTRUCTS = (ROOT / "docs/CONSTRUCTS.md").read_text("utf-8")
ACKNOWLEDGEMENTS = (ROOT / "docs/ACKNOWLEDGEMENTS.md").read_text("utf-8")
ACKNOWLEDGED = [
    *SESSION_MANAGER_ON_EVERY_RESOURCE,
    SESSIONS_IN_BUCKET,
    ANY_GROUP_OF_THIS_NAME,
    *MIXED_INSTANCES,
    *ACCOUNT_SETTINGS_FUNCTION,
    *DEFAULT_HOST_MANAGEMENT,
    *IMAGE_BUILD_ON_EVERY_RESOURCE,
    *STATE_MANAGER_ON_EVERY_NODE,
    *PATCHING,
    *PATCHING_TASK,
    *account_settings_permissions(
        {kind for each in SETTINGS.values() for kind in each.resource_actions}
    ),
]
FIRST_EXAMPLE = re.findall(r"```python\n(.*?)```", README, re.DOTALL)[0]


def test_the_first_example_runs_as_it_stands(tmp_path: Path) -> None:
    assert len(FIRST_EXAMPLE.splitlines()) <= 15
    done = subprocess.run(
        [sys.executable, "-c", FIRST_EXAMPLE],
        cwd=tmp_path,
        env={
            "PYTHONPATH": str(ROOT),
            "CDK_OUTDIR": str(tmp_path / "cdk.out"),
            "CDK_VALIDATION": "false",
            **{name: os.environ[name] for name in ("PATH", "HOME", "JSII_NODE")},
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    template = (tmp_path / "cdk.out" / "Shop.template.json").read_text("utf-8")
    assert '"HttpTokens": "required"' in template
    assert "10.0.1.0/28" in template


def test_the_refusal_of_a_construct_is_quoted() -> None:
    with pytest.raises(ValueError, match="has host bits set") as refused:
        SshAccess.from_cidrs("203.0.113.7/24")
    assert f"\napp.py: {refused.value}\n" in README


@pytest.mark.parametrize("each", ACKNOWLEDGED)
def test_what_we_acknowledge_ourselves_is_listed(each: OwnAcknowledgement) -> None:
    row = f"| `{each.rule}` | `{each.where}` | {each.reason} |"
    assert row in ACKNOWLEDGEMENTS


@pytest.mark.parametrize("name", sorted(public_names))
def test_every_public_name_is_listed(name: str) -> None:
    assert f"| `{name}` |" in CONSTRUCTS
