"""What the controls' own checks may say on a server of the lab, beside what they expect."""

from dataclasses import dataclass

from lab.probes.control_checks import Outcome

BOOKWORM, TRIXIE = "bookworm", "trixie"


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """Checks that are not for a server of the lab: each is named here, so that none goes unseen.

    Args:
        control: The control's name.
        when: How the condition begins that does not hold.
        why: Why it does not.
        suites: The releases that this is about. Default: all.
    """

    control: str
    when: str
    why: str
    suites: tuple[str, ...] = (BOOKWORM, TRIXIE)


LEFT_OUT = (
    LeftOut(
        control="sshd-moduli", when="sshd -T", why="the hardened sshd offers no group exchange"
    ),
    LeftOut(
        control="unneeded-listeners",
        when="systemctl cat avahi-daemon",
        why="mDNS is not installed",
    ),
    LeftOut(control="unneeded-listeners", when="systemctl cat cups", why="no printing here"),
    LeftOut(control="unneeded-listeners", when="systemctl cat telnet", why="no telnet here"),
    LeftOut(
        control="unneeded-listeners",
        when="test -e /usr/lib/systemd/systemd-resolved",
        why="the image has no systemd-resolved",
        suites=(BOOKWORM,),
    ),
    LeftOut(
        control="password-rules",
        when="test -s /etc/security/pwquality.conf",
        why="pam_pwquality is not installed",
    ),
    LeftOut(control="core-dumps", when="test -e", why="systemd's core dump handler is not there"),
    LeftOut(
        control="time-source",
        when="! command -v chronyd",
        why="chrony sets the time",
        suites=(BOOKWORM,),
    ),
    LeftOut(
        control="time-source",
        when="command -v chronyd",
        why="systemd-timesyncd sets the time",
        suites=(TRIXIE,),
    ),
    LeftOut(control="security-updates", when="test -e /etc/dnf", why="Debian has no dnf"),
)

_NO_TEXT = "no text is given here, so there is no control: the file is the package's own"

ALIKE_ON_A_BARE_SERVER = {
    BOOKWORM: {"login-banner": _NO_TEXT},
    TRIXIE: {
        "login-banner": _NO_TEXT,
        "password-rules": "pam_pwquality is not installed, and YESCRYPT is Debian 13's own choice",
        "sshd-moduli": "the sshd of Debian 13 offers no group exchange by itself",
    },
}
"""Suite to the controls none of whose checks tells a hardened server from a bare one there."""


def why_left_out(outcome: Outcome, suite: str) -> str | None:
    """Return why a check is not for a server; None if it has to be."""
    for each in LEFT_OUT:
        if (
            each.control == outcome.control
            and outcome.when.startswith(each.when)
            and suite in each.suites
        ):
            return each.why
    return None
