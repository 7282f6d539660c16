"""Secrets in plain text: what gives one away, and what only looks like one.

`token_detectors` has the tokens that detect-secrets knows. Here is what it does not: newer tokens,
commands with a password in them, and values of settings whose name says that they are secret.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final


@dataclass(frozen=True, kw_only=True, slots=True)
class Secret:
    """A secret found in a text. It never holds the secret itself, for findings are printed.

    Args:
        kind: What it is, in words.
        line: The line of the text, counted from 1.
        value: The secret's position in the text, as a slice.
    """

    kind: str
    line: int
    value: tuple[int, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Shape:
    """A secret that is known by its own shape.

    Args:
        kind: What it is.
        hint: Text it always holds; looked for first, because that is fast.
        pattern: The shape; its first group is the secret, or all of it. What can begin in many
            places, and may then fail, is limited in length: else some texts take hours.
    """

    kind: str
    hint: str
    pattern: re.Pattern[str]


_SHAPES: Final = tuple(
    _Shape(kind=kind, hint=hint, pattern=re.compile(pattern))
    for kind, hint, pattern in (
        (
            "a private key",
            "PRIVATE KEY",
            r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----",
        ),
        ("a GitHub token", "github_pat_", r"(?<!\w)github_pat_\w{22,255}(?!\w)"),
        ("a Slack token", "xapp-", r"(?<!\w)xapp-[\w-]{20,}"),
        ("a Slack token", "xoxe", r"(?<!\w)xoxe[.-][\w-]{10,}"),
        ("a Google API key", "AIza", r"(?<!\w)AIza[\w-]{35}(?!\w)"),
        ("an npm token", "npm_", r"(?<!\w)npm_[A-Za-z0-9]{36}(?!\w)"),
        ("a Vault token", "hvs.", r"(?<!\w)hvs\.[\w-]{24,}"),
        ("an OpenAI key", "T3BlbkFJ", r"(?<![\w-])sk-[\w-]{10,400}?T3BlbkFJ[\w-]{10,}"),
        ("an Anthropic key", "sk-ant-", r"(?<!\w)sk-ant-[\w-]{24,}"),
        ("a Hugging Face token", "hf_", r"(?<!\w)hf_[A-Za-z0-9]{30,}"),
        ("a DigitalOcean token", "do", r"(?<!\w)do[por]_v1_[0-9a-f]{64}"),
        ("a Docker Hub token", "dckr_pat_", r"(?<!\w)dckr_pat_[\w-]{20,}"),
        ("a Databricks token", "dapi", r"(?<!\w)dapi[0-9a-f]{32}(?!\w)"),
        ("a New Relic key", "NRAK-", r"(?<!\w)NRAK-[A-Z0-9]{27}"),
        ("a Terraform Cloud token", ".atlasv1.", r"(?<!\w)\w{14}\.atlasv1\.[\w-]{60,}"),
        ("a Twilio key", "SK", r"(?<!\w)SK[0-9a-f]{32}(?!\w)"),
        ("an Artifactory key", "AKC", r"(?<!\w)AKC[A-Za-z0-9]{50,}(?!\w)"),
        ("an age key", "AGE-SECRET-KEY-1", r"AGE-SECRET-KEY-1[A-Z0-9]{58}"),
        ("a private key", "PuTTY-User-Key-File", r"PuTTY-User-Key-File-[23]: ssh"),
        ("a JSON web token", "eyJ", r"(?<![\w-])eyJ[\w-]{10,}+\.eyJ[\w-]{10,}+\.[\w-]{10,}"),
    )
)

_COMMANDS: Final = tuple(
    _Shape(kind=kind, hint=hint, pattern=re.compile(pattern))
    for kind, hint, pattern in (
        (
            "a password in a URL",
            "://",
            r"[A-Za-z][\w+.-]{1,20}://[^\s/:@\"'$]{0,64}:([^\s/@\"']{3,})@",
        ),
        (
            "a password for chpasswd",
            "chpasswd",
            r"(?<![\w.-])[\w.-]{1,64}:([^\s\"'|:]{2,256})[\"']?\s{0,9}\|\s{0,9}(?:sudo\s{1,9})?chpasswd",
        ),
        (
            "a password for mysql",
            "mysql",
            r"mysql\w{0,32}\b[^\n|;]{0,200}?\s-p([^\s'\"=-][^\s'\"]{2,})",
        ),
        ("a password for sshpass", "sshpass", r"sshpass\s+-p\s*[\"']?([^\s\"']{3,})"),
        (
            "a password for curl",
            "curl",
            r"curl\b[^\n|;]{0,200}?\s(?:-u|--user)[ =][\"']?[^\s:'\"]+:([^\s'\"]{3,})",
        ),
        (
            "a password for a database user",
            "IDENTIFIED BY",
            r"IDENTIFIED BY [\"']([^\"'\n]{3,})[\"']",
        ),
        (
            "a password for chpasswd",
            "chpasswd",
            r"chpasswd\s*<<<\s*[\"']?[\w.-]+:([^\s\"']{2,})",
        ),
        (
            "a password for chpasswd",
            "chpasswd:",
            (
                r"chpasswd:[^\n]{0,99}\n(?:[ \t][^\n]{0,199}\n){0,5}?"
                r"[ \t]{1,99}(?:- )?[\w.-]{1,64}:([^\s:]{3,})"
            ),
        ),
        (
            "a password for passwd",
            "--stdin",
            r"echo\s{1,9}(?:-n\s{1,9})?[\"']?([^\s\"'|]{3,256})[\"']?\s{0,9}\|\s{0,9}(?:sudo\s{1,9})?passwd\s[^\n]{0,99}--stdin",
        ),
        ("a password in .netrc", "login", r"\blogin\s+\S{1,64}\s+password\s+([^\s\"']{3,})"),
        (
            "a password for docker login",
            "docker login",
            r"docker login\b[^\n|;]{0,200}?\s-p[ =]?[\"']?([^\s\"'-][^\s\"']{2,})",
        ),
        (
            "an authorization header",
            "uthorization",
            r"uthorization[\"']?\s*[:=]\s*[\"']?(?:Bearer|Basic|token)\s+([\w.~+/=-]{16,})",
        ),
        (
            "an AWS secret key",
            "configure set",
            r"aws configure set\s+\S*(?:secret_access_key|session_token)\s+[\"']?([\w/+=]{16,})",
        ),
        ("a password for Redis", "requirepass", r"requirepass[ \t]+[\"']?([^\s\"']{3,})"),
        ("a password for net user", "net user", r"net user \S+ ([^\s/][^\s]{2,})"),
        (
            "a password for ConvertTo-SecureString",
            "ConvertTo-SecureString",
            r"ConvertTo-SecureString\s+(?:-String\s+)?[\"']([^\"'$]{3,})[\"']",
        ),
    )
)

_PASSWORDS: Final = ("password", "passwd", "passphrase", "passcode", "pwd", "_pass", "-pass")
_KEYS: Final = (
    "secret",
    "token",
    "api_key",
    "api-key",
    "apikey",
    "access_key",
    "access-key",
    "accesskey",
    "private_key",
    "private-key",
    "privatekey",
    "secret_key",
    "secret-key",
    "secretkey",
    "auth_key",
    "auth-key",
    "authkey",
    "encryption_key",
    "encryption-key",
    "signing_key",
    "signing-key",
)

_NAME_BEFORE = re.compile(r"[\w.-]*\Z")
# Not the name of a function or of a table behind whose bracket the value comes; a bracket that
# nothing closes is part of a password.
_ASSIGNED = re.compile(
    r"""["']?(?:[ \t]*(?::=|=>|[:=,])[ \t]*|>|(?<=[a-z])[ \t]+)"""
    r"""(?:"([^"\n]{0,999})"|'([^'\n]{0,999})'|([^\s"'`;,&|<>()\[\]]{1,999}+)(?!\(|\[[^\s\]]{0,99}\]))""",
    re.IGNORECASE,
)

_NO_VALUE = re.compile(
    r"""
      [$`%@{\[<|>!(*\\-].*                     # a variable, a command, a placeholder, an option
    | (?:~|\.{0,2})/\S*                        # a path
    | [A-Za-z]:\\.*                            # a path on Windows
    | (?:arn|file|https?|s3|ssm|vault):\S*     # a name of something that is stored elsewhere
    | (?:true|false|yes|no|on|off|none|null|nil|required|optional|enabled|disabled|prompt|unset)
    | (?:[x*.]|\#)+                            # masked
    | [A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+          # an attribute in a program
    """,
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
_NAME_LIKE = re.compile(r"[A-Za-z]+|[A-Za-z][a-z]*(?:[-_/.:][A-Za-z0-9]+)+")
"""What a secret's *name* looks like, as in ``secret: prod/database``."""

_SHORTEST_PASSWORD = 3
_SHORTEST_KEY = 8
_LONGEST_WORD = 20


@lru_cache(maxsize=256)
def secrets_in(text: str) -> tuple[Secret, ...]:
    """Find secrets in a text.

    Not taken for one: hashes and commit ids, ARNs, public keys, variables and commands that fetch
    a secret when they run, placeholders and paths. The example keys of the AWS documentation are
    taken for one: where they stand, a real key is meant to stand.

    Args:
        text: A script, a configuration, any text.

    Returns:
        What was found, by place, each place once.

    Source: detect-secrets (https://github.com/Yelp/detect-secrets) for tokens; for those that it
        does not know the formats their issuers document (GitHub, Slack, Google Cloud, npm,
        HashiCorp Vault and others); RFC 7468 for private keys, RFC 7519 for JSON web tokens,
        RFC 3986 for passwords in URLs.

    Example:
        >>> [(secret.kind, secret.line) for secret in secrets_in("PASSWORD=hunter2")]
        [('a value for PASSWORD', 1)]
    """
    # Half as long as everything else in a check takes, and only those with user data need it.
    from hardened_ec2.policy.facts.token_detectors import tokens_in  # noqa: PLC0415

    found: list[tuple[tuple[int, int], str]] = []
    taken = bytearray(len(text))
    for kind, span in (*_shapes(text), *tokens_in(text), *_commands(text), *_assignments(text)):
        if taken.find(1, *span) < 0:
            taken[slice(*span)] = b"\x01" * (span[1] - span[0])
            found.append((span, kind))
    ends = [end.start() for end in re.finditer("\n", text)] if found else []
    return tuple(
        Secret(kind=kind, line=bisect_left(ends, span[0]) + 1, value=span)
        for span, kind in sorted(found)
    )


def _shapes(text: str) -> Iterator[tuple[str, tuple[int, int]]]:
    for shape in _SHAPES:
        if shape.hint in text:
            for match in shape.pattern.finditer(text):
                yield shape.kind, match.span()


def _commands(text: str) -> Iterator[tuple[str, tuple[int, int]]]:
    for shape in _COMMANDS:
        if shape.hint in text:
            for match in shape.pattern.finditer(text):
                if not _NO_VALUE.fullmatch(match.group(1)):
                    yield shape.kind, match.span(1)


def _assignments(text: str) -> Iterator[tuple[str, tuple[int, int]]]:
    lower = text.lower()
    for word in (*_PASSWORDS, *_KEYS):
        start = lower.find(word)
        while start >= 0:
            end = start + len(word)
            found = _assignment(text, start, end, is_password=word in _PASSWORDS)
            if found is not None:
                yield found
            start = lower.find(word, end)


def _assignment(
    text: str, start: int, end: int, *, is_password: bool
) -> tuple[str, tuple[int, int]] | None:
    match = _ASSIGNED.match(text, end)
    if match is None:
        return None
    before = _NAME_BEFORE.search(text, max(0, start - 64), start)
    name = (before.group() if before else "") + text[start:end]
    between = text[end : match.start(match.lastindex or 0)]
    if not between.strip(" \t\"'") and not name.startswith("--"):
        # "the password is" is prose; only an option takes its value after a blank.
        return None
    if "," in between and between[0] not in "\"'":
        # "password, token" is a list; a quoted name and a value are the arguments of a call.
        return None
    value = match.group(match.lastindex or 0)
    if _NO_VALUE.fullmatch(value) or not _is_secret(value, is_password=is_password):
        return None
    return f"a value for {name.lstrip('-')}", match.span(match.lastindex or 0)


def _is_secret(value: str, *, is_password: bool) -> bool:
    if "\ue000" in value:
        return True
    if is_password:
        return len(value) >= _SHORTEST_PASSWORD
    if len(value) < _SHORTEST_KEY:
        return False
    return (len(value) > _LONGEST_WORD and value.isalpha()) or not _NAME_LIKE.fullmatch(value)
