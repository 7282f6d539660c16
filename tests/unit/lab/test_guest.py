"""What the lab makes for its servers before one is booted."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lab import cache
from lab.machines import guest
from lab.machines.guest import key


def test_who_asks_first_for_a_key_is_not_disturbed_by_who_asks_at_the_same_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (guest, cache):
        monkeypatch.setattr(module, "CACHE", tmp_path)
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(key, ["root"] * 8))
    (only,) = keys
    assert only.private.exists()
    assert only.public.startswith("ssh-ed25519 ")
