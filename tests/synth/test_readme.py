"""README and the pages behind it: examples run as they stand, tables say what the code says."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hardened_ec2 import SshAccess
from hardened_ec2 import __all__ as public_names

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
CONSTRUCTS = (ROOT / "docs/CONSTRUCTS.md").read_text("utf-8")
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


@pytest.mark.parametrize("name", sorted(public_names))
def test_every_public_name_is_listed(name: str) -> None:
    assert f"| `{name}` |" in CONSTRUCTS
