"""The folder of images and key pairs that every checkout on this machine shares."""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hardened-ec2"
"""Readable by root only: it holds the private keys that open the lab's servers."""

_DAY = 86_400


@contextmanager
def one_at_a_time(what: str) -> Iterator[None]:
    """Hold a lock of the cache while the block runs.

    Args:
        what: The lock's name. Blocks under different names run side by side.
    """
    CACHE.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (CACHE / f"{what}.lock").open("w", encoding="ascii") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


@contextmanager
def complete(folder: Path) -> Iterator[Path]:
    """Yield an empty folder that takes its final name only if the block succeeds.

    Args:
        folder: The final name, in the cache.
    """
    CACHE.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(dir=CACHE, prefix="unfinished-") as scratch:
        fresh = Path(scratch) / "fresh"
        fresh.mkdir()
        yield fresh
        fresh.rename(folder)


def remove_unused(pattern: str) -> None:
    """Remove the folders that no run has touched for a day.

    Args:
        pattern: A glob pattern of names in the cache.
    """
    for folder in CACHE.glob(pattern):
        if folder.stat().st_mtime < time.time() - _DAY:
            shutil.rmtree(folder)
