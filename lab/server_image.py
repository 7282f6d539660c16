"""The image of the server under proof: as careless as a customised image may be.

There is a login with a known password, root has an authorized key, cloud-init is told to let
passwords in, and nothing looks for updates: all that the hardening has to undo is there from the
first second on.
"""

from lab.guest import key
from lab.image import File, Recipe

CLERK = "clerk"
PASSWORD = "winter 2016"  # noqa: S105 - it is meant to be known

ALLOWED_USER = "cwagent"
"""A service account that may reach the metadata service, and is in the image."""

DEPUTY = "deputy"
"""Somebody who will log in by key, and whose password, that there is none of, expires."""

LATER_USER = "ec2-instance-connect"
"""One that may as soon as it exists, and is made while the server runs."""


_NO_UPGRADES = 'APT::Periodic::Unattended-Upgrade "0";\n'


def careless() -> Recipe:
    """Return what the image has beside Debian's packages."""
    return Recipe(
        files={
            "/etc/cloud/cloud.cfg.d/91-careless.cfg": File(text="ssh_pwauth: true\n"),
            "/etc/apt/apt.conf.d/20auto-upgrades": File(text=_NO_UPGRADES),
            "/root/.ssh/authorized_keys": File(text=f"{key('root').public}\n", mode=0o600),
        },
        commands=(
            "chmod 700 /root/.ssh",
            f"useradd --create-home --shell /bin/bash {CLERK}",
            f"printf '%s\\n' '{CLERK}:{PASSWORD}' 'root:{PASSWORD}' | chpasswd",
            f"useradd --system {ALLOWED_USER}",
            f"useradd --create-home --shell /bin/bash {DEPUTY}",
            f"chage --maxdays 60 {DEPUTY}",
        ),
    )
