"""The key pairs of the lab's servers."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lab import cache
from lab.machines import guest
from lab.machines.guest import key


def test_servers_that_ask_for_a_key_at_the_same_time_get_the_same_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (guest, cache):
        monkeypatch.setattr(module, "CACHE", tmp_path)
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(key, ["root"] * 8))
    (only,) = keys
    assert only.private.exists()
    assert only.public.startswith("ssh-ed25519 ")
