"""Tokens that detect-secrets knows by their shape.

Only its patterns are used. It would also ask issuers whether a token is valid: a check of a
template sends nothing anywhere.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from detect_secrets.plugins.aws import AWSKeyDetector
from detect_secrets.plugins.azure_storage_key import AzureStorageKeyDetector
from detect_secrets.plugins.base import RegexBasedDetector
from detect_secrets.plugins.discord import DiscordBotTokenDetector
from detect_secrets.plugins.github_token import GitHubTokenDetector
from detect_secrets.plugins.gitlab_token import GitLabTokenDetector
from detect_secrets.plugins.mailchimp import MailchimpDetector
from detect_secrets.plugins.pypi_token import PypiTokenDetector
from detect_secrets.plugins.sendgrid import SendGridDetector
from detect_secrets.plugins.slack import SlackDetector
from detect_secrets.plugins.square_oauth import SquareOAuthDetector
from detect_secrets.plugins.stripe import StripeDetector
from detect_secrets.plugins.telegram_token import TelegramBotTokenDetector

DETECTORS: Final[tuple[type[RegexBasedDetector], ...]] = (
    AWSKeyDetector,
    AzureStorageKeyDetector,
    DiscordBotTokenDetector,
    GitHubTokenDetector,
    GitLabTokenDetector,
    MailchimpDetector,
    PypiTokenDetector,
    SendGridDetector,
    SlackDetector,
    SquareOAuthDetector,
    StripeDetector,
    TelegramBotTokenDetector,
)
"""Those whose shape is a secret's alone. Left out, each covered by `secrets` in another way:

- ArtifactoryDetector takes capital words that begin with "APA" for passwords;
- TwilioKeyDetector takes account ids for keys;
- IbmCloudIamDetector and IbmCosHmacDetector take any key of the right length for one of IBM's;
- PrivateKeyDetector takes a search for "BEGIN RSA PRIVATE KEY" for a key, encrypted ones for none;
- JwtTokenDetector takes a token that anything stands behind for none;
- CloudantDetector, NpmDetector, OpenAIDetector and SoftlayerDetector take hours for a text that is
  made for it, and an attacker may have written the user data;
- BasicAuthDetector and KeywordDetector take variables for passwords and values without quotes for
  none;
- the high entropy detectors take every hash, digest and commit id for a secret;
- IPPublicDetector looks for addresses.
"""

_HASH = re.compile(r"[0-9a-f]{40}|[0-9A-F]{40}")


def tokens_in(text: str) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield the tokens in a text: the kind of each, and its position.

    Args:
        text: Any text.
    """
    for kind, pattern in _patterns():
        for match in pattern.finditer(text):
            start = match.start()
            # In the middle of a longer word it is a piece of something encoded.
            if start and text[start - 1].isalnum() and text[start].isalnum():
                continue
            if not any(_HASH.fullmatch(group or "") for group in match.groups()):
                yield kind, match.span()


@lru_cache(maxsize=1)
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple(
        (f"a secret ({detector.secret_type})", pattern)
        for detector in (each() for each in DETECTORS)
        for pattern in detector.denylist
    )
