"""Commands in user data that undo hardening: open a login, disable a protection, run a download.

Comments are skipped, and a line that ends in a backslash goes on in the next one, as in a shell.
"""

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Final


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """A command, or a setting, found in a text.

    Args:
        what: What it does, as the end of a sentence.
        line: The line of the text, counted from 1.
    """

    what: str
    line: int


@dataclass(frozen=True, kw_only=True, slots=True)
class _Shape:
    """A command that is known by its shape.

    Args:
        what: What it does.
        hints: Words in lower case of which it always holds one; looked for first, that is fast.
        pattern: The shape. No part of it may run on for more than `_FAR` characters.
    """

    what: str
    hints: tuple[str, ...]
    pattern: re.Pattern[str]


_FAR: Final = 400
"""Characters within which the parts of one command are looked for."""

_ANY: Final = rf"[^\n]{{0,{_FAR}}}"
_SAME: Final = rf"[^\n;|&]{{0,{_FAR}}}"

_MOST: Final = 16
"""Downloads of one script that are followed to where they are run."""


def _before_next(words: str, within: str = r"[^\n;|&]") -> str:
    """Match what belongs to one command: it ends where the next of its kind begins.

    Without that, a text of nothing but beginnings takes the square of `_FAR` for each.
    """
    return rf"(?:(?!{words}){within}){{0,{_FAR}}}"


def _shape(what: str, hints: str, pattern: str) -> _Shape:
    compiled = re.compile(pattern, re.IGNORECASE | re.MULTILINE)
    return _Shape(what=what, hints=tuple(hints.split()), pattern=compiled)


_SSHD: Final = (
    "PasswordAuthentication|PermitEmptyPasswords|ChallengeResponseAuthentication"
    "|KbdInteractiveAuthentication|HostbasedAuthentication|PermitRootLogin"
)

_OPENS_LOGIN: Final = (
    _shape(
        "enables password, root or host-based login in sshd",
        "authentication permit",
        rf"\b(?:{_SSHD})[\s=]+[\"']?yes\b|\b(?:{_SSHD})\b{_ANY}\bs([/|,#])[^/|,#\n]{{0,99}}no\1yes",
    ),
    _shape(
        "enables password login in sshd", "ssh_pwauth", r"\bssh_pwauth:\s*[\"']?(?:true|yes|1|on)\b"
    ),
    _shape("enables root login", "disable_root", r"\bdisable_root:\s*[\"']?(?:false|no|0|off)\b"),
    _shape("disables IMDSv2", "--http-tokens", r"--http-tokens[\s=]+[\"']?optional\b"),
    _shape(
        "opens the Docker API to the network",
        "tcp://",
        r"(?:-H|--host|hosts)[\s=\"':\[]+(?:[^\n\]]{0,99},\s*)?[\"']?"
        r"tcp://(?!127\.|localhost|\[::1\])",
    ),
    _shape(
        "installs a telnet or rsh server",
        "telnet rsh-server",
        rf"\binstall\b{_SAME}\b(?:telnetd|telnet-server|rsh-server)",
    ),
    _shape(
        "serves a shell in the browser without a login",
        "--without-connection-token code-server notebookapp serverapp identityprovider",
        rf"--without-connection-token\b|\bcode-server\b{_ANY}--auth[\s=]+[\"']?none\b"
        r"|\b(?:NotebookApp|ServerApp|IdentityProvider)\.(?:token|password)\s?=\s?(?:''|\"\"|\s|$)",
    ),
)

_GUARDS: Final = (
    r"(?:firewalld|nftables|iptables|ip6tables|ufw|auditd|apparmor|fail2ban|unattended-upgrades"
    r"|dnf-automatic|amazon-ssm-agent|amazon-cloudwatch-agent|aide|clamav|falcon-sensor"
    r"|hardened-ec2)"
)

_SYSTEMCTL: Final = _before_next(r"\bsystemctl\b")
_PACKAGES: Final = _before_next(r"\b(?:apt|apt-get|yum|dnf|zypper)\s+(?:-\S{1,99}\s+)?[a-z]+\b")

_WEAKENS: Final = (
    _shape("disables SELinux", "setenforce", r"\bsetenforce\s+(?:0|permissive)\b"),
    _shape("disables SELinux", "selinux=", r"\bSELINUX=(?:disabled|permissive|0)\b"),
    _shape(
        "stops a security service",
        "systemctl",
        rf"\bsystemctl\b{_SYSTEMCTL}\b(?:stop|disable|mask)\b{_SYSTEMCTL}\b{_GUARDS}",
    ),
    _shape(
        "stops a security service",
        "service chkconfig",
        rf"\bservice\s+{_GUARDS}\s+stop\b|\bchkconfig\s+{_GUARDS}\s+off\b",
    ),
    _shape(
        "removes a security service",
        "remove purge erase",
        rf"\b(?:apt|apt-get|yum|dnf|zypper)\b{_PACKAGES}\b(?:remove|purge|erase)\b{_PACKAGES}\s{_GUARDS}",
    ),
    _shape("disables the firewall", "ufw", r"\bufw\s+(?:--force\s+)?(?:disable|reset)\b"),
    _shape(
        "removes the firewall rules",
        "tables nft",
        r"\bip6?tables\s+(?:-t\s*\w+\s+)?(?:-F|--flush)\b|\bnft\s+flush\s+ruleset\b"
        r"|\bip6?tables\s+(?:-P|--policy)\s+INPUT\s+ACCEPT\b",
    ),
    _shape(
        "disables the firewall",
        "advfirewall set-netfirewallprofile",
        rf"advfirewall\s+set\s+\w+\s+state\s+off"
        rf"|Set-NetFirewallProfile\b{_ANY}-Enabled\s+[\"']?\$?(?:False|0)",
    ),
    _shape(
        "disables Microsoft Defender",
        "set-mppreference",
        rf"Set-MpPreference\b{_ANY}-Disable\w+\s+(?:\$?true|1)",
    ),
    _shape(
        "makes files world-writable",
        "chmod",
        r"\bchmod\s+(?:-\S+\s+)*(?:[0-7]?[0-7]{2}[2367]\s|[ugo]{0,9}[oa][ugoa]{0,9}\+[rx]{0,9}w|\+[rx]{0,9}w)",
    ),
    _shape(
        "installs packages without verifying signatures",
        "gpg --allow-unauthenticated trusted=yes",
        r"--nogpgcheck\b|\bgpgcheck=0|--allow-unauthenticated\b|--no-gpg-checks?\b"
        r"|\[\s*(?:[^\]\n]{0,99}\s)?trusted=yes",
    ),
    _shape(
        "downloads without verifying the server's certificate",
        "curl --no-check-certificate",
        rf"\bcurl\s+(?:{_SAME}\s)?(?:-[a-z]{{0,20}}k[a-z]{{0,20}}|--insecure)\s|--no-check-certificate\b",
    ),
)

_SHELL: Final = r"(?:\S{0,99}/)?(?:ba|z|da|k|a)?sh\b(?![\w.-])(?!\s+-c)"
_INTERPRETER: Final = r"(?:\S{0,99}/)?(?:python[\d.]*|perl|ruby|node|php)\s*(?:-\s*)?(?:$|[;&|)\n])"
_SUDO: Final = r"(?:(?:sudo|env|exec|nohup)\s+(?:-\S+\s+|\w+=\S*\s+){0,9}){0,4}"
_FETCH: Final = r"(?:curl|wget|fetch|lwp-download|aria2c)\b"
_FETCHES: Final = "curl|wget|fetch"
_ITS_OWN: Final = _before_next(_FETCHES, r"[^\n;]")
"""What belongs to one download."""

_POWERSHELL: Final = r"(?:DownloadString|iwr|irm|Invoke-WebRequest|Invoke-RestMethod)\b"

_EXPRESSION: Final = _before_next(r"\biex\b|Invoke-Exp", r"[^\n]")

_RUNS: Final = "runs a download without verifying it"
_RUNS_THE_NET: Final = (
    _shape(
        _RUNS,
        "pip rpm",
        rf"\bpip[\d.]{{0,9}}\s+install\b{_SAME}\shttps?://"
        rf"|\brpm\s+(?:-(?!\w*q)\w{{0,9}}[iUF]\w{{0,9}}|--install|--upgrade)\b{_SAME}\shttps?://",
    ),
    _shape(
        _RUNS,
        "curl wget fetch lwp-download aria2c",
        rf"\b{_FETCH}{_ITS_OWN}\|\s*{_SUDO}(?:{_SHELL}|{_INTERPRETER})",
    ),
    _shape(
        _RUNS,
        "curl wget fetch lwp-download aria2c",
        rf"(?:\b(?:ba|z|da|k)?sh|\bsource|\beval|(?:^|[\s;])\.)\s+"
        rf"(?:-\w+\s+){{0,9}}[\"']?(?:<\(|\$\(|`)\s*{_FETCH}",
    ),
    _shape(
        _RUNS,
        "iex invoke-expression",
        rf"\b(?:iex|Invoke-Expression)\b{_EXPRESSION}{_POWERSHELL}",
    ),
    _shape(
        _RUNS, "iex invoke-expression", rf"\b{_POWERSHELL}{_ANY}\|\s*(?:iex|Invoke-Expression)\b"
    ),
)

_SAVED = re.compile(
    rf"\b{_FETCH}{_before_next(_FETCHES)}?(?:\s-\w*[oO]|\s--output(?:-document)?|\s?>)[\s=]*[\"']?([^\s\"';&|]+)"
)
_SEARCHED = re.compile(r"\bs[/|,#@][\^#*?\\.+\s]*\Z")
"""Stands before what sed looks for, to put something else in its place."""

_CHECKED = re.compile(r"\b(?:sha\d+sum|shasum|gpgv?|cosign|minisign|openssl\s+dgst)\b")
_COMMENT = re.compile(
    r"^[ \t]*(?:#(?![!\w-]*cloud-|!)|//|rem\s)[^\n]*", re.MULTILINE | re.IGNORECASE
)


@lru_cache(maxsize=256)
def opened_logins(text: str) -> tuple[Command, ...]:
    """Find settings and commands that open a login which images keep closed.

    Args:
        text: A script or a configuration.

    Returns:
        Each command or setting, by line.

    Source: sshd_config(5); cloud-init, "Set Passwords" and "Users and Groups" modules.

    Example:
        >>> [command.line for command in opened_logins("PasswordAuthentication yes")]
        [1]
    """
    return _found(text, _OPENS_LOGIN)


@lru_cache(maxsize=256)
def weakenings(text: str) -> tuple[Command, ...]:
    """Find commands that disable a protection: firewall, SELinux, updates, signatures.

    Args:
        text: A script or a configuration.

    Returns:
        Each command or setting, by line.

    Source: the manual pages of the commands.

    Example:
        >>> [command.what for command in weakenings("setenforce 0")]
        ['disables SELinux']
    """
    return _found(text, _WEAKENS)


@lru_cache(maxsize=256)
def downloads_run(text: str) -> tuple[Command, ...]:
    """Find commands that run a download without verifying it.

    Args:
        text: A script.

    Returns:
        Each command, by line: a download piped into a shell, or saved and then run with no
        checksum or signature in between.

    Source: bash(1), "Pipelines" and "Process Substitution".

    Example:
        >>> [command.line for command in downloads_run("curl https://example.com/x | sh")]
        [1]
    """
    found = {command.line: command for command in _found(text, _RUNS_THE_NET)}
    script = _script(text)
    saved: dict[str, re.Match[str]] = {}
    for match in _SAVED.finditer(script) if "sh" in script or "chmod" in script else ():
        saved.setdefault(match.group(1).rsplit("/", 1)[-1], match)
    for name, match in islice(saved.items(), _MOST):
        used = _run(name, script, match.end())
        if used and not _CHECKED.search(script, match.end(), used):
            line = bisect_left(_ends(script), match.start()) + 1
            found.setdefault(line, Command(what=_RUNS, line=line))
    return tuple(found[line] for line in sorted(found))


def _run(name: str, script: str, start: int) -> int | None:
    """Return where a file is run after it was saved; none when it is not."""
    spelled = rf"[\"']?(?:\S{{0,99}}/)?{re.escape(name)}\b"
    used = re.compile(
        rf"(?:\b(?:ba|z|da|k)?sh|\bsource|\bpython[\d.]*|(?:^|[\s;&])\.)\s+(?:-\w+\s+){{0,9}}{spelled}"
        rf"|\bchmod\s+\S{{0,9}}(?:\+\w{{0,9}}x|[157])\S{{0,9}}\s+{spelled}",
        re.MULTILINE,
    ).search(script, start)
    return used.start() if name and used else None


def _found(text: str, shapes: Sequence[_Shape]) -> tuple[Command, ...]:
    lower = text.lower()
    likely = [shape for shape in shapes if any(hint in lower for hint in shape.hints)]
    script = _script(text) if likely else ""
    ends = _ends(script)
    found = {
        (bisect_left(ends, match.start()) + 1, shape.what)
        for shape in likely
        for match in shape.pattern.finditer(script)
        if match.lastindex
        or not _SEARCHED.search(script, max(0, match.start() - 16), match.start())
    }
    return tuple(Command(what=what, line=line) for line, what in sorted(found))


def _script(text: str) -> str:
    """Blank out comments and join continued lines, every character kept in its place."""
    blanked = _COMMENT.sub(lambda match: " " * len(match.group()), text)
    return blanked.replace("\\\n", " \x0b")


def _ends(script: str) -> list[int]:
    """Return where the lines of the text end, continued ones included."""
    return [end.start() for end in re.finditer("[\n\x0b]", script)]
