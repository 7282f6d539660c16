"""A customised image that is careless on purpose, so that the hardening has something to undo.

It has a user with a known password, an authorized key for root, password logins enabled in
cloud-init, and automatic updates disabled.
"""

from lab.machines.guest import key
from lab.machines.image import File, Recipe

CLERK = "clerk"
PASSWORD = "winter 2016"  # noqa: S105 - a known password is the point

ALLOWED_USER = "cwagent"
"""A service account in the image that is allowed to reach the metadata service."""

DEPUTY = "deputy"
"""A user who logs in by key and has no password, but whose password age expires."""

LATER_USER = "ec2-instance-connect"
"""An account allowed to reach the metadata service that is added while the server runs."""

_NO_UPGRADES = 'APT::Periodic::Unattended-Upgrade "0";\n'


def careless() -> Recipe:
    """Return the recipe of the careless image."""
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
