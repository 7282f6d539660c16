"""What the lab needs of the machine that it runs on.

    python -m lab.requirements

installs what is missing, as root; everybody else is told what to install.
"""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

from lab.image import CACHE

TOOLS = {
    "curl": "curl",
    "dnsmasq": "dnsmasq-base",
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

_SSH_AUDIT = "ssh-audit==3.9.0"
_PLACES = (Path(sys.executable).parent, CACHE / "ssh-audit" / "bin")


def missing() -> list[str]:
    """Return what is not there: a Debian package each, root, or ssh-audit."""
    needed = sorted(
        {
            package
            for tool, package in TOOLS.items()
            if shutil.which(tool, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is None
        }
    )
    if os.geteuid() != 0:
        needed.insert(0, "root")
    if ssh_audit() is None:
        needed.append("ssh-audit")
    return needed


def ssh_audit() -> Path | None:
    """Find ssh-audit: in this environment, or in one of its own in the cache."""
    return next((place / "ssh-audit" for place in _PLACES if (place / "ssh-audit").exists()), None)


def install() -> int:
    """Install what is missing; return the exit code."""
    needed = missing()
    if "root" in needed:
        sys.stderr.write(f"the lab needs {', '.join(needed)}\n")
        return 1
    packages = [each for each in needed if each != "ssh-audit"]
    if packages:
        _run("apt-get", "update", "--quiet", "--quiet")
        _run("apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *packages)
    if "ssh-audit" in needed:
        folder = CACHE / "ssh-audit"
        venv.EnvBuilder(with_pip=True, clear=True).create(folder)
        _run(str(folder / "bin" / "pip"), "install", "--quiet", _SSH_AUDIT)
    return 0


def _run(*argv: str) -> None:
    subprocess.run(  # noqa: S603 - argument lists of this file
        argv, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, check=True
    )


if __name__ == "__main__":
    sys.exit(install())
