import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import boto3
import pytest

from demo.emulator import EmulatorNotStartedError, run_emulator
from demo.isolation import ROOT


def answers(endpoint: str) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port_of(endpoint)), timeout=1).close()
    except ConnectionRefusedError:
        return False
    return True


def port_of(endpoint: str) -> int:
    return int(endpoint.rpartition(":")[2])


def eventually(condition: Callable[[], bool], seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return condition()


def listeners(port: int) -> list[str]:
    """The addresses that something listens on at a port, as the kernel writes them."""
    table = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
    rows = [line.split() for line in table.splitlines()]
    return [row[1] for row in rows if row[3] == "0A" and row[1].endswith(f":{port:04X}")]


def test_it_runs_on_loopback_for_as_long_as_the_block(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]

    # The end of the block stops it, even if that end is not a good one.
    with suppress(KeyboardInterrupt), run_emulator(tmp_path / "log", port) as endpoint:
        assert endpoint == f"http://localhost:{port}"
        assert len(boto3.client("ec2", endpoint_url=endpoint).describe_vpcs()["Vpcs"]) == 1
        assert listeners(port) == [f"0100007F:{port:04X}"]
        raise KeyboardInterrupt

    assert not answers(f"http://localhost:{port}")
    assert listeners(port) == []


def test_it_ends_with_its_parent_however_that_ends(tmp_path: Path) -> None:
    code = (
        "import pathlib, sys, time\n"
        "from demo.emulator import run_emulator\n"
        "with run_emulator(pathlib.Path(sys.argv[1])) as endpoint:\n"
        "    print(endpoint, flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "log")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout is not None
        endpoint = parent.stdout.readline().strip()
        assert answers(endpoint)

        os.kill(parent.pid, signal.SIGKILL)

    assert eventually(lambda: not answers(endpoint))


def test_a_port_in_use_is_refused_and_left_alone(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(EmulatorNotStartedError, match=rf"port {port} .*EMULATOR_PORT unset"),
            run_emulator(tmp_path / "log", port),
        ):
            pass

        assert answers(f"http://localhost:{port}")


def test_a_server_that_cannot_start_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "moto"
    broken.mkdir()
    (broken / "__init__.py").write_text("raise ImportError('broken on purpose')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    with (
        pytest.raises(EmulatorNotStartedError, match="broken on purpose"),
        run_emulator(tmp_path / "log"),
    ):
        pass
