"""cfn-guard, AWS's rule engine in Rust, with AWS Control Tower's rules for EC2.

Both are in a package on PyPI, inside the archive that jsii would unpack.
"""

import platform
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from demo.environment import ROOT

_PACKAGE: Final = "lib/python3.*/site-packages/cdklabs/cdk_validator_cfnguard/_jsii/*.jsii.tgz"
_RULES: Final = ("ec2", "ec2autoscaling")


@dataclass(frozen=True, kw_only=True)
class CfnGuard:
    """An unpacked cfn-guard.

    Args:
        program: The executable.
        rules: The folders of its rules.
    """

    program: Path
    rules: tuple[Path, ...]

    @property
    def rule_count(self) -> int:
        """The number of rule files."""
        return sum(len([*folder.glob("*.guard")]) for folder in self.rules)

    def command(self, path: Path) -> list[str]:
        """Return the command that checks a template or a folder of them."""
        rules = [word for folder in self.rules for word in ("--rules", str(folder))]
        return [str(self.program), "validate", *rules, "--data", str(path)]


def unpack(folder: Path) -> CfnGuard:
    """Unpack cfn-guard from the environment that `make bench` makes for it.

    Args:
        folder: The folder to unpack into.

    Returns:
        The program and its rules.

    Raises:
        FileNotFoundError: If the environment is missing.
    """
    archives = [*(ROOT / ".venv-cfn-guard").glob(_PACKAGE)]
    if len(archives) != 1:
        raise FileNotFoundError("cfn-guard is not installed: run `make bench`, which installs it")
    with tarfile.open(archives[0]) as archive:
        archive.extractall(folder, filter="data")
    system = "macos" if sys.platform == "darwin" else "ubuntu"
    machine = "aarch64" if platform.machine() in ("arm64", "aarch64") else "x86_64"
    rules = folder / "package/rules/control-tower/cfn-guard"
    return CfnGuard(
        program=folder / f"package/bin/{system}/{machine}/cfn-guard",
        rules=tuple(rules / each for each in _RULES),
    )
