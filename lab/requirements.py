"""What the lab needs of the machine that it runs on.

    python -m lab.requirements

installs what is missing, as root; everybody else is told what to install.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

TOOLS = {
    "curl": "curl",
    "dnsmasq": "dnsmasq-base",
    "gpg": "gpg",
    "ip": "iproute2",
    "mke2fs": "e2fsprogs",
    "mmdebstrap": "mmdebstrap",
    "nft": "nftables",
    "nmap": "nmap",
    "nsenter": "util-linux",
    "qemu-img": "qemu-utils",
    "qemu-system-x86_64": "qemu-system-x86",
    "setpriv": "util-linux",
    "ssh": "openssh-client",
    "sshpass": "sshpass",
    "unshare": "util-linux",
}
"""Command to Debian package."""

SCANS = {"linux.uml": "user-mode-linux"}
"""The same, of what only `lab.scans` needs."""

SSH_AUDIT = Path(sys.executable).parent / "ssh-audit"
"""Comes with this environment, from the locked requirements."""


def missing(tools: Mapping[str, str] = TOOLS) -> list[str]:
    """Return what is not there: a Debian package each, or root.

    Args:
        tools: Command to Debian package. Default: `TOOLS`.
    """
    needed = sorted(
        {
            package
            for tool, package in tools.items()
            if shutil.which(tool, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is None
        }
    )
    if os.geteuid() != 0:
        needed.insert(0, "root")
    return needed


def install(tools: Mapping[str, str] = TOOLS) -> int:
    """Install what is missing; return the exit code.

    Args:
        tools: Command to Debian package. Default: `TOOLS`.
    """
    needed = missing(tools)
    if "root" in needed:
        sys.stderr.write(f"the lab needs {', '.join(needed)}\n")
        return 1
    if needed:
        _run("apt-get", "update", "--quiet", "--quiet")
        _run("apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *needed)
    return 0


def _run(*argv: str) -> None:
    subprocess.run(  # noqa: S603 - argument lists of this file
        argv, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, check=True
    )


if __name__ == "__main__":
    sys.exit(install())
