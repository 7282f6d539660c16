"""The Debian packages that the lab needs on this machine.

    python -m lab.requirements

installs missing packages as root; other users are told which to install.
"""

import os
import shutil
import subprocess
import sys
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

SSH_AUDIT = Path(sys.executable).parent / "ssh-audit"
"""Installed into this environment from the locked requirements."""


def missing() -> list[str]:
    """Return the missing Debian packages, after "root" if this process does not run as root."""
    needed = sorted(
        {
            package
            for tool, package in TOOLS.items()
            if shutil.which(tool, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is None
        }
    )
    if os.geteuid() != 0:
        needed.insert(0, "root")
    return needed


def install() -> int:
    """Install the missing packages; return the exit code."""
    needed = missing()
    if "root" in needed:
        sys.stderr.write(
            f"the lab needs {', '.join(needed)}: run python -m lab.requirements as root\n"
        )
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
