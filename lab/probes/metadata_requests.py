"""Requests to the link-local services from inside a guest, as its users and as a container."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from lab.machines.careless_image import LATER_USER
from lab.machines.guest import Guest
from lab.machines.metadata_service import METADATA, NAMES, TIME
from lab.probes.programs import ask

NOBODY = 65534
STRANGERS = (1, 4321, NOBODY, 2**31, 2**32 - 3)
"""Uids without an account, up to the highest, tried in addition to every account."""

REPAIR_SECONDS = 120.0
"""The limit of a repair: the lock is checked once a minute, and a busy machine takes longer."""


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One request from inside the guest.

    Args:
        user: The user's name, or the uid if it has no account.
        address: The address that was asked.
        answer: "open", or the failure: "refused", "prohibited", "connected", "silent", ...
        seconds: The duration of the request.
    """

    user: str
    address: str
    answer: str
    seconds: float


def survey(
    guest: Guest, uids: Sequence[int] | None = None, *, in_session: bool = False
) -> tuple[tuple[Attempt, ...], tuple[Attempt, ...]]:
    """Request the link-local services from inside a guest.

    Args:
        guest: The server.
        uids: The uids to try as. Default: every account, `STRANGERS`, and a container.
        in_session: Whether to try from the administrator's login session. Default: False.

    Returns:
        The requests of users, and those of the container.

    Raises:
        LabError: If the probe fails.
    """
    question = {
        "uids": STRANGERS if uids is None else uids,
        "everybody": uids is None,
        "addresses": METADATA,
        "names": NAMES,
        "times": TIME,
    }
    found = ask(guest, "metadata", question, in_session=in_session)
    users, container = (
        tuple(Attempt(**each) for each in found[who]) for who in ("users", "container")
    )
    return users, container


def later_user(guest: Guest) -> tuple[Attempt, ...]:
    """Add an allowed user, and wait up to `REPAIR_SECONDS` until IMDS answers that user.

    Args:
        guest: The server.

    Returns:
        The user's last requests.

    Raises:
        LabError: If the probe fails.
    """
    guest.root(f"id {LATER_USER} >/dev/null 2>&1 || useradd --system {LATER_USER}")
    uid = int(guest.ssh("id", "-u", LATER_USER).stdout)
    deadline = time.monotonic() + REPAIR_SECONDS
    while True:
        seen = tuple(a for a in survey(guest, [uid])[0] if a.address in METADATA)
        if all(each.answer == "open" for each in seen) or time.monotonic() > deadline:
            return seen
