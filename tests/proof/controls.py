"""Checks of controls that do not apply to a server of the lab, and controls alike on a bare one."""

from dataclasses import dataclass

from lab.machines.distribution import BOOKWORM, TRIXIE, Distribution
from lab.probes.control_checks import Outcome


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """A check that does not apply to a server of the lab. A check that is not listed has to apply.

    Args:
        control: The control's name.
        when: The beginning of the check's condition.
        why: The reason why the condition does not hold.
        releases: The Debian releases of the servers. Default: every one.
    """

    control: str
    when: str
    why: str
    releases: tuple[Distribution, ...] = ()


LEFT_OUT = (
    LeftOut(
        control="sshd-moduli", when="sshd -T", why="the hardened sshd offers no group exchange"
    ),
    LeftOut(
        control="unneeded-listeners",
        when="systemctl cat avahi-daemon",
        why="mDNS is not installed",
    ),
    LeftOut(control="unneeded-listeners", when="systemctl cat cups", why="CUPS is not installed"),
    LeftOut(
        control="unneeded-listeners", when="systemctl cat telnet", why="telnet is not installed"
    ),
    LeftOut(
        control="unneeded-listeners",
        when="test -e /usr/lib/systemd/systemd-resolved",
        why="the image has no systemd-resolved",
        releases=(BOOKWORM,),
    ),
    LeftOut(
        control="password-rules",
        when="test -s /etc/security/pwquality.conf",
        why="pam_pwquality is not installed",
    ),
    LeftOut(control="core-dumps", when="test -e", why="systemd-coredump is not installed"),
    LeftOut(
        control="time-source",
        when="! command -v chronyd",
        why="chrony sets the time",
        releases=(BOOKWORM,),
    ),
    LeftOut(
        control="time-source",
        when="command -v chronyd",
        why="systemd-timesyncd sets the time",
        releases=(TRIXIE,),
    ),
    LeftOut(control="security-updates", when="test -e /etc/dnf", why="Debian has no dnf"),
)

_NO_TEXT = "the lab gives no banner, so the control leaves the package's own file"

ALIKE_ON_A_BARE_SERVER = {
    BOOKWORM.suite: {"login-banner": _NO_TEXT},
    TRIXIE.suite: {
        "login-banner": _NO_TEXT,
        "password-rules": "pam_pwquality is not installed, and yescrypt is Debian 13's default",
        "sshd-moduli": "Debian 13's sshd offers no group exchange by default",
    },
}
"""Code name of a release to the controls whose checks a bare server of it passes too, with the
reason."""


def why_left_out(outcome: Outcome, suite: str) -> str | None:
    """Return the reason why a check does not apply to a server; None if it has to apply."""
    for each in LEFT_OUT:
        if (
            each.control == outcome.control
            and outcome.when.startswith(each.when)
            and (not each.releases or suite in [release.suite for release in each.releases])
        ):
            return each.why
    return None
