"""The search inside a server finds a secret in plain text and in gzip."""

import gzip
from pathlib import Path

import pytest

from lab.inside.search import holds

SECRET = b"canary-0123456789abcdef"


@pytest.mark.parametrize(
    "data",
    [
        SECRET,
        b"x" * (1 << 20) + SECRET,
        # Across two chunks of the search.
        b"x" * ((1 << 20) - 5) + SECRET,
        gzip.compress(b"#!/bin/sh\necho " + SECRET),
        b"pickle" + gzip.compress(SECRET) + b"more",
        b"\x1f\x8b\x08 looks so" + gzip.compress(SECRET),
    ],
    ids=["open", "late", "across", "gzip", "gzip inside", "gzip behind what looks so"],
)
def test_the_secret_is_found(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "file"
    file.write_bytes(data)
    assert holds(file, SECRET)


def test_nothing_is_found_where_nothing_is(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(gzip.compress(b"canary-of-another-run") + b"canary-")
    assert not holds(file, SECRET)


def test_what_has_not_changed_since_is_not_opened(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(SECRET)
    assert not holds(file, SECRET, since=file.stat().st_ctime + 1)
